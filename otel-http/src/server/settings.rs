//! What a layer was told, and how a request starts under it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::USER_AGENT;
use opentelemetry::trace::Link;
use opentelemetry::{Context, KeyValue};
use otel_core::propagation::{InboundTrust, has_local_span, receive, why_not_continued};
use otel_core::{
    AttributeNames, Instrumenter, Operation, RequestAttributes, ServerLayer, call_hook, current_context,
    is_path_excluded,
};

use super::bodies::Bodies;
use super::convention::{ServerConvention, ServerRequest};
use super::names::OURS;
use super::options::ServerOptions;
use super::series::Series;
use super::tally::ExpectedBody;
use super::trace_response::MayKnow;
use crate::cached::Route;
use crate::hooks::Filter;
use crate::method::MethodName;
use crate::protocol::protocol_version;
use crate::synthetic::synthetic_type;
use crate::trusted_proxies::Forwarded;
use crate::{HttpRequest, TrustedProxies};

/// What the services of one layer share.
pub(super) struct Settings {
    pub(super) instrumenter: Instrumenter<ServerConvention>,
    pub(super) trust: InboundTrust,
    pub(super) filter: Option<Filter>,
    pub(super) options: ServerOptions,
}

impl Settings {
    /// The route of a request, as far as it is known before it is served.
    pub(super) fn route_of(&self, http: &HttpRequest<'_>) -> Option<Route> {
        let route = self.options.route.as_ref().and_then(|route| call_hook(|| route(http), None));
        route.as_deref().map(Route::new)
    }

    pub(super) fn records_body_sizes(&self) -> bool {
        self.instrumenter.convention().metrics.body_sizes
    }

    /// Starts the request's operation, unless nobody wants it and there is nothing of the caller's to hand on.
    pub(super) fn begin(
        &self,
        http: &HttpRequest<'_>,
        added: Option<&RequestAttributes>,
    ) -> Option<Operation<ServerConvention>> {
        let current = current_context();
        let is_unwanted = self.is_unwanted(http);
        if is_unwanted && has_local_span(&current) {
            return None;
        }
        // A layer of gRPC around this one has read what the caller sent.
        let is_nested = has_local_span(&current) && ServerLayer::Grpc.is_marked(http.extensions);
        let (parent, links) = match is_nested {
            true => (current, Vec::new()),
            false => receive(self.instrumenter.providers(), current, http.headers, self.trust),
        };
        if is_unwanted {
            return self.unless_idle(self.instrumenter.inert(parent));
        }
        if self.instrumenter.convention().metrics.remote_contexts && !is_nested {
            self.count_caller(http, &parent, &links);
        }
        self.unless_idle(self.start(http, added, &parent, links))
    }

    fn unless_idle(&self, operation: Operation<ServerConvention>) -> Option<Operation<ServerConvention>> {
        (!operation.is_inert() || self.instrumenter.hands_on(operation.context())).then_some(operation)
    }

    fn start(
        &self,
        http: &HttpRequest<'_>,
        added: Option<&RequestAttributes>,
        context: &Context,
        links: Vec<Link>,
    ) -> Operation<ServerConvention> {
        let peer = self.options.peer.as_ref().and_then(|peer| call_hook(|| peer(http), None));
        let read = |proxies: &TrustedProxies| proxies.read(http.headers, peer.map(|peer| peer.ip()));
        let forwarded = self.options.proxies.as_ref().map(read).unwrap_or_default();
        let convention = self.instrumenter.convention();
        let (route, name) = (self.route_of(http), convention.rules.own_name(http));
        let (has_route, has_own_name) = (route.is_some(), name.is_some());
        let names =
            convention.rules.names().or_else(|| added.map(|_| AttributeNames::default())).map(Arc::new);
        let series = self.series(http, route.as_ref(), &forwarded);
        let request = ServerRequest {
            http: *http,
            series,
            route,
            name,
            peer,
            forwarded,
            context,
            names: names.as_deref(),
        };
        let mut operation = self.instrumenter.start_with_links(context, &request, links);
        operation.attach_only_if_needed();
        let bodies = Bodies::begin(&self.options, http.headers);
        let bodies = bodies.filter(|_| operation.attributes().wants_span());
        if added.is_some() || bodies.is_some() {
            add_at_end(&mut operation, added.cloned(), bodies.clone(), names.clone());
        }
        let tally = operation.tally();
        tally.series = Some(series);
        tally.expects = ExpectedBody::of(http.method);
        (tally.has_route, tally.has_own_name) = (has_route, has_own_name);
        tally.tells_ids = self.tells_ids(http, peer);
        (tally.names, tally.bodies) = (names, bodies);
        operation
    }

    /// Whether the caller may know the ids of the span.
    fn tells_ids(&self, http: &HttpRequest<'_>, peer: Option<SocketAddr>) -> bool {
        let may_know = |may_know: &MayKnow| call_hook(|| may_know(http, peer), false);
        self.options.trace_response.as_ref().is_some_and(may_know)
    }

    /// Whether the layer's filter, or who set the process up, leaves this request out.
    fn is_unwanted(&self, http: &HttpRequest<'_>) -> bool {
        is_path_excluded("http", http.url.path)
            || self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(http), true))
    }

    fn series(&self, http: &HttpRequest<'_>, route: Option<&Route>, forwarded: &Forwarded<'_>) -> Series {
        let method = MethodName::of(http.method);
        let route = route.and_then(Route::cached);
        let (scheme, version) = (self.scheme_of(http, forwarded), protocol_version(http.version));
        let user_agent = if self.options.synthetic_type { http.text(&USER_AGENT) } else { None };
        let synthetic = user_agent.and_then(synthetic_type);
        Series { method, scheme, version, route, status: None, synthetic }
    }

    /// Counts a request that does not continue its caller's trace, for those who look for where that breaks.
    #[cold]
    fn count_caller(&self, http: &HttpRequest<'_>, parent: &Context, links: &[Link]) {
        let Some(why) = why_not_continued(http.headers, parent, links) else { return };
        self.instrumenter.with_metrics(|metrics| {
            if let Some(counter) = &metrics.remote_contexts {
                counter.add(1, &[KeyValue::new("otel_http.remote_context", why)]);
            }
        });
    }

    /// The scheme that the client used: as a trusted proxy says, as this server was told, or as HTTP/2 says. HTTP/1.1 says
    /// it only in the absolute form, and without one the connection is plain. The metric has the two known ones.
    fn scheme_of(&self, http: &HttpRequest<'_>, forwarded: &Forwarded<'_>) -> &'static str {
        match (forwarded.scheme.and_then(metric_scheme), self.options.scheme, http.url.scheme) {
            (Some(known), _, _) => known,
            (None, Some(told), _) => told,
            (None, None, Some("https")) => "https",
            _ => "http",
        }
    }
}

#[cold]
pub(super) fn add_at_end(
    operation: &mut Operation<ServerConvention>,
    added: Option<RequestAttributes>,
    bodies: Option<Bodies>,
    names: Option<Arc<AttributeNames>>,
) {
    operation.add_at_end(move |to| {
        bodies.iter().for_each(|bodies| bodies.write(to));
        if let (Some(added), Some(names)) = (added, names) {
            to.checked(&names, &OURS, |to| added.write(to));
        }
    });
}

/// One of the schemes that metrics carry, however a proxy writes it: "An implementation should accept uppercase letters as
/// equivalent to lowercase in scheme names". <https://www.rfc-editor.org/rfc/rfc3986#section-3.1>
pub(super) fn known_scheme(scheme: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known))
}

/// The one of them that a connection of WebSockets begins with, too.
fn metric_scheme(scheme: &str) -> Option<&'static str> {
    let is = |name| scheme.eq_ignore_ascii_case(name);
    match () {
        () if is("wss") => Some("https"),
        () if is("ws") => Some("http"),
        () => known_scheme(scheme),
    }
}
