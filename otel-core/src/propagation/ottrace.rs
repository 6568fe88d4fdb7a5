//! The headers of OpenTracing's basic tracers: <https://opentelemetry.io/docs/specs/otel/context/api-propagators/>.

use std::borrow::Cow;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanId, TraceContextExt, TraceId};

use super::baggage::with_entries;
use super::remote::outgoing_decision;
use super::{OWS, RemoteDecision, hex, prefixed, with_remote_parent};

const TRACE_ID: &str = "ot-tracer-traceid";
const SPAN_ID: &str = "ot-tracer-spanid";
const SAMPLED: &str = "ot-tracer-sampled";
const ENTRY: &str = "ot-baggage-";
static FIELDS: LazyLock<[String; 3]> = LazyLock::new(|| [TRACE_ID, SPAN_ID, SAMPLED].map(str::to_owned));

/// OpenTracing: `ot-tracer-traceid`, `ot-tracer-spanid`, `ot-tracer-sampled`, baggage in `ot-baggage-*`.
///
/// The format has trace ids of 64 bits: what is written are the right-most 64, and nothing when those are all zero. Ids
/// may lack leading zeros. Baggage goes with a trace only; values that are no visible ASCII are left out.
#[derive(Clone, Debug, Default)]
pub struct OtTracePropagator {
    _private: (),
}

impl OtTracePropagator {
    /// The propagator.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TextMapPropagator for OtTracePropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span_context = span.span_context();
        let trace_id = u128::from_be_bytes(span_context.trace_id().to_bytes()) as u64;
        if !span_context.is_valid() || trace_id == 0 {
            return;
        }
        injector.set(TRACE_ID, hex::text_u64(trace_id));
        injector.set(SPAN_ID, hex::text_u64(u64::from_be_bytes(span_context.span_id().to_bytes())));
        match outgoing_decision(context, span_context) {
            RemoteDecision::Sampled | RemoteDecision::Debug => injector.set(SAMPLED, "true".to_owned()),
            RemoteDecision::NotSampled => injector.set(SAMPLED, "false".to_owned()),
            RemoteDecision::Deferred => {}
        }
        for (key, (value, _)) in context.baggage() {
            if is_visible(value.as_str()) {
                injector.set(&format!("{ENTRY}{key}"), value.as_str().to_owned());
            }
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some((trace_id, span_id)) = parse_ids(extractor) else { return context.clone() };
        let entries = prefixed::entries(extractor, ENTRY)
            .map(|(key, value)| (key, value.trim_matches(OWS)))
            .filter(|(_, value)| is_visible(value))
            .map(|(key, value)| (key, Cow::Borrowed(value), String::new()));
        let context = with_entries(context, entries);
        with_remote_parent(&context, trace_id, span_id, parse_decision(extractor))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

fn parse_ids(extractor: &dyn Extractor) -> Option<(TraceId, SpanId)> {
    let trace_id = hex::any_u128(extractor.get(TRACE_ID)?.trim_matches(OWS).as_bytes())?;
    let span_id = hex::any_u64(extractor.get(SPAN_ID)?.trim_matches(OWS).as_bytes())?;
    (trace_id != 0 && span_id != 0).then(|| (TraceId::from(trace_id), SpanId::from(span_id)))
}

/// A decision that cannot be read is none: the ids are good without it.
fn parse_decision(extractor: &dyn Extractor) -> RemoteDecision {
    match extractor.get(SAMPLED).map(|sampled| sampled.trim_matches(OWS)) {
        Some("1" | "true") => RemoteDecision::Sampled,
        Some("0" | "false") => RemoteDecision::NotSampled,
        _ => RemoteDecision::Deferred,
    }
}

fn is_visible(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
