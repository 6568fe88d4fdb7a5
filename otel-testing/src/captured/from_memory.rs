//! From the SDK's types to the ones that are received.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

use crate::{
    Attributes, Log, Metric, ReceivedEvent, ReceivedLink, ReceivedLog, ReceivedMetric, ReceivedResource,
    ReceivedSpan, TestTelemetry,
};

pub(super) fn spans(telemetry: &TestTelemetry, resource: &Arc<ReceivedResource>) -> Vec<Arc<ReceivedSpan>> {
    let spans = telemetry.inner.spans.finished_in_order_of_start();
    spans.into_iter().map(|span| Arc::new(received_span(resource, span))).collect()
}

pub(super) fn open(telemetry: &TestTelemetry) -> HashMap<(String, String), String> {
    let open = telemetry.inner.spans.open_contexts().into_iter();
    open.map(|(context, name)| ((context.trace_id().to_string(), context.span_id().to_string()), name))
        .collect()
}

pub(super) fn logs(telemetry: &TestTelemetry) -> Vec<Arc<ReceivedLog>> {
    let resource = resource(telemetry);
    telemetry.logs().into_iter().map(|log| Arc::new(received_log(&resource, log))).collect()
}

pub(super) fn exports(telemetry: &TestTelemetry, metrics: &[Metric]) -> Vec<Arc<ReceivedMetric>> {
    let resource = resource(telemetry);
    let export = |metric: &Metric| ReceivedMetric { resource: Arc::clone(&resource), metric: metric.clone() };
    metrics.iter().map(|metric| Arc::new(export(metric))).collect()
}

pub(super) fn resource(telemetry: &TestTelemetry) -> Arc<ReceivedResource> {
    let resource = &telemetry.inner.resource;
    let attributes = resource.iter().map(|(key, value)| (key.as_str(), value.clone()));
    Arc::new(ReceivedResource {
        attributes: attributes.collect(),
        schema_url: resource.schema_url().unwrap_or_default().to_owned(),
    })
}

fn received_span(resource: &Arc<ReceivedResource>, span: SpanData) -> ReceivedSpan {
    let context = &span.span_context;
    // Bits 8 and 9: that it is known whether the parent is remote, and whether it is (OTLP, SpanFlags).
    let remote: u32 = if span.parent_span_is_remote { 0x300 } else { 0x100 };
    ReceivedSpan {
        resource: Arc::clone(resource),
        scope: Arc::new((&span.instrumentation_scope).into()),
        trace_id: context.trace_id().to_string(),
        span_id: context.span_id().to_string(),
        parent_span_id: (span.parent_span_id != SpanId::INVALID).then(|| span.parent_span_id.to_string()),
        trace_state: context.trace_state().header(),
        flags: u32::from(context.trace_flags().to_u8()) | remote,
        kind: span.span_kind,
        start_unix_nanos: unix_nanos(span.start_time),
        end_unix_nanos: unix_nanos(span.end_time),
        attributes: span.attributes.iter().collect(),
        dropped_attributes: span.dropped_attributes_count,
        events: span
            .events
            .iter()
            .map(|event| ReceivedEvent {
                unix_nanos: unix_nanos(event.timestamp),
                name: event.name.to_string(),
                attributes: event.attributes.iter().collect(),
            })
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| ReceivedLink {
                trace_id: link.span_context.trace_id().to_string(),
                span_id: link.span_context.span_id().to_string(),
                trace_state: link.span_context.trace_state().header(),
                attributes: link.attributes.iter().collect(),
            })
            .collect(),
        name: span.name.into_owned(),
        status: span.status,
    }
}

fn received_log(resource: &Arc<ReceivedResource>, log: Log) -> ReceivedLog {
    ReceivedLog {
        resource: Arc::clone(resource),
        trace_id: log.trace_id.map(|id| id.to_string()),
        span_id: log.span_id.map(|id| id.to_string()),
        flags: 0,
        unix_nanos: log.timestamp.map(unix_nanos).unwrap_or_default(),
        observed_unix_nanos: 0,
        severity_number: log.severity.map(|severity| severity as i32).unwrap_or_default(),
        severity_text: log.severity_text.unwrap_or_default().to_owned(),
        body: log.body.unwrap_or_default(),
        attributes: log.attributes.iter().map(|(key, value)| (key, value.clone())).collect::<Attributes>(),
        event_name: log.event_name.unwrap_or_default().to_owned(),
        // OTLP has no target: exporters send it as the name of the scope.
        scope: Arc::new(match log.target.is_empty() {
            true => log.scope,
            false => crate::Scope { name: log.target, ..log.scope },
        }),
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
