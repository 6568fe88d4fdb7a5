//! [`Safety`]: the rules of one installation, compiled, as spans and log records pass them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLoggerProvider};

use super::audit::{Audit, AuditSettings};
use super::baggage::BaggageAttributes;
use super::caps::Caps;
use super::drop_rule::{DropRule, DropRules};
use super::glob::Globs;
use super::limits::Limits;
use super::redaction::Redaction;
use super::redactor::Redactor;
use super::value::{SafeValue, Verdict};
use crate::InstallError;
use crate::control::Live;
use crate::error::InstallErrorKind;

/// What the code said.
#[derive(Debug, Clone, Default)]
pub(crate) struct SafetySettings {
    pub(crate) redaction: Redaction,
    pub(crate) drop_rules: Vec<DropRule>,
    pub(crate) baggage_attributes: Vec<String>,
    pub(crate) audits: Vec<AuditSettings>,
    pub(crate) max_spans_per_trace: Option<u64>,
    pub(crate) max_span_depth: Option<u32>,
    pub(crate) open_spans: Option<Duration>,
}

/// The rules, compiled and shared by the processors of spans and logs.
#[derive(Debug)]
pub(crate) struct Safety {
    pub(crate) redactor: Arc<Redactor>,
    pub(super) limits: Limits,
    pub(super) drop_rules: DropRules,
    pub(super) baggage: BaggageAttributes,
    pub(super) blank_record: SdkLogRecord,
    pub(super) audits: Vec<Audit>,
    pub(crate) caps: Option<Arc<Caps>>,
    /// What was changed since.
    pub(crate) live: Arc<Live>,
}

impl SafetySettings {
    /// Whether every pattern can be read.
    pub(crate) fn check(&self) -> Result<(), InstallError> {
        self.redactor()?;
        self.compiled_drop_rules()?;
        self.baggage().map(|_| ())
    }

    pub(crate) fn redactor(&self) -> Result<Redactor, InstallError> {
        Redactor::new(&self.redaction).map_err(|(rule, error)| invalid("a redaction rule", rule, &error))
    }

    fn compiled_drop_rules(&self) -> Result<DropRules, InstallError> {
        DropRules::new(&self.drop_rules)
            .map_err(|error| invalid("a drop rule", format!("{:?}", self.drop_rules), &error))
    }

    fn baggage(&self) -> Result<Globs, InstallError> {
        Globs::new(&self.baggage_attributes)
            .map_err(|error| invalid("the baggage keys", self.baggage_attributes.join(", "), &error))
    }
}

impl Safety {
    pub(crate) fn new(settings: &SafetySettings, limits: Limits) -> Result<Self, InstallError> {
        let (redactor, drop_rules) = (settings.redactor()?, settings.compiled_drop_rules()?);
        let baggage = settings.baggage()?;
        let audits: Result<Vec<_>, _> = settings.audits.iter().map(Audit::start).collect();
        let audits =
            audits.map_err(|error| invalid("an audit hook", format!("{:?}", settings.audits), &error))?;
        // Blank records come from loggers alone.
        let blank_record = SdkLoggerProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .build()
            .logger("")
            .create_log_record();
        Ok(Self {
            redactor: Arc::new(redactor),
            limits,
            drop_rules,
            baggage: BaggageAttributes(baggage),
            blank_record,
            audits,
            caps: Caps::new(settings.max_spans_per_trace, settings.max_span_depth).map(Arc::new),
            live: Arc::default(),
        })
    }

    /// Spans that an audit hook was too slow for.
    pub(crate) fn unaudited(&self) -> u64 {
        self.audits.iter().map(Audit::missed).sum()
    }

    /// How many values the redaction changed or removed.
    pub(crate) fn redacted(&self) -> u64 {
        self.redactor.redacted()
    }

    /// See [`Redactor::protected_resource`].
    pub(crate) fn protected_resource(&self, resource: &Resource) -> Resource {
        self.redactor.protected_resource(resource)
    }
}

impl Redactor {
    /// The resource under the same rules, but for limits and the list of allowed keys: it describes the service, and
    /// the operator wrote it.
    pub(crate) fn protected_resource(&self, resource: &Resource) -> Resource {
        let protected = resource.iter().filter_map(|(key, value)| {
            let decision = self.decide_allowed(key.as_str());
            match value.redacted(&decision, self) {
                Verdict::Same => Some(KeyValue::new(key.clone(), value.clone())),
                Verdict::Changed(changed) => Some(KeyValue::new(key.clone(), changed)),
                Verdict::Drop => None,
            }
        });
        match resource.schema_url() {
            Some(url) => Resource::builder_empty().with_schema_url(protected, url.to_owned()).build(),
            None => Resource::builder_empty().with_attributes(protected).build(),
        }
    }
}

impl Redactor {
    /// The scope with its attributes under the rules, if that changes any. Mostly it has none.
    pub(crate) fn protected_scope(&self, scope: &InstrumentationScope) -> Option<InstrumentationScope> {
        let mut is_changed = false;
        let mut protected = |attribute: &KeyValue| {
            let judged = self.attribute(attribute.key.as_str(), &attribute.value);
            is_changed |= !matches!(judged, Ok(None));
            let value = judged.ok()?.unwrap_or_else(|| attribute.value.clone());
            Some(KeyValue::new(attribute.key.clone(), value))
        };
        let attributes: Vec<_> = scope.attributes().filter_map(&mut protected).collect();
        let rebuilt = || {
            let mut builder =
                InstrumentationScope::builder(scope.name().to_owned()).with_attributes(attributes);
            if let Some(version) = scope.version() {
                builder = builder.with_version(version.to_owned());
            }
            if let Some(url) = scope.schema_url() {
                builder = builder.with_schema_url(url.to_owned());
            }
            builder.build()
        };
        is_changed.then(rebuilt)
    }
}

fn invalid(setting: &'static str, value: String, error: &regex::Error) -> InstallError {
    InstallErrorKind::InvalidConfiguration { setting, value, reason: error.to_string() }.into()
}

#[cfg(test)]
mod tests {
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_sdk::Resource;

    use super::{Safety, SafetySettings};
    use crate::safety::Limits;

    #[test]
    fn a_protected_resource_has_its_schema() {
        let safety = Safety::new(&SafetySettings::default(), Limits::default()).unwrap();
        let attributes = [KeyValue::new("service.name", "shop"), KeyValue::new("api.key", "hunter2")];
        let url = "https://opentelemetry.io/schemas/1.42.0";
        let resource = Resource::builder_empty().with_schema_url(attributes.clone(), url).build();
        let protected = safety.protected_resource(&resource);
        assert_eq!(protected.schema_url(), Some(url));
        assert_eq!(protected.get(&"api.key".into()), Some("REDACTED".into()));
        let without = Resource::builder_empty().with_attributes(attributes).build();
        assert_eq!(safety.protected_resource(&without).schema_url(), None);
    }
    #[test]
    fn a_protected_scope_has_all_else_as_it_was() {
        let safety = Safety::new(&SafetySettings::default(), Limits::default()).unwrap();
        let scope = |key: &'static str| {
            let attributes = [KeyValue::new("shop", "1"), KeyValue::new("api_key", key)];
            let builder =
                InstrumentationScope::builder("till").with_version("1.2").with_schema_url("https://a");
            builder.with_attributes(attributes).build()
        };
        let protected = safety.redactor.protected_scope(&scope("hunter2"));
        assert_eq!(protected.as_ref(), Some(&scope("REDACTED")));
        // Their equality is not about attributes.
        let attributes: Vec<_> = protected.iter().flat_map(|scope| scope.attributes().cloned()).collect();
        assert_eq!(attributes, [KeyValue::new("shop", "1"), KeyValue::new("api_key", "REDACTED")]);
        let plain =
            InstrumentationScope::builder("till").with_attributes([KeyValue::new("shop", "1")]).build();
        assert_eq!(safety.redactor.protected_scope(&plain), None);
    }
}
