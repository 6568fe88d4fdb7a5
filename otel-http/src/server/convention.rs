//! The convention of an HTTP server span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, Key, KeyValue};
use otel_core::{Attributes, Convention, ErrorType, InFlight};

use super::metrics::ServerMetrics;
use crate::cached::{Route, repeated_text};
use crate::forwarded::Forwarded;
use crate::header::HeaderCapture;
use crate::hook::call_hook;
use crate::method::{method_attribute, method_in_name, original_method};
use crate::protocol::{is_server_error, protocol_version, status_error};
use crate::url::{bounded, host_and_port, redact_query};
use crate::{HttpRequest, HttpResponse};

type SpanNameOf = Arc<dyn Fn(&HttpRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync>;
type AddFromRequest = Arc<dyn Fn(&HttpRequest<'_>, &mut Attributes<'_>) + Send + Sync>;
type AddFromResponse = Arc<dyn Fn(&HttpResponse<'_>, &mut Attributes<'_>) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct ServerConvention {
    pub(super) with_active_requests: bool,
    pub(super) with_body_sizes: bool,
    pub(super) request_headers: HeaderCapture,
    pub(super) response_headers: HeaderCapture,
    pub(super) baggage_keys: Vec<String>,
    pub(super) span_name: Option<SpanNameOf>,
    pub(super) add_request: Option<AddFromRequest>,
    pub(super) add_response: Option<AddFromResponse>,
}

/// A request with what the layer has found out about it.
#[derive(Debug)]
pub(crate) struct ServerRequest<'a> {
    pub(super) http: HttpRequest<'a>,
    pub(super) route: Option<Route>,
    /// What the user's hook calls the span.
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) forwarded: Forwarded<'a>,
    /// The parent's context, with the caller's baggage.
    pub(super) context: &'a Context,
}

/// Bytes of both bodies, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct BodySizes {
    pub(crate) request: Option<u64>,
    pub(crate) response: Option<u64>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ServerResponse<'a> {
    pub(super) http: HttpResponse<'a>,
    /// A route that was not known at the start.
    pub(super) late_route: Option<&'a Route>,
}

impl Convention for ServerConvention {
    const SPAN_KIND: SpanKind = SpanKind::Server;
    type Request<'a> = ServerRequest<'a>;
    type Response<'a> = ServerResponse<'a>;
    type Metrics = ServerMetrics;
    type Tally = BodySizes;

    fn metrics(&self, meter: &Meter) -> ServerMetrics {
        ServerMetrics::new(meter, self.with_active_requests, self.with_body_sizes)
    }

    fn span_name(&self, request: &ServerRequest<'_>) -> Cow<'static, str> {
        if let Some(name) = &request.name {
            return name.clone();
        }
        let method = method_in_name(request.http.method);
        match &request.route {
            Some(route) => route.span_name(method),
            None => Cow::Borrowed(method),
        }
    }

    fn on_start(&self, request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
        let http = &request.http;
        attributes.both("http.request.method", method_attribute(http.method));
        scheme_attribute(request, attributes);
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
            self.request_headers.capture("http.request.header.", http.headers, attributes);
            self.baggage_attributes(request.context, attributes);
        }
        if let Some(add) = &self.add_request {
            call_hook(|| add(http, attributes), ());
        }
    }

    fn in_flight(&self, metrics: &ServerMetrics, request: &ServerRequest<'_>) -> Option<InFlight> {
        let active = metrics.active.as_ref()?;
        let attributes = vec![
            KeyValue::new("http.request.method", method_attribute(request.http.method)),
            KeyValue::new("url.scheme", metric_scheme(request)),
        ];
        Some(InFlight::start(active.clone(), attributes))
    }

    fn on_response(
        &self,
        response: &ServerResponse<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        let status = response.http.status;
        attributes.both("http.response.status_code", i64::from(status.as_u16()));
        if let Some(route) = response.late_route {
            attributes.both("http.route", route.value());
        }
        self.response_headers.capture("http.response.header.", response.http.headers, attributes);
        if let Some(add) = &self.add_response {
            call_hook(|| add(&response.http, attributes), ());
        }
        // "For HTTP status codes in the 4xx range span status MUST be left unset in case of SpanKind.SERVER".
        if is_server_error(status) { Err(status_error(status)) } else { Ok(()) }
    }

    fn record(
        &self,
        metrics: &ServerMetrics,
        elapsed: Duration,
        sizes: &BodySizes,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.duration.record(elapsed.as_secs_f64(), attributes);
        if let (Some(size), Some(histogram)) = (sizes.request, &metrics.request_size) {
            histogram.record(size, attributes);
        }
        if let (Some(size), Some(histogram)) = (sizes.response, &metrics.response_size) {
            histogram.record(size, attributes);
        }
    }
}

impl ServerConvention {
    pub(super) fn own_name(&self, request: &HttpRequest<'_>) -> Option<Cow<'static, str>> {
        self.span_name.as_ref().and_then(|name| call_hook(|| name(request), None))
    }

    fn baggage_attributes(&self, context: &Context, attributes: &mut Attributes<'_>) {
        for key in &self.baggage_keys {
            if let Some(value) = context.baggage().get(key) {
                attributes.span(Key::from(key.clone()), value.clone());
            }
        }
    }
}

impl fmt::Debug for ServerConvention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConvention")
            .field("with_active_requests", &self.with_active_requests)
            .field("with_body_sizes", &self.with_body_sizes)
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .field("baggage_keys", &self.baggage_keys)
            .finish_non_exhaustive()
    }
}

/// HTTP/2 says its scheme, HTTP/1.1 only in absolute form; without one the connection is plain.
fn scheme(request: &HttpRequest<'_>) -> &'static str {
    match request.url.scheme {
        Some("https") => "https",
        _ => "http",
    }
}

/// The scheme that the client used, as a trusted proxy says. It may say anything, so the metric has the two known ones.
fn scheme_attribute(request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
    match request.forwarded.scheme {
        None | Some("https" | "http") => attributes.both("url.scheme", metric_scheme(request)),
        Some(other) => {
            attributes.span("url.scheme", bounded(other).to_owned());
            attributes.metric("url.scheme", metric_scheme(request));
        }
    }
}

fn metric_scheme(request: &ServerRequest<'_>) -> &'static str {
    match request.forwarded.scheme {
        Some("https") => "https",
        Some("http") => "http",
        _ => scheme(&request.http),
    }
}

fn url_attributes(http: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
    attributes.span("url.path", bounded(http.url.path).to_owned());
    if let Some(query) = http.url.query {
        attributes.span("url.query", redact_query(bounded(query)).into_owned());
    }
}

fn address_attributes(request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
    let http = &request.http;
    let server = request
        .forwarded
        .host
        .and_then(host_and_port)
        .or_else(|| http.url.host_and_port())
        .or_else(|| host_and_port(http.text(&header::HOST)?));
    if let Some((address, port)) = server {
        attributes.span("server.address", repeated_text(address));
        if let Some(port) = port {
            attributes.span("server.port", i64::from(port));
        }
    }
    if let Some(client) = request.forwarded.client {
        attributes.span("client.address", bounded(client).to_owned());
    }
    if let Some(peer) = request.peer {
        // A dual-stack socket shows IPv4 peers as IPv6 addresses.
        let address = peer.ip().to_canonical().to_string();
        if request.forwarded.client.is_none() {
            attributes.span("client.address", address.clone());
        }
        attributes.span("network.peer.address", address);
        attributes.span("network.peer.port", i64::from(peer.port()));
    }
}
