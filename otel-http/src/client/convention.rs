//! The convention of an HTTP client span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span>

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::Version;
use http::header::HOST;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use otel_core::{AttributeNames, Attributes, Convention, ErrorType, HttpHeaders, InFlight, bounded};

use super::host::{HostPattern, Server};
use super::metrics::{ClientMetrics, SizeMetrics};
use crate::cached::{Route, repeated_text};
use crate::method::MethodName;
use crate::options::Rules;
use crate::protocol::{protocol_version, status_error};
use crate::{ENDED_EARLY, HttpRequest, HttpResponse};

#[derive(Default)]
pub(crate) struct ClientConvention {
    pub(crate) rules: Rules,
    pub(crate) with_active_requests: bool,
    pub(crate) with_body_sizes: bool,
    /// Hosts, and the services behind them.
    pub(crate) service_names: Vec<(HostPattern, String)>,
    /// Kept here because a size is known only after the operation has ended at the response's head.
    pub(crate) sizes: ArcSwapOption<SizeMetrics>,
}

/// What a client may say after the start.
const LATER: [&str; 5] =
    ["error.type", "http.response.", "network.peer.", "network.protocol.version", ENDED_EARLY];

/// All that a client says: once the span runs nobody looks which of them it has.
const OURS: [&str; 16] = [
    "error.type",
    "http.request.header.",
    "http.request.method",
    "http.request.method_original",
    "http.request.resend_count",
    "http.response.header.",
    "http.response.status_code",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.version",
    ENDED_EARLY,
    "server.address",
    "server.port",
    "server.service.name",
    "url.full",
    "url.template",
];

/// A request with what the client's settings say about it.
#[derive(Debug)]
pub(crate) struct ClientRequest<'a> {
    pub(crate) http: HttpRequest<'a>,
    pub(crate) method: MethodName,
    pub(crate) server: Option<Server<'a>>,
    pub(crate) template: Option<Route>,
    /// How often the same request was sent before.
    pub(crate) resend_count: u32,
    /// The parent's context, with its baggage.
    pub(crate) context: &'a Context,
    pub(crate) names: Option<&'a AttributeNames>,
}

/// A response's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientResponse<'a> {
    pub(crate) http: HttpResponse<'a>,
    pub(crate) version: Version,
    /// The socket's other end, where the client tells.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) names: Option<&'a AttributeNames>,
}

impl Convention for ClientConvention {
    const SPAN_KIND: SpanKind = SpanKind::Client;
    type Request<'a> = ClientRequest<'a>;
    type Response<'a> = ClientResponse<'a>;
    type Metrics = ClientMetrics;
    /// What functions of the user's have said; of a request that has any.
    type Tally = Option<Box<AttributeNames>>;

    fn metrics(&self, meter: &Meter) -> ClientMetrics {
        if self.with_body_sizes {
            self.sizes.store(Some(Arc::new(SizeMetrics::new(meter))));
        }
        ClientMetrics::new(meter, self.with_active_requests)
    }

    fn span_name(&self, request: &ClientRequest<'_>) -> Cow<'static, str> {
        if let Some(own) = self.rules.own_name(&request.http) {
            return own;
        }
        match &request.template {
            Some(template) => template.span_name(request.method),
            None => Cow::Borrowed(request.method.in_name()),
        }
    }

    fn on_start(&self, request: &ClientRequest<'_>, attributes: &mut Attributes<'_>) {
        attributes.both("http.request.method", request.method.attribute);
        // Safe on a metric too: the application chooses whom it calls.
        if let Some(server) = request.server {
            attributes.both("server.address", repeated_text(server.host));
            if let Some(port) = server.port {
                attributes.both("server.port", i64::from(port));
            }
        }
        if let Some(template) = &request.template {
            attributes.both("url.template", template.value());
        }
        if attributes.wants_span() {
            self.on_start_of_span(request, attributes);
        }
        if let Some(names) = request.names {
            self.rules.add_from_request(&request.http, request.context, names, &LATER, attributes);
        }
    }

    fn in_flight(&self, metrics: &ClientMetrics, request: &ClientRequest<'_>) -> Option<InFlight> {
        let active = metrics.active.as_ref()?;
        Some(InFlight::start(active.clone(), request.metric_attributes()))
    }

    fn on_response(
        &self,
        response: &ClientResponse<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        let status = response.http.status;
        attributes.both("http.response.status_code", i64::from(status.as_u16()));
        if let Some(version) = protocol_version(response.version) {
            attributes.both("network.protocol.version", version);
        }
        if let Some(peer) = response.peer.filter(|_| attributes.wants_span()) {
            attributes.span("network.peer.address", peer.ip().to_canonical().to_string());
            attributes.span("network.peer.port", i64::from(peer.port()));
        }
        self.rules.capture_response(HttpHeaders::ClientResponse, response.http.headers, attributes);
        if let Some(names) = response.names {
            self.rules.add_from_response(&response.http, names, &OURS, attributes);
        }
        // "For HTTP status codes in the 4xx range span status [...] SHOULD be set to Error in case of SpanKind.CLIENT".
        if status.as_u16() >= 400 { Err(status_error(status)) } else { Ok(()) }
    }

    /// Nobody waits for the answer, or the rest of it, any more. That is no error.
    fn on_cancel(&self, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        attributes.span(ENDED_EARLY, true);
        Ok(())
    }

    fn on_exception(&self, error_type: &ErrorType, context: &Context) {
        // The caller is expected to handle it.
        self.rules.on_exception("http.client.request.exception", Severity::Warn, error_type, context);
    }

    fn record(
        &self,
        metrics: &ClientMetrics,
        elapsed: Duration,
        _: &Option<Box<AttributeNames>>,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.duration.record(elapsed.as_secs_f64(), attributes);
    }
}

impl ClientConvention {
    fn on_start_of_span(&self, request: &ClientRequest<'_>, attributes: &mut Attributes<'_>) {
        let mut url = request.http.url;
        url.authority = url.authority.or_else(|| request.http.text(&HOST));
        let mut full = url.full(&self.rules.url_secrets);
        full.truncate(bounded(&full).len());
        attributes.span("url.full", full);
        self.rules.capture_request(HttpHeaders::ClientRequest, request.http.headers, attributes);
        if let Some(original) = request.method.original(request.http.method) {
            attributes.span("http.request.method_original", original);
        }
        if request.resend_count > 0 {
            attributes.span("http.request.resend_count", i64::from(request.resend_count));
        }
        let Some(server) = request.server else { return };
        if let Some((_, name)) = self.service_names.iter().find(|(host, _)| host.matches(server)) {
            attributes.span("server.service.name", repeated_text(name));
        }
    }
}

impl ClientRequest<'_> {
    /// What every client metric carries of a request, when it is recorded apart from the operation.
    pub(crate) fn metric_attributes(&self) -> Vec<KeyValue> {
        // Room for status, version and error as well.
        let mut attributes = Vec::with_capacity(7);
        attributes.push(KeyValue::new("http.request.method", self.method.attribute));
        if let Some(server) = self.server {
            attributes.push(KeyValue::new("server.address", repeated_text(server.host)));
            attributes.extend(server.port.map(|port| KeyValue::new("server.port", i64::from(port))));
        }
        attributes.extend(self.template.as_ref().map(|found| KeyValue::new("url.template", found.value())));
        attributes
    }
}
