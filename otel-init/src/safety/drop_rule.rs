//! Spans and log records that are not exported.

use std::borrow::Cow;

use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::SpanData;
use regex::Error;

use super::glob::Globs;

/// What is not exported although it was recorded, such as health checks. It is counted as filtered.
///
/// A dropped span leaves its children without a parent; not to record them at all, use a sampler.
///
/// ```
/// use otel_init::DropRule;
///
/// let health_checks = DropRule::attribute("url.path", "/health*");
/// let chatter = DropRule::log_body("heartbeat*");
/// # drop((health_checks, chatter));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRule(Subject);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    SpanName(String),
    LogBody(String),
    Attribute(String, String),
}

impl DropRule {
    /// Spans whose name `glob` fits: `*` stands for any characters, `?` for one, case does not matter.
    pub fn span_name(glob: impl Into<String>) -> Self {
        Self(Subject::SpanName(glob.into()))
    }

    /// Log records whose body is a text that `glob` fits.
    pub fn log_body(glob: impl Into<String>) -> Self {
        Self(Subject::LogBody(glob.into()))
    }

    /// Spans and log records with this attribute, if `glob` fits its value as text.
    pub fn attribute(key: impl Into<String>, glob: impl Into<String>) -> Self {
        Self(Subject::Attribute(key.into(), glob.into()))
    }
}

/// The rules, compiled.
#[derive(Debug)]
pub(crate) struct DropRules {
    span_names: Globs,
    log_bodies: Globs,
    attributes: Vec<(String, Globs)>,
}

impl DropRules {
    pub(crate) fn new(rules: &[DropRule]) -> Result<Self, Error> {
        let mut attributes = Vec::new();
        let (mut span_names, mut log_bodies) = (Vec::new(), Vec::new());
        for DropRule(subject) in rules {
            match subject {
                Subject::SpanName(glob) => span_names.push(glob),
                Subject::LogBody(glob) => log_bodies.push(glob),
                Subject::Attribute(key, glob) => attributes.push((key.clone(), Globs::new([glob])?)),
            }
        }
        Ok(Self { span_names: Globs::new(span_names)?, log_bodies: Globs::new(log_bodies)?, attributes })
    }

    pub(super) fn drops_span(&self, span: &SpanData) -> bool {
        self.span_names.is_match(&span.name)
            || self.drops_attributes(span.attributes.iter().map(|kv| (kv.key.as_str(), kv.value.as_str())))
    }

    pub(super) fn drops_log(&self, record: &SdkLogRecord) -> bool {
        let body = record.body().and_then(text_of);
        body.is_some_and(|body| self.log_bodies.is_match(&body))
            || self.drops_attributes(
                record.attributes_iter().filter_map(|(key, value)| Some((key.as_str(), text_of(value)?))),
            )
    }

    fn drops_attributes<'a>(&self, attributes: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> bool {
        if self.attributes.is_empty() {
            return false;
        }
        let mut attributes = attributes;
        attributes.any(|(key, text)| {
            self.attributes.iter().any(|(rule, globs)| rule == key && globs.is_match(&text))
        })
    }
}

fn text_of(value: &opentelemetry::logs::AnyValue) -> Option<Cow<'_, str>> {
    use opentelemetry::logs::AnyValue;
    match value {
        AnyValue::String(text) => Some(Cow::Borrowed(text.as_str())),
        AnyValue::Int(number) => Some(Cow::Owned(number.to_string())),
        AnyValue::Double(number) => Some(Cow::Owned(number.to_string())),
        AnyValue::Boolean(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}
