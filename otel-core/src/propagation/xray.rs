//! AWS X-Ray: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.

use std::borrow::Cow;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceId};

use super::baggage::with_entries;
use super::remote::outgoing_decision;
use super::{RemoteDecision, hex, with_remote_parent};

const HEADER: &str = "X-Amzn-Trace-Id";
static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [HEADER.to_owned()]);

/// The field, and the key of the baggage entry, by which AWS Lambda finds loops.
const LINEAGE: &str = "Lineage";
/// The length of a header without lineage.
const LENGTH: usize = 75;

/// AWS X-Ray: `X-Amzn-Trace-Id`.
///
/// `Sampled=?` and an absent `Sampled` leave the decision to the receiver, see
/// [`remote_decision`](super::remote_decision). A `Lineage` becomes an entry of the baggage and is written back from
/// there. Other fields are ignored.
#[derive(Clone, Debug, Default)]
pub struct XRayPropagator {
    _private: (),
}

impl XRayPropagator {
    /// The propagator.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TextMapPropagator for XRayPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span_context = span.span_context();
        if !span_context.is_valid() {
            return;
        }
        let mut header = header(span_context, outgoing_decision(context, span_context));
        if let Some(lineage) = context.baggage().get(LINEAGE).filter(|lineage| is_lineage(lineage.as_str())) {
            header.push_str(";Lineage=");
            header.push_str(lineage.as_str());
        }
        injector.set(HEADER, header);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some(parent) = extractor.get(HEADER).and_then(parse) else { return context.clone() };
        let lineage = parent.lineage.map(|value| (LINEAGE.to_owned(), Cow::Borrowed(value), String::new()));
        let context = with_entries(context, lineage.into_iter());
        with_remote_parent(&context, parent.trace_id, parent.span_id, parent.decision)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

struct Parent<'a> {
    trace_id: TraceId,
    span_id: SpanId,
    decision: RemoteDecision,
    lineage: Option<&'a str>,
}

fn parse(header: &str) -> Option<Parent<'_>> {
    let (mut root, mut parent, mut lineage) = (None, None, None);
    let mut decision = RemoteDecision::Deferred;
    for field in header.split(';') {
        let Some((name, value)) = field.split_once('=') else { continue };
        let value = value.trim();
        match name.trim() {
            "Root" => root = Some(parse_root(value)?),
            "Parent" => parent = Some(parse_parent(value)?),
            "Sampled" => decision = parse_decision(value),
            LINEAGE => lineage = Some(value).filter(|value| is_lineage(value)),
            _ => {}
        }
    }
    Some(Parent { trace_id: root?, span_id: parent?, decision, lineage })
}

/// `1-<seconds, 8 digits>-<24 digits>`; the seconds may lack leading zeros.
fn parse_root(root: &str) -> Option<TraceId> {
    let (seconds, unique) = root.strip_prefix("1-")?.split_once('-')?;
    if seconds.len() > 8 || unique.len() != 24 {
        return None;
    }
    let (seconds, unique) = (hex::any_u64(seconds.as_bytes())?, hex::any_u128(unique.as_bytes())?);
    let id = (u128::from(seconds) << 96) | unique;
    (id != 0).then(|| TraceId::from(id))
}

fn parse_parent(parent: &str) -> Option<SpanId> {
    let id = (parent.len() == 16).then(|| hex::any_u64(parent.as_bytes()))??;
    (id != 0).then(|| SpanId::from(id))
}

/// `?` asks the receiver to decide. A decision that cannot be read is none: the ids are good without it.
fn parse_decision(sampled: &str) -> RemoteDecision {
    match sampled {
        "1" => RemoteDecision::Sampled,
        "0" => RemoteDecision::NotSampled,
        _ => RemoteDecision::Deferred,
    }
}

/// `<requests, up to 32767>:<hash, 8 digits>:<loops, up to 255>`
fn is_lineage(value: &str) -> bool {
    let number = |text: &str, max: u16| {
        text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u16>().is_ok_and(|number| number <= max)
    };
    let mut parts = value.split(':');
    let (Some(requests), Some(hash), Some(loops), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    number(requests, 32767)
        && hash.len() == 8
        && hex::any_u64(hash.as_bytes()).is_some()
        && number(loops, 255)
}

fn header(span_context: &SpanContext, decision: RemoteDecision) -> String {
    let mut digits = [0; 48];
    hex::write_u128(&mut digits[..32], u128::from_be_bytes(span_context.trace_id().to_bytes()));
    hex::write_u64(&mut digits[32..], u64::from_be_bytes(span_context.span_id().to_bytes()));
    let digits = std::str::from_utf8(&digits).unwrap_or_default();
    let mut header = String::with_capacity(LENGTH);
    header.push_str("Root=1-");
    header.push_str(&digits[..8]);
    header.push('-');
    header.push_str(&digits[8..32]);
    header.push_str(";Parent=");
    header.push_str(&digits[32..]);
    header.push_str(match decision {
        RemoteDecision::Sampled | RemoteDecision::Debug => ";Sampled=1",
        RemoteDecision::NotSampled => ";Sampled=0",
        RemoteDecision::Deferred => ";Sampled=?",
    });
    header
}
