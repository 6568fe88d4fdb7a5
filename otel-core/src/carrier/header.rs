//! Header maps of HTTP and gRPC.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector};

/// The names that nearly every request is asked for. As a [`HeaderName`], a name is not parsed again each time.
static NAMES: [HeaderName; 3] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

const TRACEPARENT: usize = 0;
const TRACESTATE: usize = 1;
const BAGGAGE: usize = 2;

/// Headers whose values form one list when they come several times.
///
/// - <https://www.w3.org/TR/trace-context-2/#tracestate-header>: "multiple tracestate header fields [...] MUST be handled
///   as specified by RFC 9110, Section 5.3, Field Order".
/// - <https://www.w3.org/TR/baggage/#baggage-http-header-format>: "Multiple baggage headers are allowed. Values can be
///   combined in a single header according to RFC 7230."
const LISTS: [usize; 2] = [TRACESTATE, BAGGAGE];

/// Where a name stands in [`NAMES`].
fn known(name: &str) -> Option<usize> {
    match name {
        "traceparent" => Some(TRACEPARENT),
        "tracestate" => Some(TRACESTATE),
        "baggage" => Some(BAGGAGE),
        _ => None,
    }
}

/// Reads context from a [`HeaderMap`].
///
/// List headers that come several times are joined. Any other header that comes several times counts as absent: of two
/// different parents neither can be believed, "if the vendor failed to parse traceparent, it MUST NOT attempt to
/// parse tracestate" and starts a new trace.
///
/// ```
/// # use otel_core::carrier::HeaderExtractor;
/// # use opentelemetry::propagation::Extractor;
/// let mut headers = http::HeaderMap::new();
/// headers.append("tracestate", "a=1".parse()?);
/// headers.append("tracestate", "b=2".parse()?);
/// assert_eq!(HeaderExtractor::new(&headers).get("tracestate"), Some("a=1,b=2"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Debug)]
pub struct HeaderExtractor<'a> {
    headers: &'a HeaderMap,
    /// What stands in each of [`NAMES`].
    found: [Found<'a>; NAMES.len()],
    /// Made when they are asked for, which most requests' are not worth.
    joined: [OnceLock<Option<String>>; LISTS.len()],
}

#[derive(Clone, Copy, Debug)]
enum Found<'a> {
    Nothing,
    Once(&'a HeaderValue),
    Several,
}

impl<'a> HeaderExtractor<'a> {
    /// Reads from `headers`.
    #[must_use]
    pub fn new(headers: &'a HeaderMap) -> Self {
        Self { headers, found: find(headers), joined: [const { OnceLock::new() }; LISTS.len()] }
    }

    /// Whether one of the headers of W3C's trace context and baggage is there.
    pub(crate) fn has_w3c_headers(&self) -> bool {
        self.found.iter().any(|found| !matches!(found, Found::Nothing))
    }

    fn found(&self, key: &str) -> Found<'a> {
        match known(key) {
            Some(index) => self.found[index],
            None => self.headers.get_all(key).iter().fold(Found::Nothing, Found::and),
        }
    }
}

impl<'a> Found<'a> {
    fn and(self, value: &'a HeaderValue) -> Self {
        match self {
            Self::Nothing => Self::Once(value),
            Self::Once(_) | Self::Several => Self::Several,
        }
    }
}

/// More names than this are not looked through.
const MANY_HEADERS: usize = 24;

/// To look at all names once costs less than to look each of these up, which hashes it.
fn find(headers: &HeaderMap) -> [Found<'_>; NAMES.len()] {
    if headers.keys_len() > MANY_HEADERS {
        return NAMES.each_ref().map(|name| headers.get_all(name).iter().fold(Found::Nothing, Found::and));
    }
    let mut found = [Found::Nothing; NAMES.len()];
    for (name, value) in headers {
        if let Some(index) = known(name.as_str()) {
            found[index] = found[index].and(value);
        }
    }
    found
}

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match self.found(key) {
            Found::Nothing => None,
            Found::Once(value) => text(key, value),
            Found::Several => {
                let list = LISTS.iter().position(|list| NAMES[*list].as_str().eq_ignore_ascii_case(key))?;
                self.joined[list].get_or_init(|| join(self.headers, &NAMES[LISTS[list]])).as_deref()
            }
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.keys().map(HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        match self.found(key) {
            Found::Nothing => None,
            Found::Once(value) => Some(vec![text(key, value)?]),
            Found::Several => {
                Some(self.headers.get_all(key).iter().map(|value| text_of_several(key, value)).collect())
            }
        }
    }
}

/// Headers are ASCII, and propagators of others may cut them anywhere. Only in baggage, which people write by hand, does one
/// value of another language take no other with it.
fn text<'a>(key: &str, value: &'a HeaderValue) -> Option<&'a str> {
    match key.eq_ignore_ascii_case(NAMES[BAGGAGE].as_str()) {
        true => std::str::from_utf8(value.as_bytes()).ok(),
        false => value.to_str().ok(),
    }
}

/// A value that is no text still counts: two parents are none, and a list with it is not valid in whole.
fn text_of_several<'a>(key: &str, value: &'a HeaderValue) -> &'a str {
    text(key, value).unwrap_or("\u{fffd}")
}

fn join(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| text_of_several(name.as_str(), value)).collect();
    Some(values.join(","))
}

/// Writes context into a [`HeaderMap`], in place of what stood there.
///
/// A name or value that no header can hold is left out. What came with another parent, in a request that is forwarded,
/// goes when a new one is written: the state and the decision of that trace, its entries of baggage, the other form of B3.
/// "Vendors SHOULD clean up tracestate collection on traceparent restart."
/// <https://www.w3.org/TR/trace-context-2/#mutating-the-traceparent-field>
#[derive(Debug)]
pub struct HeaderInjector<'a> {
    headers: &'a mut HeaderMap,
    /// Which of [`NAMES`].
    written: [bool; NAMES.len()],
    /// Which of [`COMPANIONS`].
    companions: [bool; COMPANIONS.len()],
}

/// Headers that say more of the parent in other ones, or say the same in another form, and may be absent beside them.
static COMPANIONS: [(HeaderName, &[&str]); 8] = [
    (HeaderName::from_static("x-b3-sampled"), &["x-b3-traceid", "b3"]),
    (HeaderName::from_static("x-b3-flags"), &["x-b3-traceid", "b3"]),
    (HeaderName::from_static("x-b3-parentspanid"), &["x-b3-traceid", "b3"]),
    (HeaderName::from_static("x-b3-traceid"), &["b3"]),
    (HeaderName::from_static("x-b3-spanid"), &["b3"]),
    // The one that readers of both prefer.
    (HeaderName::from_static("b3"), &["x-b3-traceid"]),
    (HeaderName::from_static("ot-tracer-sampled"), &["ot-tracer-traceid"]),
    (HeaderName::from_static("jaeger-baggage"), &["uber-trace-id"]),
];

/// How the headers with one entry of baggage each begin, and the parent that is written before them.
const ENTRIES: [(&str, &str); 2] = [("uberctx-", "uber-trace-id"), ("ot-baggage-", "ot-tracer-traceid")];

impl<'a> HeaderInjector<'a> {
    /// Writes into `headers`.
    #[must_use]
    pub fn new(headers: &'a mut HeaderMap) -> Self {
        Self { headers, written: [false; NAMES.len()], companions: [false; COMPANIONS.len()] }
    }

    /// Whether the headers have baggage that was there before.
    pub(crate) fn has_old_baggage(&self) -> bool {
        !self.written[BAGGAGE] && self.headers.contains_key(&NAMES[BAGGAGE])
    }

    pub(crate) fn remove_baggage(&mut self) {
        self.headers.remove(&NAMES[BAGGAGE]);
    }

    /// W3C's, as nearly all that is written.
    fn write_known(&mut self, index: usize) -> HeaderName {
        self.written[index] = true;
        if index == TRACEPARENT && !self.written[TRACESTATE] {
            self.headers.remove(&NAMES[TRACESTATE]);
        }
        NAMES[index].clone()
    }

    #[cold]
    fn remove_companions_of(&mut self, key: &str) {
        for ((companion, parents), written) in COMPANIONS.iter().zip(&mut self.companions) {
            *written |= companion == key;
            if !*written && parents.contains(&key) {
                self.headers.remove(companion);
            }
        }
        for (start, _) in ENTRIES.iter().filter(|(_, parent)| *parent == key) {
            let is_entry = |name: &&HeaderName| name.as_str().starts_with(start);
            let entries: Vec<_> = self.headers.keys().filter(is_entry).cloned().collect();
            entries.iter().for_each(|name| drop(self.headers.remove(name)));
        }
    }
}

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = match known(key) {
            Some(index) => Ok(self.write_known(index)),
            None => {
                self.remove_companions_of(key);
                HeaderName::from_bytes(key.as_bytes())
            }
        };
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(bytes::Bytes::from(value))) {
            // A map at its limit keeps what it has: telemetry must not panic for want of room.
            let _ = self.headers.try_insert(name, value);
        }
    }

    fn reserve(&mut self, additional: usize) {
        let _ = self.headers.try_reserve(additional);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_many_headers_the_names_are_found_too() {
        let mut headers = headers(&[("traceparent", "00-a-b-01")]);
        for number in 0..100 {
            let name = HeaderName::try_from(format!("x-{number}")).unwrap();
            headers.insert(name, HeaderValue::from(number));
            let extractor = HeaderExtractor::new(&headers);
            assert_eq!(extractor.get("traceparent"), Some("00-a-b-01"), "{number}");
            assert_eq!(extractor.get("tracestate"), None);
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_single_value_is_read_in_any_case() {
        let headers = headers(&[("traceparent", "00-a-b-01")]);
        let extractor = HeaderExtractor::new(&headers);
        assert_eq!(extractor.get("TraceParent"), Some("00-a-b-01"));
        assert_eq!(extractor.get("tracestate"), None);
    }

    #[test]
    fn two_parents_are_no_parent() {
        let headers = headers(&[("traceparent", "00-a-b-01"), ("traceparent", "00-c-d-01")]);
        let extractor = HeaderExtractor::new(&headers);
        assert_eq!(extractor.get("traceparent"), None);
        assert_eq!(extractor.get_all("traceparent"), Some(vec!["00-a-b-01", "00-c-d-01"]));
    }

    #[test]
    fn lists_are_joined_in_their_order() {
        let headers = headers(&[("baggage", "a=1"), ("baggage", "b=2"), ("baggage", "c=3")]);
        assert_eq!(HeaderExtractor::new(&headers).get("baggage"), Some("a=1,b=2,c=3"));
    }

    #[test]
    fn bytes_that_are_no_text_are_absent() {
        let mut headers = HeaderMap::new();
        headers.insert("baggage", HeaderValue::from_bytes(b"a=\xff").unwrap());
        assert_eq!(HeaderExtractor::new(&headers).get("baggage"), None);
    }

    #[test]
    fn a_member_of_baggage_that_is_not_encoded_takes_no_other_with_it() {
        use crate::propagation::BaggagePropagator;
        use opentelemetry::baggage::BaggageExt;
        use opentelemetry::propagation::TextMapPropagator;

        let raw = HeaderValue::from_bytes("user=jos\u{e9},tenant=acme".as_bytes()).unwrap();
        let mut sent = HeaderMap::new();
        for _ in 0..2 {
            sent.append("baggage", raw.clone());
            let context = BaggagePropagator::new().extract(&HeaderExtractor::new(&sent));
            assert_eq!(context.baggage().get("tenant").map(|tenant| tenant.as_str()), Some("acme"));
            assert_eq!(context.baggage().len(), 1);
        }
        sent.insert("x-b3-traceid", raw);
        assert_eq!(HeaderExtractor::new(&sent).get("x-b3-traceid"), None, "others are ASCII");
    }

    #[test]
    fn one_of_two_parents_that_cannot_be_read_is_there_all_the_same() {
        use crate::propagation::TraceContextPropagator;
        use opentelemetry::propagation::TextMapPropagator;
        use opentelemetry::trace::TraceContextExt;

        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let unreadable = HeaderValue::from_bytes(b"\xff").unwrap();
        let extract = |headers: &HeaderMap| {
            let context = TraceContextPropagator::new().extract(&HeaderExtractor::new(headers));
            context.span().span_context().clone()
        };
        let mut twice = headers(&[("traceparent", parent)]);
        twice.append("traceparent", unreadable.clone());
        assert!(!extract(&twice).is_valid());
        let mut list = headers(&[("traceparent", parent), ("tracestate", "a=1")]);
        assert_eq!(extract(&list).trace_state().header(), "a=1");
        list.append("tracestate", unreadable);
        assert_eq!(extract(&list).trace_state().header(), "");
    }

    #[test]
    fn the_state_of_another_trace_does_not_stay_beside_a_new_parent() {
        use crate::propagation::TraceContextPropagator;
        use opentelemetry::Context;
        use opentelemetry::propagation::TextMapPropagator;
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

        for (state, expected) in [("", None), ("ot=th:8", Some("ot=th:8"))] {
            // A request that a gateway forwards, with what a stranger wrote into it.
            let mut headers =
                headers(&[("traceparent", "00-a-b-01"), ("tracestate", "ot=rv:0"), ("x-own", "1")]);
            let state: TraceState = state.parse().unwrap();
            let span = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, false, state);
            let context = Context::new().with_remote_span_context(span);
            TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector::new(&mut headers));
            assert_eq!(headers.get("tracestate").map(|state| state.to_str().unwrap()), expected);
            assert_eq!(headers.get_all("tracestate").iter().count(), expected.iter().len());
            assert_eq!(headers["x-own"], "1");
        }
        let mut kept = headers(&[("tracestate", "ot=rv:0")]);
        TraceContextPropagator::new().inject_context(&Context::new(), &mut HeaderInjector::new(&mut kept));
        assert_eq!(kept.len(), 1, "without a span nothing is written, and nothing is taken away");
    }

    #[test]
    fn the_decision_of_another_trace_does_not_stay_beside_new_ids() {
        use crate::propagation::{B3Propagator, OtTracePropagator, RemoteDecision, remote_decision};
        use opentelemetry::Context;
        use opentelemetry::propagation::TextMapPropagator;
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

        let span = SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::NOT_SAMPLED,
            false,
            TraceState::NONE,
        );
        let context = Context::new().with_remote_span_context(span);
        let (b3, ot) = (B3Propagator::multi(), OtTracePropagator::new());
        for (propagator, stale) in [
            (&b3 as &dyn TextMapPropagator, ("x-b3-flags", "1")),
            (&b3, ("x-b3-sampled", "1")),
            (&ot, ("ot-tracer-sampled", "true")),
        ] {
            let mut headers = headers(&[stale]);
            propagator.inject_context(&context, &mut HeaderInjector::new(&mut headers));
            let received = propagator.extract(&HeaderExtractor::new(&headers));
            assert_eq!(remote_decision(&received), Some(RemoteDecision::NotSampled), "{stale:?}");
        }
    }

    /// Whoever reads B3 looks at `b3` first, so a stranger's would win over what is written beside it.
    #[test]
    fn the_parent_of_another_trace_does_not_stay_beside_new_ids() {
        use crate::propagation::{B3Propagator, PropagatorRegistry};
        use opentelemetry::Context;
        use opentelemetry::propagation::TextMapPropagator;
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

        let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
        let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let context = Context::new().with_remote_span_context(span);
        for names in ["b3multi", "b3", "b3,b3multi", "b3multi,b3"] {
            let (propagator, _) = PropagatorRegistry::new().compose(names.split(','));
            let mut headers = headers(&[
                ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
                ("x-b3-parentspanid", "e457b5a2e4d86bd1"),
            ]);
            propagator.inject_context(&context, &mut HeaderInjector::new(&mut headers));
            let received = B3Propagator::single().extract(&HeaderExtractor::new(&headers));
            let received = received.span().span_context().clone();
            assert_eq!((received.trace_id(), received.span_id()), (trace_id, span_id), "{names}");
            assert_eq!(headers.contains_key("b3"), names != "b3multi", "{names}");
            assert!(!headers.contains_key("x-b3-parentspanid"), "{names}");
        }
    }

    #[test]
    fn neither_form_of_b3_nor_entries_of_another_trace_stay_beside_new_ids() {
        use crate::propagation::{B3Propagator, JaegerPropagator, OtTracePropagator};
        use opentelemetry::Context;
        use opentelemetry::baggage::BaggageExt;
        use opentelemetry::propagation::TextMapPropagator;
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

        let span =
            SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, false, TraceState::NONE);
        let context = Context::new().with_remote_span_context(span);
        let context = context.with_baggage([opentelemetry::KeyValue::new("own", "1")]);
        let stranger = [
            ("b3", "00000000000000000000000000000001-0000000000000002-d"),
            ("x-b3-traceid", "00000000000000000000000000000001"),
            ("x-b3-spanid", "0000000000000002"),
            ("x-b3-parentspanid", "0000000000000003"),
            ("x-b3-flags", "1"),
            ("uber-trace-id", "1:2:0:1"),
            ("uberctx-role", "admin"),
            ("jaeger-baggage", "role=admin"),
            ("ot-tracer-traceid", "0000000000000001"),
            ("ot-tracer-spanid", "0000000000000002"),
            ("ot-baggage-role", "admin"),
        ];
        let (single, multi) = (B3Propagator::single(), B3Propagator::multi());
        let (both, jaeger, ot) =
            (B3Propagator::single_and_multi(), JaegerPropagator::new(), OtTracePropagator::new());
        let readers: [&dyn TextMapPropagator; 5] = [&single, &multi, &both, &jaeger, &ot];
        for (writer, left) in [(0, "b3"), (1, "x-b3-"), (2, "b3"), (3, "uber"), (4, "ot-")] {
            let mut sent = headers(&stranger);
            readers[writer].inject_context(&context, &mut HeaderInjector::new(&mut sent));
            let received = readers[writer].extract(&HeaderExtractor::new(&sent));
            assert_eq!(received.span().span_context().trace_id(), TraceId::from(7), "{left}");
            assert_eq!(received.baggage().get("role"), None, "{left}");
            assert_eq!(received.baggage().len(), usize::from(writer > 2), "{left}");
            let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
            let own = sent.iter().filter(|(name, _)| name.as_str().contains(left));
            assert!(own.map(|(_, value)| text(value)).all(|value| !value.starts_with("0000000000000001")));
            assert_eq!(sent.contains_key("x-b3-traceid"), writer != 0, "{left}");
            assert_eq!(sent.contains_key("b3"), writer != 1, "{left}");
            assert_eq!(sent.contains_key("x-b3-parentspanid"), writer > 2, "{left}");
        }
    }

    #[test]
    fn the_state_may_be_written_before_its_parent() {
        let mut headers = HeaderMap::new();
        let mut injector = HeaderInjector::new(&mut headers);
        injector.set("tracestate", "a=1".into());
        injector.set("traceparent", "00-a-b-01".into());
        assert_eq!(headers["tracestate"], "a=1");
    }

    #[test]
    fn injecting_replaces_and_leaves_out_what_no_header_can_hold() {
        let mut headers = headers(&[("traceparent", "old"), ("traceparent", "older")]);
        let mut injector = HeaderInjector::new(&mut headers);
        injector.set("traceparent", "new".into());
        injector.set("trace state", "name with a space".into());
        injector.set("baggage", "line\nbreak".into());
        assert_eq!(headers.get_all("traceparent").iter().collect::<Vec<_>>(), ["new"]);
        assert_eq!(headers.len(), 1);
    }
}
