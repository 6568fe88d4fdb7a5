//! Jaeger's own format: <https://www.jaegertracing.io/docs/1.76/client-libraries/#propagation-format>.

use std::borrow::Cow;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceId};

use super::baggage::with_entries;
use super::remote::outgoing_decision;
use super::{OWS, RemoteDecision, hex, percent, prefixed, with_remote_parent};

const TRACE: &str = "uber-trace-id";
const ENTRY: &str = "uberctx-";
/// Entries that a person adds by hand, as `key=value,key=value`.
const ENTRIES_BY_HAND: &str = "jaeger-baggage";
static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [TRACE.to_owned()]);

const SAMPLED: u64 = 0x01;
const DEBUG: u64 = 0x02;

/// Jaeger: `uber-trace-id`, baggage in `uberctx-*` and `jaeger-baggage`.
///
/// The debug flag is kept for samplers, see [`remote_decision`](super::remote_decision). Ids may lack leading zeros.
/// Values of baggage are percent-encoded; the keys of received entries are in lower case, as names of headers are.
#[derive(Clone, Debug, Default)]
pub struct JaegerPropagator {
    _private: (),
}

impl JaegerPropagator {
    /// The propagator.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TextMapPropagator for JaegerPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        if span.span_context().is_valid() {
            let flags = match outgoing_decision(context, span.span_context()) {
                RemoteDecision::Debug => SAMPLED | DEBUG,
                RemoteDecision::Sampled => SAMPLED,
                RemoteDecision::NotSampled | RemoteDecision::Deferred => 0,
            };
            injector.set(TRACE, header(span.span_context(), flags));
        }
        for (key, (value, _)) in context.baggage() {
            let mut encoded = String::with_capacity(value.as_str().len());
            // A plus sign would arrive as a space: Jaeger's clients for Go and Java decode values as forms are decoded.
            percent::encode(&mut encoded, value.as_str(), |byte| byte.is_ascii_graphic() && byte != b'+');
            injector.set(&format!("{ENTRY}{key}"), encoded);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let by_hand = extractor.get(ENTRIES_BY_HAND).into_iter().flat_map(|list| list.split(','));
        let by_hand = by_hand.filter_map(|entry| entry.split_once('=')).map(|(key, value)| {
            (key.trim_matches(OWS).to_owned(), decode(value.trim_matches(OWS)), String::new())
        });
        let single = prefixed::entries(extractor, ENTRY);
        let single = single.map(|(key, value)| (key, decode(value.trim_matches(OWS)), String::new()));
        let context = with_entries(context, by_hand.chain(single));
        match extractor.get(TRACE).and_then(parse) {
            Some((trace_id, span_id, decision)) => with_remote_parent(&context, trace_id, span_id, decision),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// A value that is not percent-encoded is taken as it is: some clients send it so. For their sake a plus sign stays one, too.
fn decode(value: &str) -> Cow<'_, str> {
    percent::decode(value).unwrap_or(Cow::Borrowed(value))
}

fn parse(header: &str) -> Option<(TraceId, SpanId, RemoteDecision)> {
    // Clients that encode values encode the colons too.
    let header = percent::decode(header.trim_matches(OWS))?;
    let mut fields = header.split(':');
    let trace_id = hex::any_u128(fields.next()?.as_bytes())?;
    let span_id = hex::any_u64(fields.next()?.as_bytes())?;
    // "{parent-span-id}: [...] deprecated, most Jaeger clients ignore on the receiving side"
    let _parent_span_id = fields.next()?;
    let flags = fields.next().filter(|flags| flags.len() <= 2)?;
    let flags = hex::any_u64(flags.as_bytes())?;
    if fields.next().is_some() || trace_id == 0 || span_id == 0 {
        return None;
    }
    // "Bit 2 is the debug flag. Debug flag should only be set when the sampled flag is set."
    let decision = match (flags & SAMPLED != 0, flags & DEBUG != 0) {
        (true, true) => RemoteDecision::Debug,
        (true, false) => RemoteDecision::Sampled,
        (false, _) => RemoteDecision::NotSampled,
    };
    Some((TraceId::from(trace_id), SpanId::from(span_id), decision))
}

fn header(span_context: &SpanContext, flags: u64) -> String {
    let mut header = *b"................................:................:0:.";
    hex::write_u128(&mut header[..32], u128::from_be_bytes(span_context.trace_id().to_bytes()));
    hex::write_u64(&mut header[33..49], u64::from_be_bytes(span_context.span_id().to_bytes()));
    hex::write_u64(&mut header[52..], flags);
    hex::text(&header)
}
