//! Carriers, and what a context says in a form that is easy to compare.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use otel_core::propagation::{RemoteDecision, remote_decision};

/// Headers in their order, with duplicates. Like many carriers, `get` answers with the first of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

impl Pairs {
    pub(crate) fn new<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The same headers in a map of the `http` crate; `None` for what no such map can hold.
    pub(crate) fn to_header_map(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.0 {
            let value = HeaderValue::from_str(value).ok().filter(|value| value.to_str().is_ok())?;
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
        }
        Some(headers)
    }

    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.get(name)
    }
}

impl Extractor for Pairs {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let all = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let all: Vec<_> = all.map(|(_, value)| value.as_str()).collect();
        (!all.is_empty()).then_some(all)
    }
}

impl Injector for Pairs {
    fn set(&mut self, key: &str, value: String) {
        self.0.push((key.to_ascii_lowercase(), value));
    }
}

/// All that a context says to propagators and samplers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// `<trace id>-<span id>-<flags>` when there is a span.
    pub(crate) span: Option<String>,
    pub(crate) tracestate: String,
    pub(crate) decision: Option<RemoteDecision>,
    /// Key to value and metadata.
    pub(crate) baggage: BTreeMap<String, (String, String)>,
}

impl Said {
    pub(crate) fn by(context: &Context) -> Self {
        let span = context.span();
        let span_context = span.span_context();
        let ids = || {
            let flags = span_context.trace_flags();
            assert!(span_context.is_remote());
            format!("{}-{}-{flags:02x}", span_context.trace_id(), span_context.span_id())
        };
        let entries = context.baggage().iter();
        Self {
            span: span_context.is_valid().then(ids),
            tracestate: span_context.trace_state().header(),
            decision: remote_decision(context),
            baggage: entries
                .map(|(key, (value, metadata))| (key.to_string(), (value.to_string(), metadata.to_string())))
                .collect(),
        }
    }
}

pub(crate) fn extract(propagator: &dyn TextMapPropagator, headers: &dyn Extractor) -> Context {
    propagator.extract_with_context(&Context::new(), headers)
}

pub(crate) fn inject(propagator: &dyn TextMapPropagator, context: &Context) -> Pairs {
    let mut headers = Pairs::default();
    propagator.inject_context(context, &mut headers);
    headers
}
