//! `grpc-trace-bin`: how peers from before W3C Trace Context hand on a trace.

use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use otel_core::propagation::{RemoteDecision, with_remote_parent};

/// "Implementations MUST accept padded and un-padded values and should emit un-padded values."
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
pub(crate) const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const HEADER: &str = "grpc-trace-bin";

/// Reads and writes `grpc-trace-bin`, OpenCensus's binary format, for peers that know nothing newer.
///
/// [`with_grpc_trace_bin`](crate::GrpcServerLayerBuilder::with_grpc_trace_bin) uses it beside the layer's own
/// propagator, which is what a migration needs. As a propagator it can also be composed with others, as gRPC's proposal
/// A72 has it. The format knows no trace state.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otel_grpc::GrpcTraceBinPropagator;
///
/// let carrier = HashMap::from([(
///     "grpc-trace-bin".to_owned(),
///     "AABLsJMmwbZUaP2jVz7Dnd0KAf8LCwwNDg8QAgE".to_owned(),
/// )]);
/// let context = GrpcTraceBinPropagator::new().extract(&carrier);
/// assert!(context.span().span_context().is_sampled());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcTraceBinPropagator(());

impl GrpcTraceBinPropagator {
    /// The propagator.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl TextMapPropagator for GrpcTraceBinPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span_context = span.span_context();
        if span_context.is_valid() {
            injector.set(HEADER, ENGINE.encode(encode(span_context)));
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let decoded = extractor.get(HEADER).filter(|text| text.len() <= 128);
        let decoded = decoded.and_then(|text| ENGINE.decode(text).ok());
        let Some(remote) = decoded.and_then(|bytes| decode(&bytes)) else { return context.clone() };
        let decision = match remote.is_sampled() {
            true => RemoteDecision::Sampled,
            false => RemoteDecision::NotSampled,
        };
        with_remote_parent(context, remote.trace_id(), remote.span_id(), decision)
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [HEADER.to_owned()]);
        FieldIter::new(&*FIELDS)
    }
}

const LENGTH: usize = 29;

/// Version 0; then field 0, the trace id; field 1, the span id; field 2, the flags.
/// <https://github.com/census-instrumentation/opencensus-specs/blob/master/encodings/BinaryEncoding.md#trace-context>
fn encode(span_context: &SpanContext) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[2..18].copy_from_slice(&span_context.trace_id().to_bytes());
    bytes[18] = 1;
    bytes[19..27].copy_from_slice(&span_context.span_id().to_bytes());
    bytes[27] = 2;
    bytes[28] = u8::from(span_context.is_sampled());
    bytes
}

/// The fields come in this order; the flags may be missing, and what follows is of a later version.
fn decode(bytes: &[u8]) -> Option<SpanContext> {
    let rest = bytes.strip_prefix(&[0, 0])?;
    let (trace_id, rest) = rest.split_first_chunk::<16>()?;
    let (span_id, rest) = rest.strip_prefix(&[1])?.split_first_chunk::<8>()?;
    let is_sampled = matches!(rest, [2, flags, ..] if flags & 1 == 1);
    let flags = TraceFlags::NOT_SAMPLED.with_sampled(is_sampled);
    let (trace_id, span_id) = (TraceId::from_bytes(*trace_id), SpanId::from_bytes(*span_id));
    let remote = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
    remote.is_valid().then_some(remote)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use opentelemetry::propagation::TextMapCompositePropagator;
    use otel_core::propagation::TraceContextPropagator;
    use proptest::prelude::*;

    use super::*;

    fn carrier(bytes: &[u8], padded: bool) -> HashMap<String, String> {
        let text = match padded {
            true => base64::engine::general_purpose::STANDARD.encode(bytes),
            false => ENGINE.encode(bytes),
        };
        HashMap::from([(HEADER.to_owned(), text)])
    }

    fn extracted(bytes: &[u8], padded: bool) -> SpanContext {
        let context = GrpcTraceBinPropagator::new().extract(&carrier(bytes, padded));
        context.span().span_context().clone()
    }

    /// The example of OpenCensus's specification.
    const EXAMPLE: [u8; 29] = [
        0, 0, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 1, 97, 98, 99, 100, 101, 102,
        103, 104, 2, 1,
    ];

    #[test]
    fn the_example_of_the_specification_with_and_without_padding() {
        for padded in [false, true] {
            let span_context = extracted(&EXAMPLE, padded);
            assert_eq!(span_context.trace_id().to_string(), "404142434445464748494a4b4c4d4e4f");
            assert_eq!(span_context.span_id().to_string(), "6162636465666768");
            assert!(span_context.is_sampled() && span_context.is_remote());
        }
    }

    #[test]
    fn what_is_injected_is_extracted() {
        let context = Context::new().with_remote_span_context(decode(&EXAMPLE).unwrap());
        let mut carrier = HashMap::new();
        let propagator = GrpcTraceBinPropagator::new();
        propagator.inject_context(&context, &mut carrier);
        assert!(!carrier[HEADER].contains('='));
        let back = propagator.extract(&carrier);
        assert_eq!(back.span().span_context(), context.span().span_context());
        assert_eq!(propagator.fields().collect::<Vec<_>>(), [HEADER]);
    }

    #[test]
    fn a_composition_keeps_the_state_and_gives_no_trace_a_random_flag() {
        let traceparent = "00-404142434445464748494a4b4c4d4e4f-6162636465666768-01";
        for (state, expected) in [(Some("a=1"), Some("a=1")), (None, None)] {
            let mut carrier = HashMap::from([(HEADER.to_owned(), ENGINE.encode(EXAMPLE))]);
            if let Some(state) = state {
                carrier.insert("traceparent".to_owned(), traceparent.to_owned());
                carrier.insert("tracestate".to_owned(), state.to_owned());
            }
            let propagator = TextMapCompositePropagator::new(vec![
                Box::new(TraceContextPropagator::new()),
                Box::new(GrpcTraceBinPropagator::new()),
            ]);
            let context = propagator.extract(&carrier);
            // A span of this process, as an SDK starts it.
            let parent = context.span().span_context().clone();
            let own = SpanContext::new(
                parent.trace_id(),
                SpanId::from(7),
                TraceFlags::SAMPLED,
                false,
                parent.trace_state().clone(),
            );
            let mut sent = HashMap::new();
            propagator.inject_context(&context.with_remote_span_context(own), &mut sent);
            assert_eq!(sent["traceparent"], "00-404142434445464748494a4b4c4d4e4f-0000000000000007-01");
            assert_eq!(sent.get("tracestate").map(String::as_str), expected);
        }
    }

    #[test]
    fn flags_may_be_missing_and_ids_may_not() {
        assert!(!extracted(&EXAMPLE[..27], false).is_sampled());
        assert!(extracted(&EXAMPLE[..27], false).is_valid());
        assert!(extracted(&[&EXAMPLE[..], &[3, 4]].concat(), false).is_sampled());
        for length in [0, 1, 2, 17, 18, 19, 26] {
            assert!(!extracted(&EXAMPLE[..length], false).is_valid(), "{length}");
        }
        let mut other_version = EXAMPLE;
        other_version[0] = 1;
        assert!(!extracted(&other_version, false).is_valid());
        let mut no_trace = EXAMPLE;
        no_trace[2..18].fill(0);
        assert!(!extracted(&no_trace, false).is_valid());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let carrier = HashMap::from([(HEADER.to_owned(), text)]);
            let _ = GrpcTraceBinPropagator::new().extract(&carrier);
        }
    }
}
