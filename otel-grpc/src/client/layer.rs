//! The layer and its options.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Extensions;
use opentelemetry::trace::noop::NoopTracerProvider;
use otel_core::Instrumenter;
use tower_layer::Layer;

use super::attempt::{AttemptSettings, GrpcAttemptLayer};
use super::service::GrpcClient;
use super::settings::Settings;
use crate::address::Target;
use crate::convention::GrpcConvention;
use crate::options::{Options, grpc_setters};
use crate::scope;

/// Gives each call that a client makes a client span and a duration, and hands the context on.
///
/// ```
/// use otel_grpc::GrpcClientLayer;
/// use tonic::transport::Endpoint;
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let endpoint = Endpoint::from_static("http://payments:50051");
/// let layer = GrpcClientLayer::for_target(endpoint.uri());
/// let channel = ServiceBuilder::new().layer(layer).service(endpoint.connect_lazy());
/// // PaymentsClient::new(channel)
/// # }
/// ```
///
/// The span is that of the call as a whole: outside of a retry layer it lasts over all attempts. It ends with the
/// trailers; a stream that is dropped before has been cancelled. An HTTP client layer of `otel-http` below this one stays
/// silent: it is the same request.
///
/// It goes outside of layers that hand requests to a task of their own, such as tower's `Buffer`: the parent of a span is the span
/// that is current where the layer is called.
#[derive(Clone)]
pub struct GrpcClientLayer {
    settings: Arc<Settings>,
}

impl GrpcClientLayer {
    /// A layer with the defaults. It knows the server from the requests alone, which tonic's `Channel` sends without a
    /// name unless the client was made `with_origin`; the convention wants one, so prefer
    /// [`for_target`](Self::for_target).
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A layer for a channel to `target`: an endpoint's URI, or a target in gRPC's notation.
    ///
    /// An endpoint of a Unix socket, or of a connector of your own, does not tell where it goes: `Endpoint::uri` of
    /// `unix:///run/x.sock` is `http://tonic`. Give the path, `for_target("unix:///run/x.sock")`.
    #[must_use]
    pub fn for_target(target: impl Display) -> Self {
        Self::builder().with_target(target).build()
    }

    /// A layer with options.
    pub fn builder() -> GrpcClientLayerBuilder {
        GrpcClientLayerBuilder::default()
    }

    /// A layer for the inside of a retry layer that this layer is outside of, for gRPC's own metrics: it measures each
    /// attempt by itself, tells servers of the attempts before (`grpc-previous-rpc-attempts`), and lets the call know how
    /// many there were.
    ///
    /// ```
    /// use otel_grpc::GrpcClientLayer;
    ///
    /// let calls = GrpcClientLayer::builder().with_grpc_metrics(true).build();
    /// let attempts = calls.attempt_layer();
    /// // ServiceBuilder::new().layer(calls).layer(your_retries).layer(attempts).service(channel)
    /// ```
    pub fn attempt_layer(&self) -> GrpcAttemptLayer {
        let rules = &self.settings.instrumenter.convention().rules;
        rules.attempts_apart.store(true, Ordering::Relaxed);
        GrpcAttemptLayer::new(Arc::clone(&self.settings.attempt))
    }
}

impl Default for GrpcClientLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for GrpcClientLayer {
    type Service = GrpcClient<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcClient::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for GrpcClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcClientLayer")
            .field("instrumenter", &self.settings.instrumenter)
            .finish_non_exhaustive()
    }
}

/// Options of a [`GrpcClientLayer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GrpcClientLayerBuilder {
    options: Options,
}

impl GrpcClientLayerBuilder {
    grpc_setters!();

    /// Whom the channel calls: an endpoint's URI, or a target in gRPC's notation (`host:port`, `dns:///host:port`,
    /// `unix:///path`). Recorded as `server.address` and `server.port` on spans and metrics, and as `grpc.target` on
    /// gRPC's own. Default: what the request says.
    pub fn with_target(mut self, target: impl Display) -> Self {
        self.options.rules.target = Some(Target::parse(&target));
        self
    }

    /// Finds the address of the socket's other end in the extensions of the response, where some connectors put it.
    /// Default: not known, since tonic's `Channel` does not tell.
    pub fn with_peer_address(
        mut self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.options.head().peer = Some(Arc::new(peer));
        self
    }

    /// Records the metric `grpc.client.active_requests`: calls that have started and not ended. Default: `false`.
    pub fn with_active_requests(mut self, record: bool) -> Self {
        self.options.rules.active_requests = record;
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> GrpcClientLayer {
        let Options { providers, filter, methods, trace_bin, report, head, mut rules } = self.options;
        // Layers of one builder share nothing.
        rules.attempts_apart = Arc::default();
        let mut of_attempts = providers.clone();
        // An attempt is no span of its own: "one span for the logical call".
        of_attempts.set_tracer_provider(NoopTracerProvider::new());
        let attempt_rules = crate::convention::Rules {
            grpc_metrics: rules.grpc_metrics,
            has_own_meter_provider: rules.has_own_meter_provider,
            target: rules.target.clone(),
            ..Default::default()
        };
        let attempt = AttemptSettings {
            instrumenter: Instrumenter::new(scope(), of_attempts, GrpcConvention::new(attempt_rules)),
            methods: methods.clone(),
        };
        let settings = Settings {
            instrumenter: Instrumenter::new(scope(), providers, GrpcConvention::new(rules)),
            filter,
            methods,
            trace_bin,
            report,
            head: head.map(Arc::new),
            attempt: Arc::new(attempt),
        };
        GrpcClientLayer { settings: Arc::new(settings) }
    }
}
