//! The convention of an HTTP server span: <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span>

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use http::header;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use otel_core::{
    AttributeNames, Attributes, Convention, ErrorType, HttpHeaders, InFlight, binds_instruments, bounded,
};

use super::metrics::{ServerMetrics, Wanted};
use super::names::{LATER, OURS};
use super::series::Series;
use super::settings::known_scheme;
use super::tally::RequestTally;
use crate::cached::{Route, repeated_host, repeated_text};
use crate::options::Rules;
use crate::protocol::{is_server_error, status_error};
use crate::trusted_proxies::Forwarded;
use crate::{ENDED_EARLY, HttpRequest, HttpResponse};

#[derive(Debug)]
pub(crate) struct ServerConvention {
    pub(super) rules: Rules,
    pub(super) metrics: Wanted,
    /// Of a provider that was given by hand nothing is known.
    pub(super) has_own_meter_provider: bool,
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
            self.rules.capture_request(HttpHeaders::ServerRequest, http.headers, attributes);
        }
        if let Some(names) = request.names {
            self.rules.add_from_request(http, request.context, names, &LATER, attributes);
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
        self.rules.capture_response(HttpHeaders::ServerResponse, response.http.headers, attributes);
        if let Some(names) = response.names {
            self.rules.add_from_response(&response.http, names, &OURS, attributes);
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
        // Nobody else handles what a server could not.
        self.rules.on_exception("http.server.request.exception", Severity::Error, error_type, context);
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
    fn url_attributes(&self, http: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
        attributes.span("url.path", bounded(http.url.path).to_owned());
        if let Some(query) = http.url.query {
            attributes.span("url.query", self.rules.url_secrets.redact_query(bounded(query)).into_owned());
        }
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
