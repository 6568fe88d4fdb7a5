//! Log records on their way to the queue.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord, Severity};
use opentelemetry::{Context, InstrumentationScope, Key};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use crate::Signal;
use crate::subscriber::span_fields;

use super::attributes::{judged, keep_last};
use super::chain::Safety;
use super::intake::{Admitted, Lanes};
use super::value::{Verdict, redacted_body};

/// sqlx logs statements as they are sent, with their literals; slow ones as warnings. Spans of otel-db have their text without.
const STATEMENT_LOG: &str = "sqlx::query";
const STATEMENT_KEYS: [&str; 2] = ["summary", "db.statement"];

/// Protects log records and hands them on, to each destination.
#[derive(Debug)]
pub(crate) struct SafeLogProcessor<P> {
    safety: Arc<Safety>,
    lanes: Lanes<P>,
}

impl<P> SafeLogProcessor<P> {
    pub(crate) fn new(safety: Arc<Safety>, lanes: Lanes<P>) -> Self {
        Self { safety, lanes }
    }
}

impl<P: LogProcessor> LogProcessor for SafeLogProcessor<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        let live = &self.safety.live;
        let is_dropped_now = !live.is_untouched()
            && (live.is_off(Signal::Logs) || live.is_dropped(|rules| rules.drops_log(record)));
        if is_dropped_now || self.safety.drop_rules.drops_log(record) {
            self.lanes.filter();
            return;
        }
        let admitted = self.lanes.admit();
        if admitted.is_empty() {
            return;
        }
        // After the drop rules, which may ask for what goes.
        self.safety.tidy(record);
        span_fields::add_to(record);
        Context::map_current(|context| {
            for attribute in self.safety.baggage.of(context) {
                record.add_attribute(attribute.key, AnyValue::from(attribute.value.as_str().into_owned()));
            }
        });
        if live.leaves_attributes_off() {
            self.safety.retain(record, |key| !live.leaves_off(key.as_str()));
        }
        if self.safety.redactor.hides_secrets()
            && record.target().is_some_and(|target| target == STATEMENT_LOG)
        {
            self.safety.retain(record, |key| !STATEMENT_KEYS.contains(&key.as_str()));
        }
        self.safety.protect_log(record);
        let protected = self.safety.redactor.protected_scope(scope);
        let scope = protected.as_ref().unwrap_or(scope);
        match admitted {
            // The processor takes a copy.
            Admitted::One(lane) => lane.into_iter().for_each(|lane| lane.processor.emit(record, scope)),
            Admitted::Some(lanes) => lanes.iter().for_each(|lane| lane.processor.emit(record, scope)),
        }
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.lanes.any(|processor| processor.event_enabled(level, target, name))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.lanes.each(P::force_flush)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.lanes.end(|processor| processor.shutdown_with_timeout(timeout))
    }
}

impl Safety {
    fn protect_log(&self, record: &mut SdkLogRecord) {
        // "[Limits] do not apply to values within other data structures such as LogRecord.Body".
        // <https://opentelemetry.io/docs/specs/otel/common/#attribute-limits>
        if let Some(redacted) = record.body().and_then(|body| redacted_body(body, &self.redactor)) {
            self.redactor.count();
            record.set_body(redacted);
        }
        // One that was made while the service runs: literals, as those of `tracing`, hold no secrets.
        if let Some(Cow::Owned(target)) = record.target()
            && let Some(redacted) = self.redactor.name(target)
        {
            record.set_target(redacted);
        }
        if let Some(attributes) = self.protected(record) {
            *record = self.rebuilt(record, attributes);
        }
    }

    /// The attributes as they should be, if they are not.
    fn protected(&self, record: &SdkLogRecord) -> Option<Vec<(Key, AnyValue)>> {
        let limits = self.limits.log;
        let verdicts: Vec<_> = record
            .attributes_iter()
            .map(|(key, value)| (key, value, judged(key.as_str(), value, &self.redactor, limits)))
            .collect();
        let mut keys: Vec<&Key> = verdicts.iter().map(|(key, _, _)| *key).collect();
        let count = keys.len();
        keep_last(&mut keys, |key| key);
        let is_fine = keys.len() == count
            && count <= limits.count
            && verdicts.iter().all(|(_, _, verdict)| matches!(verdict, Verdict::Same));
        if is_fine {
            return None;
        }
        // Duplicates first, so that the value which counts is the one that was judged.
        let mut last = verdicts;
        keep_last(&mut last, |(key, _, _)| key);
        let kept = last.into_iter().filter_map(|(key, value, verdict)| match verdict {
            Verdict::Same => Some((key.clone(), value.clone())),
            Verdict::Changed(changed) => Some((key.clone(), changed)),
            Verdict::Drop => None,
        });
        Some(kept.take(limits.count).collect())
    }

    /// Takes away the attributes that are not kept.
    pub(super) fn retain(&self, record: &mut SdkLogRecord, is_kept: impl Fn(&Key) -> bool) {
        if record.attributes_iter().all(|(key, _)| is_kept(key)) {
            return;
        }
        let kept = record.attributes_iter().filter(|(key, _)| is_kept(key));
        let kept = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        *record = self.rebuilt(record, kept);
    }

    /// The same record with other attributes: they cannot be changed in place.
    fn rebuilt(&self, record: &SdkLogRecord, attributes: Vec<(Key, AnyValue)>) -> SdkLogRecord {
        let mut rebuilt = self.blank_record.clone();
        if let Some(name) = record.event_name() {
            rebuilt.set_event_name(name);
        }
        if let Some(target) = record.target() {
            rebuilt.set_target(target.clone());
        }
        if let Some(timestamp) = record.timestamp() {
            rebuilt.set_timestamp(timestamp);
        }
        if let Some(timestamp) = record.observed_timestamp() {
            rebuilt.set_observed_timestamp(timestamp);
        }
        if let Some(context) = record.trace_context() {
            rebuilt.set_trace_context(context.trace_id, context.span_id, context.trace_flags);
        }
        if let Some(text) = record.severity_text() {
            rebuilt.set_severity_text(text);
        }
        if let Some(number) = record.severity_number() {
            rebuilt.set_severity_number(number);
        }
        if let Some(body) = record.body() {
            rebuilt.set_body(body.clone());
        }
        rebuilt.add_attributes(attributes);
        rebuilt
    }
}
