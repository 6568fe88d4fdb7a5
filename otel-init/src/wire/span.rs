//! Spans: `Span` of `trace.proto`, as one entry of `ScopeSpans`.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

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
        ids(out, context);
        trace_state(out, 3, context);
        if span.parent_span_id != SpanId::INVALID {
            bytes(out, 4, &span.parent_span_id.to_bytes());
        }
        bytes(out, 5, span.name.as_bytes());
        uint(out, 6, kind(&span.span_kind));
        times(out, span);
        attributes(out, 9, &span.attributes);
        uint(out, 10, span.dropped_attributes_count.into());
        if !span.events.events.is_empty() || span.events.dropped_count > 0 {
            events(out, &span.events);
        }
        if !span.links.links.is_empty() || span.links.dropped_count > 0 {
            links(out, &span.links);
        }
        message(out, 15, |out| status(out, &span.status));
        fixed32(out, 16, flags(context, span.parent_span_is_remote));
    });
}

/// Fields 1 and 2. Their sizes are known, so they are written at once.
fn ids(out: &mut Vec<u8>, context: &SpanContext) {
    let mut fields = [0; 2 + 16 + 2 + 8];
    fields[..2].copy_from_slice(&[1 << 3 | 2, 16]);
    fields[2..18].copy_from_slice(&context.trace_id().to_bytes());
    fields[18..20].copy_from_slice(&[2 << 3 | 2, 8]);
    fields[20..].copy_from_slice(&context.span_id().to_bytes());
    out.extend_from_slice(&fields);
}

/// Fields 7 and 8, likewise.
fn times(out: &mut Vec<u8>, span: &SpanData) {
    let mut fields = [0; 1 + 8 + 1 + 8];
    fields[0] = 7 << 3 | 1;
    fields[1..9].copy_from_slice(&unix_nanos(span.start_time).to_le_bytes());
    fields[9] = 8 << 3 | 1;
    fields[10..].copy_from_slice(&unix_nanos(span.end_time).to_le_bytes());
    out.extend_from_slice(&fields);
}

/// Out of the way of spans that have none.
#[inline(never)]
fn events(out: &mut Vec<u8>, events: &SpanEvents) {
    for entry in &events.events {
        event(out, entry);
    }
    uint(out, 12, events.dropped_count.into());
}

/// Out of the way of spans that have none.
#[inline(never)]
fn links(out: &mut Vec<u8>, links: &SpanLinks) {
    for entry in &links.links {
        link(out, entry);
    }
    uint(out, 14, links.dropped_count.into());
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
        ids(out, context);
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
    if *context.trace_state() != TraceState::NONE {
        bytes(out, field, context.trace_state().header().as_bytes());
    }
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
    let nanos = since.as_secs().checked_mul(1_000_000_000);
    nanos.and_then(|nanos| nanos.checked_add(since.subsec_nanos().into())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::unix_nanos;

    #[test]
    fn a_time_that_does_not_fit_is_none() {
        let last = Duration::from_nanos(u64::MAX);
        assert_eq!(unix_nanos(UNIX_EPOCH + last), u64::MAX);
        assert_eq!(unix_nanos(UNIX_EPOCH + last + Duration::from_nanos(1)), 0);
        assert_eq!(unix_nanos(UNIX_EPOCH - last), 0);
    }
}
