//! W3C trace context, level 2: <https://www.w3.org/TR/trace-context-2/>.

use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId};

use super::remote::RemoteParent;
use super::tracestate::{self, Received};
use super::{OWS, RANDOM, RemoteDecision, hex};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
static FIELDS: LazyLock<[String; 2]> = LazyLock::new(|| [TRACEPARENT, TRACESTATE].map(str::to_owned));

/// The length of version 00: `00-<32 digits>-<16 digits>-<2 digits>`.
const LENGTH: usize = 55;

/// W3C trace context: `traceparent` and `tracestate`.
///
/// - A `traceparent` is read to the letter of the grammar. One that is not valid, or that comes twice, is no parent,
///   and then `tracestate` is not looked at.
/// - `tracestate` is joined over all its headers, its order is kept, and what the API's type cannot hold is passed on
///   nevertheless. More than 512 characters are shortened by whole members, the large ones first. An empty one is not
///   sent. The carriers for headers and environments then drop one that they held; another that did keeps it.
/// - The random flag of level 2 is passed on. A trace that began here gets it, because the ids of the SDK's generator
///   are random; see [`with_random_ids`](Self::with_random_ids).
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otel_core::propagation::TraceContextPropagator;
///
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03";
/// let headers = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
/// let propagator = TraceContextPropagator::new();
/// let context = propagator.extract(&headers);
/// assert!(context.span().span_context().is_sampled());
///
/// let mut outgoing = HashMap::new();
/// propagator.inject_context(&context, &mut outgoing);
/// assert_eq!(outgoing["traceparent"], parent);
/// ```
#[derive(Clone, Debug)]
pub struct TraceContextPropagator {
    random_ids: bool,
}

impl TraceContextPropagator {
    /// The propagator for a process whose trace ids are random.
    #[must_use]
    pub fn new() -> Self {
        Self { random_ids: true }
    }

    /// Whether the right-most 7 bytes of the trace ids of this process are random: the random flag of traces that begin
    /// here. Default: `true`, as the SDK's generator makes them. Set `false` for an id generator of another kind.
    #[must_use]
    pub fn with_random_ids(self, random_ids: bool) -> Self {
        Self { random_ids }
    }

    /// The flags to send: "vendors MUST set" all but these two "to zero".
    ///
    /// The SDK keeps no flag of its own and drops the remote one for spans that it does not record. So a trace without
    /// the flag is one of three: begun here, or begun elsewhere and the flag was lost, both random; or begun
    /// elsewhere without it, and then extraction left a note in the context.
    fn outgoing_flags(&self, context: &Context, span_context: &SpanContext) -> TraceFlags {
        let flags = span_context.trace_flags() & (TraceFlags::SAMPLED | RANDOM);
        if flags & RANDOM == RANDOM || span_context.is_remote() {
            return flags;
        }
        match RemoteParent::of_trace(context, span_context.trace_id()) {
            Some(parent) if parent.random => flags | RANDOM,
            None if self.random_ids => flags | RANDOM,
            _ => flags,
        }
    }

    fn attach(
        &self,
        context: &Context,
        extractor: &dyn Extractor,
        (trace_id, span_id, flags): (TraceId, SpanId, TraceFlags),
    ) -> Context {
        let received =
            extractor.get_all(TRACESTATE).map_or(Received::NOTHING, |headers| tracestate::read(&headers));
        let span_context = SpanContext::new(trace_id, span_id, flags, true, received.state);
        let random = flags & RANDOM == RANDOM;
        // The note costs three allocations, so it is left only where the span context, or what is assumed without a note,
        // does not say all.
        let is_assumed = random && self.random_ids;
        let earlier = context.get::<RemoteParent>();
        if is_assumed && received.whole.is_none() && earlier.is_none() {
            return context.with_remote_span_context(span_context);
        }
        let earlier = earlier.filter(|earlier| earlier.trace_id == trace_id).map(|earlier| earlier.decision);
        let decision = match earlier {
            Some(RemoteDecision::Debug) if flags.is_sampled() => RemoteDecision::Debug,
            _ => RemoteDecision::of(flags),
        };
        let parent = RemoteParent { trace_id, decision, random, tracestate: received.whole };
        context.with_value(parent).with_remote_span_context(span_context)
    }
}

impl Default for TraceContextPropagator {
    fn default() -> Self {
        Self::new()
    }
}

impl TextMapPropagator for TraceContextPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span_context = span.span_context();
        if !span_context.is_valid() {
            return;
        }
        injector.set(TRACEPARENT, traceparent(span_context, self.outgoing_flags(context, span_context)));
        let received = RemoteParent::of_trace(context, span_context.trace_id())
            .and_then(|parent| parent.tracestate.as_deref());
        if let Some(tracestate) = tracestate::write(span_context.trace_state(), received) {
            injector.set(TRACESTATE, tracestate);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        match only(extractor).and_then(parse) {
            Some(parent) => self.attach(context, extractor, parent),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// The one `traceparent`. Of two neither can be believed.
fn only(extractor: &dyn Extractor) -> Option<&str> {
    // Asked for all, because some carriers answer `get` with the first of several.
    match extractor.get_all(TRACEPARENT)?.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

fn parse(header: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let bytes = header.trim_matches(OWS).as_bytes();
    if bytes.len() < LENGTH || bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
        return None;
    }
    let known = match hex::lower_u8(&bytes[..2])? {
        0 if bytes.len() == LENGTH => TraceFlags::SAMPLED | RANDOM,
        0 | 0xff => return None,
        // "Parse the sampled bit of flags. Vendors MUST check that the 2 characters are either at the end of the string
        // or followed by a dash." Of other bits in versions to come nothing is known.
        _ if bytes.len() == LENGTH || bytes[LENGTH] == b'-' => TraceFlags::SAMPLED,
        _ => return None,
    };
    let trace_id = TraceId::from(hex::lower_u128(&bytes[3..35])?);
    let span_id = SpanId::from(hex::lower_u64(&bytes[36..52])?);
    let flags = TraceFlags::new(hex::lower_u8(&bytes[53..LENGTH])?) & known;
    (trace_id != TraceId::INVALID && span_id != SpanId::INVALID).then_some((trace_id, span_id, flags))
}

fn traceparent(span_context: &SpanContext, flags: TraceFlags) -> String {
    let mut header = *b"00-................................-................-..";
    hex::write_u128(&mut header[3..35], u128::from_be_bytes(span_context.trace_id().to_bytes()));
    hex::write_u64(&mut header[36..52], u64::from_be_bytes(span_context.span_id().to_bytes()));
    hex::write_u64(&mut header[53..], u64::from(flags.to_u8()));
    hex::text(&header)
}
