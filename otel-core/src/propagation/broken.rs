//! Where traces break.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::{Link, TraceContextExt};

/// Headers that carry a trace context in formats that are in use: W3C, B3, Jaeger, X-Ray, OpenTracing, Datadog, gRPC's of
/// old, Google Cloud's, Sentry's, Lightstep's, Elastic's, New Relic's, SkyWalking's, Dynatrace's, Instana's.
pub const TRACE_CONTEXT_HEADERS: [&str; 30] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "x-amzn-trace-id",
    "ot-tracer-traceid",
    "ot-tracer-spanid",
    "ot-tracer-sampled",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-origin",
    "x-datadog-tags",
    "grpc-trace-bin",
    "x-cloud-trace-context",
    "sentry-trace",
    "x-ot-span-context",
    "elastic-apm-traceparent",
    "newrelic",
    "sw8",
    "sw8-x",
    "x-dynatrace",
    "x-instana-t",
    "x-instana-s",
    "x-instana-l",
];

/// Why a request does not continue a trace of its caller, in a word for a metric: `absent` (no header), `invalid` (a header
/// of a known format that no propagator here could read), `restarted` (a public endpoint began anew). `None` if it does.
///
/// `context` and `links` are what [`receive`](super::receive) made of the headers.
///
/// ```
/// use http::HeaderMap;
/// use opentelemetry::Context;
/// use otel_core::propagation::why_not_continued;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(why_not_continued(&headers, &Context::new(), &[]), Some("absent"));
/// headers.insert("traceparent", "of another kind".parse()?);
/// assert_eq!(why_not_continued(&headers, &Context::new(), &[]), Some("invalid"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn why_not_continued(headers: &HeaderMap, context: &Context, links: &[Link]) -> Option<&'static str> {
    let has_header = || TRACE_CONTEXT_HEADERS.iter().any(|name| headers.contains_key(*name));
    match () {
        () if !links.is_empty() => Some("restarted"),
        () if context.span().span_context().is_remote() => None,
        () if has_header() => Some("invalid"),
        () => Some("absent"),
    }
}
