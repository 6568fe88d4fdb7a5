//! What a layer was told, and how a request starts under it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, TraceContextExt};
use otel_core::carrier::HeaderExtractor;
use otel_core::propagation::{InboundTrust, receive};
use otel_core::{AttributeNames, Instrumenter, Operation};

use super::RequestAttributes;
use super::convention::{Names, OURS, ServerConvention, ServerRequest};
use super::series::Series;
use crate::cached::Route;
use crate::forwarded::Forwarded;
use crate::hook::call_hook;
use crate::method::MethodName;
use crate::protocol::protocol_version;
use crate::{HttpRequest, TrustedProxies};

pub(super) type Filter = Arc<dyn Fn(&HttpRequest<'_>) -> bool + Send + Sync>;
pub(super) type RouteOf = Arc<dyn for<'a> Fn(&HttpRequest<'a>) -> Option<Cow<'a, str>> + Send + Sync>;
pub(super) type PeerOf = Arc<dyn Fn(&HttpRequest<'_>) -> Option<SocketAddr> + Send + Sync>;

/// What the services of one layer share.
pub(super) struct Settings {
    pub(super) instrumenter: Instrumenter<ServerConvention>,
    pub(super) filter: Option<Filter>,
    pub(super) route: Option<RouteOf>,
    pub(super) peer: Option<PeerOf>,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) scheme: Option<&'static str>,
    pub(super) trust: InboundTrust,
    pub(super) request_attributes: bool,
}

/// A request's operation, and what is known of its name.
pub(super) struct Begun {
    pub(super) operation: Operation<ServerConvention>,
    pub(super) method: MethodName,
    pub(super) has_route: bool,
    pub(super) has_own_name: bool,
    pub(super) names: Option<Names>,
}

impl Settings {
    /// The route of a request, as far as it is known before it is served.
    pub(super) fn route_of(&self, http: &HttpRequest<'_>) -> Option<Route> {
        let route = self.route.as_ref().and_then(|route| call_hook(|| route(http), None));
        route.as_deref().map(Route::new)
    }

    /// Starts the request's operation, unless nobody wants it and there is nothing of the caller's to hand on.
    pub(super) fn begin(&self, http: &HttpRequest<'_>, added: Option<&RequestAttributes>) -> Option<Begun> {
        let method = MethodName::of(http.method);
        let (parent, links) = self.parent(http);
        if self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(http), true)) {
            let operation = self.instrumenter.inert(parent);
            return Begun { operation, method, has_route: true, has_own_name: true, names: None }
                .unless_idle();
        }
        let peer = self.peer.as_ref().and_then(|peer| call_hook(|| peer(http), None));
        let read = |proxies: &TrustedProxies| proxies.read(http.headers, peer.map(|peer| peer.ip()));
        let forwarded = self.proxies.as_ref().map(read).unwrap_or_default();
        let convention = self.instrumenter.convention();
        let (route, name) = (self.route_of(http), convention.own_name(http));
        let (has_route, has_own_name) = (route.is_some(), name.is_some());
        let has_own_attributes = added.is_some() || convention.has_own_attributes();
        let names = has_own_attributes.then(|| Arc::new(Mutex::new(AttributeNames::reserved(&OURS))));
        let series = self.series(http, method, route.as_ref(), &forwarded);
        let context = &parent;
        let request = ServerRequest {
            http: *http,
            series,
            route,
            name,
            peer,
            forwarded,
            context,
            names: names.as_ref(),
        };
        let mut operation = self.instrumenter.start_with_links(&parent, &request, links);
        operation.tally().series = Some(series);
        operation.attach_only_if_needed();
        if let Some(added) = added.cloned() {
            let names = names.clone();
            operation
                .add_at_end(move |to| super::convention::checked(names.as_ref(), to, |to| added.write(to)));
        }
        Begun { operation, method, has_route, has_own_name, names }.unless_idle()
    }

    fn series(
        &self,
        http: &HttpRequest<'_>,
        method: MethodName,
        route: Option<&Route>,
        forwarded: &Forwarded<'_>,
    ) -> Series {
        let route = route.and_then(Route::cached);
        let (scheme, version) = (self.scheme_of(http, forwarded), protocol_version(http.version));
        Series { method, scheme, version, route, status: None, synthetic: None }
    }

    /// The scheme that the client used: as a trusted proxy says, as this server was told, or as HTTP/2 says. HTTP/1.1 says
    /// it only in the absolute form, and without one the connection is plain. The metric has the two known ones.
    fn scheme_of(&self, http: &HttpRequest<'_>, forwarded: &Forwarded<'_>) -> &'static str {
        match (forwarded.scheme, self.scheme, http.url.scheme) {
            (Some("https"), _, _) => "https",
            (Some("http"), _, _) => "http",
            (_, Some(told), _) => told,
            (_, None, Some("https")) => "https",
            _ => "http",
        }
    }

    /// The context that the request belongs to, and links to what it only refers to.
    fn parent(&self, http: &HttpRequest<'_>) -> (Context, Vec<Link>) {
        let carrier = HeaderExtractor::new(http.headers);
        receive(self.instrumenter.providers(), &Context::current(), &carrier, self.trust)
    }
}

impl Begun {
    fn unless_idle(self) -> Option<Self> {
        (!self.operation.is_inert() || hands_on(self.operation.context())).then_some(self)
    }
}

/// Whether there is something of the caller's that calls made while serving must carry on, even with no SDK here.
fn hands_on(context: &Context) -> bool {
    context.has_active_span() || !context.baggage().is_empty()
}
