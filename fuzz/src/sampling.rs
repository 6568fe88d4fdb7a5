//! What the sampler reads: of a caller its entry of `tracestate` and the signed debug header, of the operator a file.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use otel_init::sampling::{DebugHeader, ParentThreshold, Probability, Sampling, SamplingChange};

/// The value of the entry `ot`; the first byte is the sampled flag. What is decided once is decided again by the next service.
pub fn ot_entry(data: &[u8]) {
    let Some((flags, entry)) = data.split_first() else { return };
    let Ok(state) = TraceState::from_key_value([("ot", String::from_utf8_lossy(entry))]) else { return };
    let sampler = Sampling::new(ParentThreshold::new(Probability::new(0.5))).without_parent().sampler();
    let first = decide(&sampler, TraceFlags::new(flags & 1), state);
    let second = decide(&sampler, flags_of(&first), first.trace_state.clone());
    let third = decide(&sampler, flags_of(&second), second.trace_state.clone());
    assert_eq!((&second.decision, &second.trace_state), (&third.decision, &third.trace_state));
    assert_eq!(first.decision, second.decision);
}

/// Bytes written over a good value; the first byte is where.
pub fn debug_header(data: &[u8]) {
    let Some((place, written)) = data.split_first() else { return };
    let header = DebugHeader::new("a key of at least 32 characters..");
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let good = header.sign(now + Duration::from_secs(60));
    let mut value = good.clone().into_bytes();
    let place = usize::from(*place) % value.len();
    let end = (place + written.len()).min(value.len());
    value.splice(place..end, written.iter().copied());
    let value = String::from_utf8_lossy(&value);
    let is_good = value.trim_matches([' ', '\t']).eq_ignore_ascii_case(&good);
    assert_eq!(header.accepts(&value, now), is_good, "{value:?}");
}

/// A change to what is sampled, as its file has it. What is read once is read again as the same.
pub fn sampler_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match (text.parse::<SamplingChange>(), text.parse::<SamplingChange>()) {
        (Ok(first), Ok(second)) => assert_eq!(format!("{first:?}"), format!("{second:?}")),
        (Err(first), Err(second)) => assert!(first == second && !first.to_string().is_empty()),
        (first, second) => panic!("{first:?} and then {second:?}"),
    }
}

fn decide(sampler: &impl ShouldSample, flags: TraceFlags, state: TraceState) -> SamplingResult {
    let trace_id = TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    let caller = SpanContext::new(trace_id, SpanId::from(7), flags, true, state);
    let parent = Context::new().with_remote_span_context(caller);
    sampler.should_sample(Some(&parent), trace_id, "GET /", &SpanKind::Server, &[], &[])
}

fn flags_of(result: &SamplingResult) -> TraceFlags {
    match result.decision {
        SamplingDecision::RecordAndSample => TraceFlags::SAMPLED,
        _ => TraceFlags::default(),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::drive;

    #[test]
    fn the_entry_of_tracestate() {
        drive(
            super::ot_entry,
            &["\u{1}th:8", "\u{0}th:0;rv:6e6d1a75832a2f", "\u{1}th:c;rv:abc;x:1", "\u{1}p:8;r:62"],
        );
    }

    #[test]
    fn the_debug_header() {
        drive(super::debug_header, &["\u{0}1", "\u{b}abc", "\u{0}"]);
    }

    #[test]
    fn the_file_of_the_sampler() {
        drive(
            super::sampler_file,
            &[
                r#"{"ratio": 0.2, "expires_after_seconds": 600}"#,
                r#"{"rules": [{"route": "/checkout*", "ratio": 1}, {"attribute": "a", "value": "g-?", "ratio": 0.5}]}"#,
            ],
        );
    }
}
