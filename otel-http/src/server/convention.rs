//! The convention of an HTTP server span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use http::{StatusCode, header};
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use otel_core::{Attributes, Convention, ErrorType, InFlight};

use super::metrics::ServerMetrics;
use crate::HttpRequest;
use crate::cached::{Route, repeated_text};
use crate::method::{method_attribute, method_in_name, original_method};
use crate::protocol::{is_server_error, protocol_version, status_error};
use crate::url::{host_and_port, redact_query};

#[derive(Debug)]
pub(crate) struct ServerConvention {
    pub(crate) with_active_requests: bool,
}

/// A request with what the layer's hooks have found out about it.
#[derive(Debug)]
pub(crate) struct ServerRequest<'a> {
    pub(crate) http: HttpRequest<'a>,
    pub(crate) route: Option<Route>,
    pub(crate) peer: Option<SocketAddr>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ServerResponse<'a> {
    pub(crate) status: StatusCode,
    /// A route that was not known at the start.
    pub(crate) late_route: Option<&'a Route>,
}

impl Convention for ServerConvention {
    const SPAN_KIND: SpanKind = SpanKind::Server;
    type Request<'a> = ServerRequest<'a>;
    type Response<'a> = ServerResponse<'a>;
    type Metrics = ServerMetrics;

    fn metrics(&self, meter: &Meter) -> ServerMetrics {
        ServerMetrics::new(meter, self.with_active_requests)
    }

    fn span_name(&self, request: &ServerRequest<'_>) -> Cow<'static, str> {
        let method = method_in_name(request.http.method);
        match &request.route {
            Some(route) => route.span_name(method),
            None => Cow::Borrowed(method),
        }
    }

    fn on_start(&self, request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
        let http = &request.http;
        attributes.both("http.request.method", method_attribute(http.method));
        attributes.both("url.scheme", scheme(http));
        if let Some(route) = &request.route {
            attributes.both("http.route", route.value());
        }
        if let Some(version) = protocol_version(http.version) {
            attributes.both("network.protocol.version", version);
        }
        if attributes.wants_span() {
            url_attributes(http, attributes);
            address_attributes(request, attributes);
            if let Some(original) = original_method(http.method) {
                attributes.span("http.request.method_original", original);
            }
            if let Some(user_agent) = http.text(&header::USER_AGENT) {
                attributes.span("user_agent.original", repeated_text(user_agent));
            }
        }
    }

    fn in_flight(&self, metrics: &ServerMetrics, request: &ServerRequest<'_>) -> Option<InFlight> {
        let active = metrics.active.as_ref()?;
        let attributes = vec![
            KeyValue::new("http.request.method", method_attribute(request.http.method)),
            KeyValue::new("url.scheme", scheme(&request.http)),
        ];
        Some(InFlight::start(active.clone(), attributes))
    }

    fn on_response(
        &self,
        response: &ServerResponse<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        attributes.both("http.response.status_code", i64::from(response.status.as_u16()));
        if let Some(route) = response.late_route {
            attributes.both("http.route", route.value());
        }
        // "For HTTP status codes in the 4xx range span status MUST be left unset in case of SpanKind.SERVER".
        if is_server_error(response.status) { Err(status_error(response.status)) } else { Ok(()) }
    }

    fn record(&self, metrics: &ServerMetrics, elapsed: Duration, attributes: &[KeyValue], _: &Context) {
        metrics.duration.record(elapsed.as_secs_f64(), attributes);
    }
}

/// HTTP/2 says its scheme, HTTP/1.1 only in absolute form; without one the connection is plain.
fn scheme(request: &HttpRequest<'_>) -> &'static str {
    match request.url.scheme {
        Some("https") => "https",
        _ => "http",
    }
}

fn url_attributes(http: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
    attributes.span("url.path", http.url.path.to_owned());
    if let Some(query) = http.url.query {
        attributes.span("url.query", redact_query(query).into_owned());
    }
}

fn address_attributes(request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
    let server =
        request.http.url.host_and_port().or_else(|| host_and_port(request.http.text(&header::HOST)?));
    if let Some((address, port)) = server {
        attributes.span("server.address", repeated_text(address));
        if let Some(port) = port {
            attributes.span("server.port", i64::from(port));
        }
    }
    if let Some(peer) = request.peer {
        // Forwarding headers count only from trusted proxies; without one the peer is the client.
        let address = peer.ip().to_string();
        attributes.span("client.address", address.clone());
        attributes.span("network.peer.address", address);
        attributes.span("network.peer.port", i64::from(peer.port()));
    }
}
