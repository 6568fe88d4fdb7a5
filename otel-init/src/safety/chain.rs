//! The rules of one installation.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLoggerProvider};

use super::baggage::BaggageAttributes;
use super::drop_rule::{DropRule, DropRules};
use super::glob::Globs;
use super::limits::Limits;
use super::redaction::Redaction;
use super::redactor::Redactor;
use super::value::{SafeValue, Verdict};
use crate::InstallError;
use crate::error::InstallErrorKind;

/// What the code said.
#[derive(Debug, Clone, Default)]
pub(crate) struct SafetySettings {
    pub(crate) redaction: Redaction,
    pub(crate) drop_rules: Vec<DropRule>,
    pub(crate) baggage_attributes: Vec<String>,
}

/// The rules, compiled and shared by the processors of spans and logs.
#[derive(Debug)]
pub(crate) struct Safety {
    pub(crate) redactor: Arc<Redactor>,
    pub(super) limits: Limits,
    pub(super) drop_rules: DropRules,
    pub(super) baggage: BaggageAttributes,
    pub(super) blank_record: SdkLogRecord,
}

impl Safety {
    pub(crate) fn new(settings: &SafetySettings, limits: Limits) -> Result<Self, InstallError> {
        let redactor = Redactor::new(&settings.redaction)
            .map_err(|(rule, error)| invalid("a redaction rule", rule, &error))?;
        let drop_rules = DropRules::new(&settings.drop_rules)
            .map_err(|error| invalid("a drop rule", format!("{:?}", settings.drop_rules), &error))?;
        let baggage = Globs::new(&settings.baggage_attributes)
            .map_err(|error| invalid("the baggage keys", settings.baggage_attributes.join(", "), &error))?;
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
        })
    }

    /// How many values the redaction changed or removed.
    pub(crate) fn redacted(&self) -> u64 {
        self.redactor.redacted()
    }

    /// The resource under the same rules, but for limits and the list of allowed keys: it describes the service, and
    /// the operator wrote it.
    pub(crate) fn protected_resource(&self, resource: &Resource) -> Resource {
        let protected = resource.iter().filter_map(|(key, value)| {
            let decision = self.redactor.decide_allowed(key.as_str());
            match value.redacted(&decision, &self.redactor) {
                Verdict::Same => Some(KeyValue::new(key.clone(), value.clone())),
                Verdict::Changed(changed) => Some(KeyValue::new(key.clone(), changed)),
                Verdict::Drop => None,
            }
        });
        Resource::builder_empty().with_attributes(protected).build()
    }
}

fn invalid(setting: &'static str, value: String, error: &regex::Error) -> InstallError {
    InstallErrorKind::InvalidConfiguration { setting, value, reason: error.to_string() }.into()
}
