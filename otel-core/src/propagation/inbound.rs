//! How far a caller is believed.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanContext, TraceContextExt};

use super::{is_sampling_forced, remote_decision, with_deferred_decision, with_forced_sampling};
use crate::Providers;
use crate::carrier::HeaderExtractor;

/// How far the callers of a server are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboundTrust {
    /// The caller's trace goes on, sampled or not as it said, with its baggage.
    #[default]
    Full,
    /// The caller's trace goes on, with its baggage; whether it is recorded is decided here.
    IgnoreSampledFlag,
    /// The request starts a trace of its own that links to the caller's; its baggage stays out.
    Public,
}

impl InboundTrust {
    /// As the two options of a server say it, `with_public_endpoint` and `with_sampled_flag_ignored`: the first counts more.
    ///
    /// ```
    /// use otel_core::propagation::InboundTrust;
    ///
    /// assert_eq!(InboundTrust::of(false, false), InboundTrust::Full);
    /// assert_eq!(InboundTrust::of(true, true), InboundTrust::Public);
    /// ```
    #[must_use]
    pub const fn of(public_endpoint: bool, sampled_flag_ignored: bool) -> Self {
        match (public_endpoint, sampled_flag_ignored) {
            (true, _) => Self::Public,
            (false, true) => Self::IgnoreSampledFlag,
            (false, false) => Self::Full,
        }
    }
}

/// The context that a request with these headers belongs to, and links to what it only refers to.
///
/// Whatever the trust, a wish for recording that was checked by its signature holds: see
/// [`with_forced_sampling`].
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::Context;
/// use opentelemetry::trace::TraceContextExt;
/// use otel_core::Providers;
/// use otel_core::propagation::{InboundTrust, TraceContextPropagator, receive};
///
/// let mut providers = Providers::global();
/// providers.set_propagator(TraceContextPropagator::new());
/// let mut headers = HeaderMap::new();
/// headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?);
/// let (context, links) = receive(&providers, Context::new(), &headers, InboundTrust::Public);
/// assert!(!context.span().span_context().is_valid());
/// assert_eq!(links.len(), 1);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn receive(
    providers: &Providers,
    current: Context,
    headers: &HeaderMap,
    trust: InboundTrust,
) -> (Context, Vec<Link>) {
    let headers = HeaderExtractor::new(headers);
    match trust {
        InboundTrust::Full => (providers.extract_headers(current, &headers), Vec::new()),
        InboundTrust::IgnoreSampledFlag => {
            (with_deferred_decision(&providers.extract_headers(current, &headers)), Vec::new())
        }
        InboundTrust::Public => {
            // Into an empty context: the server's own span is no origin of the request.
            let origin = providers.extract_headers(Context::new(), &headers);
            let caller = origin.span().span_context().clone();
            let links = caller.is_valid().then(|| Link::with_context(caller)).into_iter().collect();
            let context = current.with_remote_span_context(SpanContext::empty_context());
            (if is_sampling_forced(&origin) { with_forced_sampling(&context) } else { context }, links)
        }
    }
}

/// Whether a context has something for calls and spans made in it, even if the request itself is not observed: a span,
/// baggage, or a decision about sampling that came without a span.
pub(crate) fn hands_on(context: &Context) -> bool {
    context.has_active_span()
        || !context.baggage().is_empty()
        || remote_decision(context).is_some()
        || is_sampling_forced(context)
}

/// Whether a span of this process is current: on a server that of a layer further out, which has read what the caller sent.
/// A layer that does not observe the request leaves such a context as it is.
#[must_use]
pub fn has_local_span(context: &Context) -> bool {
    let span = context.span();
    span.span_context().is_valid() && !span.span_context().is_remote()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use opentelemetry::Context;
    use opentelemetry::baggage::BaggageExt;
    use opentelemetry::propagation::text_map_propagator::FieldIter;
    use opentelemetry::propagation::{Extractor, Injector, TextMapCompositePropagator, TextMapPropagator};
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

    use super::{InboundTrust, hands_on, receive};
    use crate::Providers;
    use crate::propagation::{
        BaggagePropagator, RemoteDecision, TraceContextPropagator, is_sampling_forced, remote_decision,
        with_forced_sampling,
    };

    /// A header that somebody checked.
    #[derive(Debug)]
    struct Checked;

    impl TextMapPropagator for Checked {
        fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

        fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
            if extractor.get("checked").is_some() { with_forced_sampling(context) } else { context.clone() }
        }

        fn fields(&self) -> FieldIter<'_> {
            FieldIter::new(&[])
        }
    }

    fn received(trust: InboundTrust, more: Option<&'static str>) -> (Context, usize) {
        let mut providers = Providers::global();
        providers.set_propagator(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
            Box::new(Checked),
        ]));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("tracestate", "ot=th:8,vendor=1"),
            ("baggage", "role=admin"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        if let Some(name) = more {
            headers.insert(name, "1".parse().unwrap());
        }
        let (context, links) = receive(&providers, Context::new(), &headers, trust);
        (context, links.len())
    }

    #[test]
    fn each_trust_takes_what_it_says() {
        let (full, links) = received(InboundTrust::Full, None);
        assert_eq!((remote_decision(&full), links), (Some(RemoteDecision::Sampled), 0));
        let (ignoring, links) = received(InboundTrust::IgnoreSampledFlag, None);
        assert_eq!((remote_decision(&ignoring), links), (Some(RemoteDecision::Deferred), 0));
        assert_eq!(ignoring.span().span_context().trace_id(), full.span().span_context().trace_id());
        assert_eq!(ignoring.span().span_context().trace_state(), full.span().span_context().trace_state());
        assert_eq!(ignoring.baggage().len(), 1);
        let (public, links) = received(InboundTrust::Public, None);
        assert_eq!((remote_decision(&public), links, public.baggage().len()), (None, 1, 0));
    }

    /// A span of a layer further out is no origin of the request, and no parent either.
    #[test]
    fn a_public_endpoint_begins_a_trace_whatever_is_current() {
        let mut providers = Providers::global();
        providers.set_propagator(TraceContextPropagator::new());
        let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
        let local = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE);
        let current = Context::new().with_remote_span_context(local);
        let (context, links) = receive(&providers, current, &HeaderMap::new(), InboundTrust::Public);
        assert!(!context.span().span_context().is_valid());
        assert!(links.is_empty());
    }

    #[test]
    fn a_checked_wish_comes_in_everywhere() {
        for trust in [InboundTrust::Full, InboundTrust::IgnoreSampledFlag, InboundTrust::Public] {
            assert!(is_sampling_forced(&received(trust, Some("checked")).0), "{trust:?}");
            assert!(!is_sampling_forced(&received(trust, None).0), "{trust:?}");
            assert!(hands_on(&received(trust, Some("checked")).0), "{trust:?}");
        }
    }
}
