//! The convention of an HTTP server span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::header;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, Key, KeyValue};
use otel_core::{
    AttributeNames, Attributes, Convention, ErrorType, EventLog, HeaderCapture, InFlight, binds_instruments,
    bounded, call_hook,
};

use super::metrics::{ServerMetrics, Wanted};
use super::names::OURS;
use super::series::Series;
use super::settings::known_scheme;
use super::tally::RequestTally;
use crate::cached::{Route, repeated_host, repeated_text};
use crate::forwarded::Forwarded;
use crate::header::shown;
use crate::hooks::{AddFromRequest, AddFromResponse, SpanNameOf};
use crate::protocol::{is_server_error, status_error};
use crate::url::SecretKeys;
use crate::{ENDED_EARLY, HttpRequest, HttpResponse};

#[derive(Clone, Default)]
pub(crate) struct ServerConvention {
    pub(super) metrics: Wanted,
    /// Of a provider that was given by hand nothing is known.
    pub(super) has_own_meter_provider: bool,
    pub(super) request_headers: HeaderCapture,
    pub(super) response_headers: HeaderCapture,
    pub(super) secret_keys: SecretKeys,
    pub(super) baggage_keys: Vec<String>,
    pub(super) span_name: Option<SpanNameOf>,
    pub(super) add_request: Option<AddFromRequest>,
    pub(super) add_response: Option<AddFromResponse>,
    pub(super) exceptions: Option<EventLog>,
}

/// A request with what the layer has found out about it.
#[derive(Debug)]
pub(crate) struct ServerRequest<'a> {
    pub(super) http: HttpRequest<'a>,
    pub(super) series: Series,
    /// Known at the start, cached or not.
    pub(super) route: Option<Route>,
    /// What the user's hook calls the span.
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) forwarded: Forwarded<'a>,
    /// The parent's context, with the caller's baggage.
    pub(super) context: &'a Context,
    pub(super) names: Option<&'a AttributeNames>,
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ServerResponse<'a> {
    pub(super) http: HttpResponse<'a>,
    /// A route that was not known at the start.
    pub(super) late_route: Option<&'a Route>,
    pub(super) names: Option<&'a AttributeNames>,
}

impl Convention for ServerConvention {
    const SPAN_KIND: SpanKind = SpanKind::Server;
    type Request<'a> = ServerRequest<'a>;
    type Response<'a> = ServerResponse<'a>;
    type Metrics = ServerMetrics;
    type Tally = RequestTally;

    fn metrics(&self, meter: &Meter) -> ServerMetrics {
        ServerMetrics::new(meter, self.metrics, binds_instruments() && !self.has_own_meter_provider)
    }

    fn span_name(&self, request: &ServerRequest<'_>) -> Cow<'static, str> {
        if let Some(name) = &request.name {
            return name.clone();
        }
        let method = request.series.method;
        match &request.route {
            Some(route) => route.span_name(method),
            None => Cow::Borrowed(method.in_name()),
        }
    }

    /// What the metrics carry is in the [`Series`], and so not written to them here.
    fn on_start(&self, request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
        let http = &request.http;
        if let Some(Route::Own(template)) = &request.route {
            attributes.both("http.route", template.clone());
        }
        if attributes.wants_span() {
            let scheme =
                request.forwarded.scheme.filter(|scheme| known_scheme(scheme).is_none()).map(bounded);
            request.series.write_start(scheme, attributes);
            self.url_attributes(http, attributes);
            address_attributes(request, attributes);
            if let Some(original) = request.series.method.original(http.method) {
                attributes.span("http.request.method_original", original);
            }
            if let Some(user_agent) = http.text(&header::USER_AGENT) {
                attributes.span("user_agent.original", repeated_text(user_agent));
            }
            self.request_headers.capture(
                "http.request.header.",
                http.headers,
                attributes,
                shown(&self.secret_keys),
            );
        }
        if let Some(names) = request.names {
            attributes.checked(names, &OURS, |attributes| {
                if let Some(add) = &self.add_request {
                    call_hook(|| add(http, attributes), ());
                }
                self.baggage_attributes(request.context, attributes);
            });
        }
    }

    fn in_flight(&self, metrics: &ServerMetrics, request: &ServerRequest<'_>) -> Option<InFlight> {
        let active = metrics.active.as_ref()?;
        let attributes = vec![
            KeyValue::new("http.request.method", request.series.method.attribute),
            KeyValue::new("url.scheme", request.series.scheme),
        ];
        Some(InFlight::start(active.clone(), attributes))
    }

    fn on_response(
        &self,
        response: &ServerResponse<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        let status = response.http.status;
        attributes.span("http.response.status_code", i64::from(status.as_u16()));
        match response.late_route {
            Some(Route::Cached(route)) => attributes.span("http.route", route.template),
            Some(Route::Own(template)) => attributes.both("http.route", template.clone()),
            None => {}
        }
        self.response_headers.capture(
            "http.response.header.",
            response.http.headers,
            attributes,
            shown(&self.secret_keys),
        );
        if let (Some(add), Some(names)) = (&self.add_response, response.names) {
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(&response.http, attributes), ());
            attributes.checked(names, &OURS, add);
        }
        // "For HTTP status codes in the 4xx range span status MUST be left unset in case of SpanKind.SERVER".
        if is_server_error(status) { Err(status_error(status)) } else { Ok(()) }
    }

    /// Nobody waits for the answer, or the rest of it, any more. That is no error.
    fn on_cancel(&self, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        attributes.span(ENDED_EARLY, true);
        Ok(())
    }

    fn on_exception(&self, error_type: &ErrorType, context: &Context) {
        if let Some(log) = &self.exceptions {
            // Nobody else handles what a server could not.
            log.exception("http.server.request.exception", Severity::Error, error_type, context);
        }
    }

    fn record(
        &self,
        metrics: &ServerMetrics,
        elapsed: Duration,
        tally: &RequestTally,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.record(elapsed, tally, attributes);
    }
}

impl ServerConvention {
    pub(super) fn own_name(&self, request: &HttpRequest<'_>) -> Option<Cow<'static, str>> {
        self.span_name.as_ref().and_then(|name| call_hook(|| name(request), None))
    }

    /// Whether functions of the user's, or callers, add attributes.
    pub(super) fn has_own_attributes(&self) -> bool {
        self.add_request.is_some() || self.add_response.is_some() || !self.baggage_keys.is_empty()
    }

    fn url_attributes(&self, http: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
        attributes.span("url.path", bounded(http.url.path).to_owned());
        if let Some(query) = http.url.query {
            attributes.span("url.query", self.secret_keys.redact_query(bounded(query)).into_owned());
        }
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
            .field("metrics", &self.metrics)
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .field("baggage_keys", &self.baggage_keys)
            .finish_non_exhaustive()
    }
}

fn address_attributes(request: &ServerRequest<'_>, attributes: &mut Attributes<'_>) {
    let http = &request.http;
    let server = request
        .forwarded
        .host
        .and_then(repeated_host)
        .or_else(|| repeated_host(http.url.authority?))
        .or_else(|| repeated_host(http.text(&header::HOST)?));
    if let Some((address, port)) = server {
        attributes.span("server.address", address);
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
