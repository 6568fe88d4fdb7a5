//! What a layer was told, and how a request starts under it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanContext, TraceContextExt};
use otel_core::carrier::HeaderExtractor;
use otel_core::{Instrumenter, Operation, link_from};

use super::convention::{ServerConvention, ServerRequest};
use crate::cached::Route;
use crate::hook::call_hook;
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
    pub(super) public_endpoint: bool,
    pub(super) request_attributes: bool,
}

/// A request's operation, and what is known of its name.
pub(super) struct Begun {
    pub(super) operation: Operation<ServerConvention>,
    pub(super) has_route: bool,
    pub(super) has_own_name: bool,
}

impl Settings {
    /// The route of a request, as far as it is known before it is served.
    pub(super) fn route_of(&self, http: &HttpRequest<'_>) -> Option<Route> {
        let route = self.route.as_ref().and_then(|route| call_hook(|| route(http), None));
        route.as_deref().map(Route::new)
    }

    /// Starts the request's operation, unless nobody wants it and there is nothing of the caller's to hand on.
    pub(super) fn begin(&self, http: &HttpRequest<'_>) -> Option<Begun> {
        let (parent, links) = self.parent(http);
        if self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(http), true)) {
            let operation = self.instrumenter.inert(parent);
            return Begun { operation, has_route: true, has_own_name: true }.unless_idle();
        }
        let peer = self.peer.as_ref().and_then(|peer| call_hook(|| peer(http), None));
        let read = |proxies: &TrustedProxies| proxies.read(http.headers, peer.map(|peer| peer.ip()));
        let forwarded = self.proxies.as_ref().map(read).unwrap_or_default();
        let convention = self.instrumenter.convention();
        let (route, name) = (self.route_of(http), convention.own_name(http));
        let (has_route, has_own_name) = (route.is_some(), name.is_some());
        let request = ServerRequest { http: *http, route, name, peer, forwarded, context: &parent };
        let operation = self.instrumenter.start_with_links(&parent, &request, links);
        Begun { operation, has_route, has_own_name }.unless_idle()
    }

    /// The context that the request belongs to, and links to what it only refers to.
    fn parent(&self, http: &HttpRequest<'_>) -> (Context, Vec<Link>) {
        let (current, carrier) = (Context::current(), HeaderExtractor::new(http.headers));
        let providers = self.instrumenter.providers();
        if !self.public_endpoint {
            return (providers.extract(&current, &carrier), Vec::new());
        }
        // Whoever calls from outside is neither parent nor sampler here, and its baggage stays out.
        let links = link_from(providers, &carrier).into_iter().collect();
        (current.with_remote_span_context(SpanContext::empty_context()), links)
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
