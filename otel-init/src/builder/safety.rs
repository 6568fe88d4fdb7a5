//! What must not leave the process.

use std::sync::Arc;
use std::time::Duration;

use super::TelemetryBuilder;
use crate::safety::AuditSettings;
use crate::{DropRule, Redaction, SpanSelector};

impl TelemetryBuilder {
    /// Sets which values are removed or changed before export. The default is [`Redaction::new`]: secrets are masked.
    pub fn with_redaction(mut self, redaction: Redaction) -> Self {
        self.settings.safety.redaction = redaction;
        self
    }

    /// Adds spans or log records that are not exported, such as health checks.
    pub fn with_drop_rule(mut self, rule: DropRule) -> Self {
        self.settings.safety.drop_rules.push(rule);
        self
    }

    /// Shows spans to a function, as they are exported: after the redaction. It runs on a thread of its own, with up to 1000
    /// spans waiting, and never delays the application; what it is too slow for is counted in
    /// [`Health::unaudited_spans`](crate::Health::unaudited_spans). A panic of it is told once.
    pub fn with_audit_hook(
        mut self,
        selector: SpanSelector,
        hook: impl Fn(&opentelemetry_sdk::trace::SpanData) + Send + Sync + 'static,
    ) -> Self {
        self.settings.safety.audits.push(AuditSettings { selector, function: Arc::new(hook) });
        self
    }

    /// Bounds how many spans of one trace are recorded in this process while any of them lives, so that a storm of retries
    /// is cut. Spans on top are not recorded, nor what is below them; they are counted in
    /// [`Health::cut_spans`](crate::Health::cut_spans), and one warning names the trace. No bound by default.
    pub fn with_max_spans_per_trace(mut self, spans: u64) -> Self {
        self.settings.safety.max_spans_per_trace = Some(spans);
        self
    }

    /// Bounds how deep spans may nest in this process, so that a recursion is cut; as
    /// [`with_max_spans_per_trace`](Self::with_max_spans_per_trace). No bound by default.
    pub fn with_max_span_depth(mut self, depth: u32) -> Self {
        self.settings.safety.max_span_depth = Some(depth);
        self
    }

    /// Keeps track of the spans that have not ended, up to 8,192 at once:
    /// [`Telemetry::open_spans`](crate::Telemetry::open_spans) lists them, and a log record `otel_init.span.open` tells of each
    /// that has been open for `after`, of the same again when it is twice as old, and of all that are open when the telemetry
    /// is shut down, because these are lost. They have the name and the attributes that the span started with. Each span
    /// costs a lock and a copy of these then. Off by default.
    pub fn with_open_spans(mut self, after: Duration) -> Self {
        self.settings.safety.open_spans = Some(after);
        self
    }

    /// Copies entries of the baggage to spans, when they start, and to log records. A glob says which: `*` stands for any
    /// characters, `?` for one, case does not matter. None is copied by default, because callers write them.
    pub fn with_baggage_attribute(mut self, glob: impl Into<String>) -> Self {
        self.settings.safety.baggage_attributes.push(glob.into());
        self
    }
}
