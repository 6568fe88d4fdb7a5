//! B3, Zipkin's format: <https://github.com/openzipkin/b3-propagation>.

use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceId};

use super::remote::outgoing_decision;
use super::{OWS, RemoteDecision, hex, with_remote_parent};

const SINGLE: &str = "b3";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";
static FIELDS: LazyLock<[String; 5]> =
    LazyLock::new(|| [SINGLE, TRACE_ID, SPAN_ID, SAMPLED, FLAGS].map(str::to_owned));

/// B3 in one header (`b3`) or in several (`X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled`, `X-B3-Flags`).
///
/// Both forms are read, the single one first; they differ in what they write. The debug flag, a deferred decision and
/// a decision without ids (`b3: 0`) are kept for samplers, see [`remote_decision`](super::remote_decision). Trace ids
/// of 64 bits are padded with zeros. Without a span nothing is written.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otel_core::propagation::B3Propagator;
///
/// let debug = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d";
/// let context = B3Propagator::single().extract(&HashMap::from([("b3".to_owned(), debug.to_owned())]));
///
/// let mut outgoing = HashMap::new();
/// B3Propagator::multi().inject_context(&context, &mut outgoing);
/// assert_eq!(outgoing["x-b3-traceid"], "80f198ee56343ba864fe8b2a57d3eff7");
/// assert_eq!(outgoing["x-b3-flags"], "1");
/// ```
#[derive(Clone, Debug)]
pub struct B3Propagator {
    single: bool,
    multi: bool,
}

impl B3Propagator {
    /// Writes the header `b3`. Named `b3` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn single() -> Self {
        Self { single: true, multi: false }
    }

    /// Writes the headers `X-B3-*`. Named `b3multi` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn multi() -> Self {
        Self { single: false, multi: true }
    }

    /// Writes both forms.
    #[must_use]
    pub fn single_and_multi() -> Self {
        Self { single: true, multi: true }
    }
}

impl TextMapPropagator for B3Propagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span_context = span.span_context();
        if !span_context.is_valid() {
            return;
        }
        let decision = outgoing_decision(context, span_context);
        if self.single {
            injector.set(SINGLE, single_header(span_context, decision));
        }
        if self.multi {
            inject_multi(injector, span_context, decision);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        match extractor.get(SINGLE).and_then(parse_single).or_else(|| parse_multi(extractor)) {
            Some((trace_id, span_id, decision)) => with_remote_parent(context, trace_id, span_id, decision),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(match (self.single, self.multi) {
            (true, false) => &FIELDS[..1],
            (false, true) => &FIELDS[1..],
            _ => FIELDS.as_slice(),
        })
    }
}

/// Ids that are not valid stand for a decision that came without ids.
type Parent = (TraceId, SpanId, RemoteDecision);

fn parse_single(header: &str) -> Option<Parent> {
    let header = header.trim_matches(OWS);
    if let Some(decision) = parse_state(header) {
        return Some((TraceId::INVALID, SpanId::INVALID, decision));
    }
    let mut fields = header.split('-');
    let (trace_id, span_id) = (parse_trace_id(fields.next()?)?, parse_span_id(fields.next()?)?);
    let decision = match fields.next() {
        Some(state) => parse_state(state)?,
        None => RemoteDecision::Deferred,
    };
    // The parent's parent is of no use here, so what it looks like is not checked.
    let _parent_span_id = fields.next();
    fields.next().is_none().then_some((trace_id, span_id, decision))
}

fn parse_state(state: &str) -> Option<RemoteDecision> {
    match state {
        "0" => Some(RemoteDecision::NotSampled),
        "1" => Some(RemoteDecision::Sampled),
        "d" => Some(RemoteDecision::Debug),
        _ => None,
    }
}

fn parse_multi(extractor: &dyn Extractor) -> Option<Parent> {
    let decision = parse_multi_decision(extractor);
    match (extractor.get(TRACE_ID), extractor.get(SPAN_ID)) {
        (Some(trace_id), Some(span_id)) => Some((
            parse_trace_id(trace_id.trim_matches(OWS))?,
            parse_span_id(span_id.trim_matches(OWS))?,
            decision,
        )),
        (None, None) if decision != RemoteDecision::Deferred => {
            Some((TraceId::INVALID, SpanId::INVALID, decision))
        }
        _ => None,
    }
}

/// "Debug implies an accept decision". A decision that cannot be read is none: the ids are good without it.
fn parse_multi_decision(extractor: &dyn Extractor) -> RemoteDecision {
    if extractor.get(FLAGS).is_some_and(|flags| flags.trim_matches(OWS) == "1") {
        return RemoteDecision::Debug;
    }
    match extractor.get(SAMPLED).map(|sampled| sampled.trim_matches(OWS)) {
        // "Before this specification was written, some tracers propagated X-B3-Sampled as true or false."
        Some("1" | "true") => RemoteDecision::Sampled,
        Some("0" | "false") => RemoteDecision::NotSampled,
        _ => RemoteDecision::Deferred,
    }
}

/// 32 or 16 digits. The format says lower case; senders that write upper case are understood.
fn parse_trace_id(digits: &str) -> Option<TraceId> {
    let id = matches!(digits.len(), 16 | 32).then(|| hex::any_u128(digits.as_bytes()))??;
    (id != 0).then(|| TraceId::from(id))
}

fn parse_span_id(digits: &str) -> Option<SpanId> {
    let id = (digits.len() == 16).then(|| hex::any_u64(digits.as_bytes()))??;
    (id != 0).then(|| SpanId::from(id))
}

fn single_header(span_context: &SpanContext, decision: RemoteDecision) -> String {
    let mut header = *b"................................-................-.";
    hex::write_u128(&mut header[..32], u128::from_be_bytes(span_context.trace_id().to_bytes()));
    hex::write_u64(&mut header[33..49], u64::from_be_bytes(span_context.span_id().to_bytes()));
    let state = match decision {
        RemoteDecision::Debug => b'd',
        RemoteDecision::Sampled => b'1',
        RemoteDecision::NotSampled => b'0',
        RemoteDecision::Deferred => return hex::text(&header[..49]),
    };
    header[50] = state;
    hex::text(&header)
}

fn inject_multi(injector: &mut dyn Injector, span_context: &SpanContext, decision: RemoteDecision) {
    injector.set(TRACE_ID, hex::text_u128(u128::from_be_bytes(span_context.trace_id().to_bytes())));
    injector.set(SPAN_ID, hex::text_u64(u64::from_be_bytes(span_context.span_id().to_bytes())));
    match decision {
        // "Debug implies an accept decision, so don't also send the X-B3-Sampled header."
        RemoteDecision::Debug => injector.set(FLAGS, "1".to_owned()),
        RemoteDecision::Sampled => injector.set(SAMPLED, "1".to_owned()),
        RemoteDecision::NotSampled => injector.set(SAMPLED, "0".to_owned()),
        RemoteDecision::Deferred => {}
    }
}
