//! Spans: `Span` of `trace.proto`, as one entry of `ScopeSpans`.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::protobuf::{bytes, fixed32, fixed64, long_message, message, uint};
use super::value::attributes;

/// The field of `ScopeSpans` and of `ScopeLogs` that an entry is.
pub(super) const ENTRY: u32 = 2;
/// "Bits 8 and 9 represent the 3 states of whether a span's parent is remote": known, and remote.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

pub(super) fn span(out: &mut Vec<u8>, span: &SpanData) {
    let context = &span.span_context;
    long_message(out, ENTRY, |out| {
        bytes(out, 1, &context.trace_id().to_bytes());
        bytes(out, 2, &context.span_id().to_bytes());
        trace_state(out, 3, context);
        if span.parent_span_id != SpanId::INVALID {
            bytes(out, 4, &span.parent_span_id.to_bytes());
        }
        bytes(out, 5, span.name.as_bytes());
        uint(out, 6, kind(&span.span_kind));
        fixed64(out, 7, unix_nanos(span.start_time));
        fixed64(out, 8, unix_nanos(span.end_time));
        attributes(out, 9, &span.attributes);
        uint(out, 10, span.dropped_attributes_count.into());
        for entry in &span.events.events {
            event(out, entry);
        }
        uint(out, 12, span.events.dropped_count.into());
        for entry in &span.links.links {
            link(out, entry);
        }
        uint(out, 14, span.links.dropped_count.into());
        message(out, 15, |out| status(out, &span.status));
        fixed32(out, 16, flags(context, span.parent_span_is_remote));
    });
}

fn event(out: &mut Vec<u8>, event: &Event) {
    message(out, 11, |out| {
        fixed64(out, 1, unix_nanos(event.timestamp));
        bytes(out, 2, event.name.as_bytes());
        attributes(out, 3, &event.attributes);
        uint(out, 4, event.dropped_attributes_count.into());
    });
}

fn link(out: &mut Vec<u8>, link: &Link) {
    let context = &link.span_context;
    message(out, 13, |out| {
        bytes(out, 1, &context.trace_id().to_bytes());
        bytes(out, 2, &context.span_id().to_bytes());
        trace_state(out, 3, context);
        attributes(out, 4, &link.attributes);
        uint(out, 5, link.dropped_attributes_count.into());
        fixed32(out, 6, flags(context, context.is_remote()));
    });
}

fn status(out: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => uint(out, 3, 1),
        Status::Error { description } => {
            bytes(out, 2, description.as_bytes());
            uint(out, 3, 2);
        }
    }
}

fn trace_state(out: &mut Vec<u8>, field: u32, context: &SpanContext) {
    // Mostly there is none, and the text is made anew each time.
    let text = context.trace_state().header();
    bytes(out, field, text.as_bytes());
}

fn flags(context: &SpanContext, is_remote: bool) -> u32 {
    let remote = if is_remote { HAS_IS_REMOTE | IS_REMOTE } else { HAS_IS_REMOTE };
    u32::from(context.trace_flags().to_u8()) | remote
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

/// Zero for what was before 1970, and what does not fit.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().wrapping_mul(1_000_000_000).wrapping_add(since.subsec_nanos().into())
}
