//! What a layer was told, and how a request starts under it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};
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

/// A request's operation, and whether its route is known.
pub(super) struct Begun {
    pub(super) operation: Operation<ServerConvention>,
    pub(super) has_route: bool,
}

impl Settings {
    /// The route of a request, as far as it is known before it is served.
    pub(super) fn route_of(&self, http: &HttpRequest<'_>) -> Option<Route> {
        let route = self.route.as_ref().and_then(|route| call_hook(|| route(http), None));
        route.as_deref().map(Route::new)
    }

    /// Starts the request's operation, unless nobody wants it.
    pub(super) fn begin(&self, http: &HttpRequest<'_>) -> Option<Begun> {
        if self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(http), true)) {
            return None;
        }
        let peer = self.peer.as_ref().and_then(|peer| call_hook(|| peer(http), None));
        let read = |proxies: &TrustedProxies| proxies.read(http.headers, peer.map(|peer| peer.ip()));
        let forwarded = self.proxies.as_ref().map(read).unwrap_or_default();
        let (route, current) = (self.route_of(http), Context::current());
        let carrier = HeaderExtractor::new(http.headers);
        let providers = self.instrumenter.providers();
        let has_route = route.is_some();
        let operation = if self.public_endpoint {
            // Whoever calls from outside is neither parent nor sampler here, and its baggage stays out.
            let links = link_from(providers, &carrier).into_iter().collect();
            let root = current.with_remote_span_context(SpanContext::empty_context());
            let request = ServerRequest { http: *http, route, peer, forwarded, context: &root };
            self.instrumenter.start_with_links(&root, &request, links)
        } else {
            let parent = providers.extract(&current, &carrier);
            let request = ServerRequest { http: *http, route, peer, forwarded, context: &parent };
            self.instrumenter.start(&parent, &request)
        };
        let is_wanted = !operation.is_inert() || hands_on(operation.context());
        is_wanted.then_some(Begun { operation, has_route })
    }
}

/// Whether there is something of the caller's that calls made while serving must carry on, even with no SDK here.
fn hands_on(context: &Context) -> bool {
    context.has_active_span() || !context.baggage().is_empty()
}
