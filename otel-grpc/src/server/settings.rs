//! What a layer was told, and how a call starts under it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use otel_core::carrier::HeaderExtractor;
use otel_core::propagation::{
    InboundTrust, has_local_span, receive, why_not_continued, with_deferred_decision,
};
use otel_core::{Instrumenter, RequestAttributes, ServerLayer, call_hook, current_context, is_path_excluded};
use tonic::transport::server::TcpConnectInfo;

use crate::call::{Call, CallParts, HeadRules};
use crate::convention::{CallStart, GrpcConvention, PeerOf};
use crate::deadline::Deadline;
use crate::messages::{MessageReport, Messages};
use crate::method::Method;
use crate::options::Filter;
use crate::side::ServerSide;
use crate::{GrpcRequest, GrpcTraceBinPropagator};

/// What the services of one layer share.
pub(super) struct Settings {
    pub(super) instrumenter: Instrumenter<GrpcConvention<ServerSide>>,
    pub(super) filter: Option<Filter>,
    pub(super) methods: Option<HashSet<&'static str>>,
    pub(super) trace_bin: bool,
    pub(super) report: MessageReport,
    pub(super) request_attributes: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) head: Option<Arc<HeadRules>>,
    pub(super) peer: PeerOf,
    pub(super) trust: InboundTrust,
}

impl Settings {
    /// Starts the call's operation, unless nobody wants it and there is nothing of the caller's to hand on.
    pub(super) fn begin(
        &self,
        grpc: &GrpcRequest<'_>,
        added: Option<RequestAttributes>,
    ) -> Option<Call<ServerSide>> {
        let current = current_context();
        let is_unwanted = self.is_unwanted(grpc);
        if is_unwanted && has_local_span(&current) {
            return None;
        }
        // The layer of HTTP around this one has read what the caller sent.
        let is_nested = has_local_span(&current) && ServerLayer::Http.is_marked(grpc.extensions);
        let (parent, links) =
            if is_nested { (current, Vec::new()) } else { self.parent(current, grpc.headers) };
        if is_unwanted {
            let operation = self.instrumenter.inert(parent);
            return self.instrumenter.hands_on(operation.context()).then(|| Call::inert(operation));
        }
        if self.instrumenter.convention().rules.remote_contexts && !is_nested {
            self.count_caller(grpc.headers, &parent, &links);
        }
        self.start(grpc, added, &parent, links)
    }

    fn start(
        &self,
        grpc: &GrpcRequest<'_>,
        added: Option<RequestAttributes>,
        parent: &Context,
        links: Vec<Link>,
    ) -> Option<Call<ServerSide>> {
        let method = Method::new(grpc.path(), self.methods.as_ref());
        let rules = &self.instrumenter.convention().rules;
        let (name, names) = (rules.own_name(grpc), rules.names());
        let has_own_name = name.is_some();
        let (peer, context) = (Some(&self.peer), parent);
        let is_counted = method.is_known();
        let start = CallStart { grpc: *grpc, method, name, peer, context, names: names.as_ref(), is_counted };
        let mut operation = self.instrumenter.start_with_links(parent, &start, links);
        if operation.is_inert() {
            return self.instrumenter.hands_on(operation.context()).then(|| Call::inert(operation));
        }
        operation.attach_only_if_needed();
        let parts = CallParts {
            deadline: Deadline::start(grpc.headers),
            answers_until: self.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            standing: method.standing(),
            has_own_name,
            names,
            added,
            head: self.head.clone(),
            messages: Messages::wanted(self.report, rules, is_counted, None),
            ..CallParts::default()
        };
        Some(Call::new(operation, parts))
    }

    /// Whether the layer's filter, or who set the process up, leaves this call out.
    fn is_unwanted(&self, grpc: &GrpcRequest<'_>) -> bool {
        is_path_excluded("grpc", grpc.path())
            || self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(grpc), true))
    }

    /// Counts a call that does not continue its caller's trace, for those who look for where that breaks.
    #[cold]
    fn count_caller(&self, headers: &HeaderMap, parent: &Context, links: &[Link]) {
        let Some(why) = why_not_continued(headers, parent, links) else { return };
        self.instrumenter.with_metrics(|metrics| {
            if let Some(counter) = &metrics.remote_contexts {
                counter.add(1, &[KeyValue::new("otel_grpc.remote_context", why)]);
            }
        });
    }

    /// The context that the call belongs to, and links to what it only refers to.
    fn parent(&self, current: Context, headers: &HeaderMap) -> (Context, Vec<Link>) {
        let (parent, mut links) = receive(self.instrumenter.providers(), current, headers, self.trust);
        if self.trust == InboundTrust::Public {
            let origin = self.with_trace_bin(Context::new(), headers);
            let caller = origin.span().span_context().clone();
            if links.is_empty() && caller.is_valid() {
                links.push(Link::with_context(caller));
            }
            return (parent, links);
        }
        let parent = self.with_trace_bin(parent, headers);
        match self.trust {
            InboundTrust::IgnoreSampledFlag => (with_deferred_decision(&parent), links),
            _ => (parent, links),
        }
    }

    /// The parent of an old peer, where nothing newer came.
    fn with_trace_bin(&self, parent: Context, headers: &HeaderMap) -> Context {
        if !self.trace_bin || parent.span().span_context().is_remote() {
            return parent;
        }
        GrpcTraceBinPropagator::new().extract_with_context(&parent, &HeaderExtractor::new(headers))
    }
}

/// The socket's other end, as tonic's server tells it.
pub(super) fn tonic_peer(grpc: &GrpcRequest<'_>) -> Option<SocketAddr> {
    let plain = grpc.extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    #[cfg(feature = "tls")]
    let plain = plain.or_else(|| {
        use tonic::transport::server::TlsConnectInfo;
        grpc.extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?.get_ref().remote_addr()
    });
    plain
}

/// The socket's other end, as axum tells it.
#[cfg(feature = "axum")]
pub(super) fn axum_peer(grpc: &GrpcRequest<'_>) -> Option<SocketAddr> {
    use axum::extract::ConnectInfo;
    grpc.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0).or_else(|| tonic_peer(grpc))
}
