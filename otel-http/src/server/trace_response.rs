//! The ids of a request's span, told to callers that may know them.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use crate::HttpRequest;

pub(super) type MayKnow = Arc<dyn Fn(&HttpRequest<'_>, Option<SocketAddr>) -> bool + Send + Sync>;

/// <https://www.w3.org/TR/trace-context-2/#traceresponse-header>
static TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// What scripts of a browser can read: <https://www.w3.org/TR/server-timing/>
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Writes both headers, if there is a span.
pub(super) fn write(context: &Context, headers: &mut HeaderMap) {
    let span = context.span();
    let span_context = span.span_context();
    // Where no span is recorded, the ids are those of the caller's.
    if !span_context.is_valid() || span_context.is_remote() {
        return;
    }
    let flags = u8::from(span_context.is_sampled());
    let ids = format!("00-{}-{}-{flags:02x}", span_context.trace_id(), span_context.span_id());
    let timing = format!("traceparent;desc=\"{ids}\"");
    // A map at its limit keeps what it has.
    if let Ok(value) = HeaderValue::try_from(ids) {
        let _ = headers.try_insert(TRACERESPONSE.clone(), value);
    }
    if let Ok(value) = HeaderValue::try_from(timing) {
        let _ = headers.try_append(SERVER_TIMING.clone(), value);
    }
}
