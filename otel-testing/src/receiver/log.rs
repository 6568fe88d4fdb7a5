//! Log records as they were received.

use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};

use super::ReceivedResource;
use super::convert::{attributes, hex_if_valid, resource, scope, value};
use crate::{AttributeValue, Attributes, Scope};

/// A log record as it was sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedLog {
    /// Who sent it.
    pub resource: Arc<ReceivedResource>,
    /// Which logger made it; for events of `tracing` its name is the target.
    pub scope: Arc<Scope>,
    /// Lower-case hex of the trace in which it was emitted.
    pub trace_id: Option<String>,
    /// Lower-case hex of the span in which it was emitted.
    pub span_id: Option<String>,
    /// Trace flags.
    pub flags: u32,
    /// When it happened, in nanoseconds since the Unix epoch; 0 if unknown.
    pub unix_nanos: u64,
    /// When it was seen by the sender, in nanoseconds since the Unix epoch.
    pub observed_unix_nanos: u64,
    /// 1 (trace) to 24 (fatal), 0 if not given: 9 is `INFO`, 13 `WARN`, 17 `ERROR`.
    pub severity_number: i32,
    /// The severity as the source spells it; empty if not given.
    pub severity_text: String,
    /// The body; [`AttributeValue::Empty`] if there is none.
    pub body: AttributeValue,
    /// Attributes, with their types.
    pub attributes: Attributes,
    /// The event name; empty if there is none.
    pub event_name: String,
}

impl ReceivedLog {
    /// `service.name` of the sender, or an empty text.
    #[must_use]
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// The body as text; empty when there is none, as displayed when it is not a text.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.body {
            AttributeValue::String(text) => text.clone(),
            AttributeValue::Empty => String::new(),
            other => other.to_string(),
        }
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
        self.attributes.get(key)
    }

    /// Whether the attribute `key` has this value, of this type.
    #[must_use]
    pub fn has(&self, key: &str, value: impl Into<AttributeValue>) -> bool {
        self.attributes.has(key, value)
    }
}

pub(super) fn flatten(logs: ResourceLogs, into: &mut Vec<Arc<ReceivedLog>>) {
    let resource = resource(logs.resource, logs.schema_url);
    for scope_logs in logs.scope_logs {
        let scope = scope(scope_logs.scope, scope_logs.schema_url);
        into.extend(scope_logs.log_records.into_iter().map(|log| Arc::new(received(&resource, &scope, log))));
    }
}

fn received(resource: &Arc<ReceivedResource>, scope: &Arc<Scope>, log: LogRecord) -> ReceivedLog {
    ReceivedLog {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id: hex_if_valid(&log.trace_id),
        span_id: hex_if_valid(&log.span_id),
        flags: log.flags,
        unix_nanos: log.time_unix_nano,
        observed_unix_nanos: log.observed_time_unix_nano,
        severity_number: log.severity_number,
        severity_text: log.severity_text,
        body: value(log.body),
        attributes: attributes(log.attributes),
        event_name: log.event_name,
    }
}
