//! Set-up that the tests share.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SpanData;
use otel_grpc::{
    GrpcClient, GrpcClientLayer, GrpcClientLayerBuilder, GrpcServerLayer, GrpcServerLayerBuilder,
};
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Server};
use tower::ServiceBuilder;

use crate::echo::{Asked, EchoClient, EchoServer, End, Kind};

pub(crate) const SERVER_DURATION: &str = "rpc.server.call.duration";
pub(crate) const CLIENT_DURATION: &str = "rpc.client.call.duration";

/// How long a test waits for something that should come at once.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Where nobody listens, nor is given this port by the system.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

pub(crate) type Client = EchoClient<GrpcClient<Channel>>;

pub(crate) fn server_layer(telemetry: &TestTelemetry) -> GrpcServerLayerBuilder {
    GrpcServerLayer::builder()
        .with_active_requests(true)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

pub(crate) fn client_layer(telemetry: &TestTelemetry) -> GrpcClientLayerBuilder {
    GrpcClientLayer::builder()
        .with_active_requests(true)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

/// Serves the echo behind `layer` on a free port until the test's runtime ends.
pub(crate) async fn serve(layer: GrpcServerLayer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let server = Server::builder().layer(layer).add_service(EchoServer);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

pub(crate) fn channel(address: SocketAddr) -> Channel {
    endpoint(address).connect_lazy()
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("a valid address")
}

pub(crate) fn client_of(layer: GrpcClientLayerBuilder, address: SocketAddr) -> Client {
    let layer = layer.with_target(format!("http://{address}")).build();
    EchoClient::new(ServiceBuilder::new().layer(layer).service(channel(address)))
}

/// Both ends over a socket, with the defaults.
pub(crate) async fn connected(telemetry: &TestTelemetry) -> Client {
    let address = serve(server_layer(telemetry).build()).await;
    client_of(client_layer(telemetry), address)
}

/// Hands on what passes to `to`, until the handle is aborted: then the connection breaks on both sides.
pub(crate) async fn breakable(to: SocketAddr) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let task = tokio::spawn(async move {
        let (mut from, _) = listener.accept().await.expect("a connection");
        drop(listener);
        let mut to = TcpStream::connect(to).await.expect("a server");
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    });
    (address, task.abort_handle())
}

pub(crate) fn of_kind(telemetry: &TestTelemetry, kind: &SpanKind) -> SpanData {
    let mut found = telemetry.spans().into_iter().filter(|span| span.span_kind == *kind);
    let span = found.next().unwrap_or_else(|| panic!("no span is {kind:?}\n{}", telemetry.tree()));
    assert!(found.next().is_none(), "several spans are {kind:?}\n{}", telemetry.tree());
    span
}

/// Waits until both ends have ended, and nothing is in flight.
pub(crate) async fn settled(telemetry: &TestTelemetry) {
    eventually(BOUND, || {
        telemetry.started_spans() == 2
            && telemetry.spans().len() == 2
            && telemetry.histogram_count(SERVER_DURATION) == 1
            && telemetry.histogram_count(CLIENT_DURATION) == 1
            && in_flight(telemetry, "server") == 0.0
            && in_flight(telemetry, "client") == 0.0
    })
    .await;
}

pub(crate) fn in_flight(telemetry: &TestTelemetry, side: &str) -> f64 {
    telemetry.sum(&format!("grpc.{side}.active_requests"))
}

/// What one end says of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// As the metric says it.
    pub(crate) method: &'static str,
    pub(crate) code: &'static str,
    pub(crate) error_type: Option<&'static str>,
}

impl Outcome {
    pub(crate) fn new(method: &'static str, code: &'static str, error_type: Option<&'static str>) -> Self {
        Self { method, code, error_type }
    }
}

/// The span and the metric of one end say this, once.
#[track_caller]
pub(crate) fn assert_outcome(telemetry: &TestTelemetry, kind: &SpanKind, expected: Outcome) {
    let span = of_kind(telemetry, kind);
    let context = format!("{expected:?} {kind:?}\n{}", telemetry.tree());
    let name = if expected.method == "_OTHER" { "grpc" } else { expected.method };
    assert_eq!(span.name, name, "{context}");
    assert!(span.has("rpc.status_code", expected.code), "{context}");
    let error_type = span.attribute("error.type").map(|value| value.as_str().into_owned());
    assert_eq!(error_type.as_deref(), expected.error_type, "{context}");
    let status = if expected.error_type.is_some() { Status::error("") } else { Status::Unset };
    assert_eq!(span.status, status, "{context}");
    let keys: Vec<_> = span.attributes.iter().map(|attribute| &attribute.key).collect();
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(keys.len(), distinct.len(), "an attribute is there twice: {context}");

    let metric = if *kind == SpanKind::Server { SERVER_DURATION } else { CLIENT_DURATION };
    let points = telemetry.points(metric);
    let [point] = points.as_slice() else { panic!("one series: {points:?} {context}") };
    assert_eq!(point.count(), Some(1), "{context}");
    assert!(
        point.has("rpc.system.name", "grpc") && point.has("rpc.method", expected.method),
        "{point:?} {context}"
    );
    assert!(point.has("rpc.status_code", expected.code), "{point:?} {context}");
    let error_type = point.attribute("error.type").and_then(|value| value.as_str());
    assert_eq!(error_type, expected.error_type, "{point:?} {context}");
    let has_server = point.attribute("server.address").is_some() && point.attribute("server.port").is_some();
    assert_eq!(has_server, *kind == SpanKind::Client, "{point:?} {context}");
    let expected_len = 3 + usize::from(expected.error_type.is_some()) + 2 * usize::from(has_server);
    assert_eq!(point.attributes.len(), expected_len, "{point:?} {context}");
}

/// A call that ends well.
pub(crate) fn well(kind: Kind) -> Asked {
    Asked::new(kind, Code::Ok, End::Trailers)
}
