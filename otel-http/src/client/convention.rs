//! The convention of an HTTP client span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span>

use std::borrow::Cow;
use std::time::Duration;

use http::{StatusCode, Version, header};
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use otel_core::{Attributes, Convention, ErrorType};

use super::metrics::ClientMetrics;
use crate::HttpRequest;
use crate::cached::repeated_text;
use crate::method::{method_attribute, method_in_name, original_method};
use crate::protocol::{protocol_version, status_error};
use crate::url::host_and_port;

#[derive(Debug)]
pub(crate) struct ClientConvention;

/// A response's head.
#[derive(Debug)]
pub(crate) struct ClientResponse {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
}

impl Convention for ClientConvention {
    const SPAN_KIND: SpanKind = SpanKind::Client;
    type Request<'a> = HttpRequest<'a>;
    type Response<'a> = ClientResponse;
    type Metrics = ClientMetrics;
    type Tally = ();

    fn metrics(&self, meter: &Meter) -> ClientMetrics {
        ClientMetrics::new(meter)
    }

    fn span_name(&self, request: &HttpRequest<'_>) -> Cow<'static, str> {
        Cow::Borrowed(method_in_name(request.method))
    }

    fn on_start(&self, request: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
        attributes.both("http.request.method", method_attribute(request.method));
        server_attributes(request, attributes);
        if attributes.wants_span() {
            attributes.span("url.full", request.url.full());
            if let Some(original) = original_method(request.method) {
                attributes.span("http.request.method_original", original);
            }
        }
    }

    fn on_response(
        &self,
        response: &ClientResponse,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        attributes.both("http.response.status_code", i64::from(response.status.as_u16()));
        if let Some(version) = protocol_version(response.version) {
            attributes.both("network.protocol.version", version);
        }
        // "For HTTP status codes in the 4xx range span status [...] SHOULD be set to Error in case of SpanKind.CLIENT".
        if response.status.as_u16() >= 400 { Err(status_error(response.status)) } else { Ok(()) }
    }

    fn record(
        &self,
        metrics: &ClientMetrics,
        elapsed: Duration,
        (): &(),
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.duration.record(elapsed.as_secs_f64(), attributes);
    }
}

/// The server that is called: of the URL, or of the `Host` header when the URL has none. Both attributes are on the
/// metric too, which is safe here: the application chooses whom it calls.
fn server_attributes(request: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
    let server = request.url.host_and_port().or_else(|| host_and_port(request.text(&header::HOST)?));
    let Some((address, port)) = server else { return };
    attributes.both("server.address", repeated_text(address));
    if let Some(port) = port.or(request.url.default_port()) {
        attributes.both("server.port", i64::from(port));
    }
}
