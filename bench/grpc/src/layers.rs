//! Client and server in one process, with one instrumentation on both ends.

use std::hint::black_box;

use bench_http::telemetry::Installed;
use futures_util::FutureExt;
use http_body::Body as HttpBody;
use otel_grpc::{GrpcClientLayer, GrpcServerLayer};
use tonic::body::Body;
use tonic::codegen::StdError;
use tower::ServiceBuilder;
use tracing::Level;

use crate::floor::{Floor, FloorLayer};
use crate::hello::{HelloClient, HelloServer};

/// Nothing around.
pub fn bare() -> HelloClient<HelloServer> {
    HelloClient::new(HelloServer)
}

type Ours = otel_grpc::GrpcClient<otel_grpc::GrpcServer<HelloServer>>;

pub fn ours() -> HelloClient<Ours> {
    ours_with(GrpcServerLayer::new(), GrpcClientLayer::for_target("http://hello.internal:50051"))
}

pub fn ours_with(server: GrpcServerLayer, client: GrpcClientLayer) -> HelloClient<Ours> {
    HelloClient::new(ServiceBuilder::new().layer(client).layer(server).service(HelloServer))
}

/// Only the end that calls.
pub fn our_client() -> HelloClient<otel_grpc::GrpcClient<HelloServer>> {
    let client = GrpcClientLayer::for_target("http://hello.internal:50051");
    HelloClient::new(ServiceBuilder::new().layer(client).service(HelloServer))
}

/// Only the end that answers.
pub fn our_server() -> HelloClient<otel_grpc::GrpcServer<HelloServer>> {
    HelloClient::new(ServiceBuilder::new().layer(GrpcServerLayer::new()).service(HelloServer))
}

/// Everything that is behind a switch.
pub fn ours_in_full() -> HelloClient<Ours> {
    let server = GrpcServerLayer::builder().with_grpc_metrics(true).with_message_counts(true);
    let client = GrpcClientLayer::builder().with_grpc_metrics(true).with_message_counts(true);
    ours_with(server.build(), client.with_target("http://hello.internal:50051").build())
}

/// Both ends by hand.
pub fn by_hand(installed: &Installed) -> HelloClient<Floor<Floor<HelloServer>>> {
    let (client, server) = (FloorLayer::client(installed), FloorLayer::server(installed));
    HelloClient::new(ServiceBuilder::new().layer(client).layer(server).service(HelloServer))
}

/// A closure that makes one unary call.
pub fn say<T>(mut client: HelloClient<T>) -> impl FnMut()
where
    T: tonic::client::GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    move || {
        let answer = client.say(7).now_or_never().expect("nothing waits").expect("an answer");
        black_box(answer);
    }
}

/// A closure that takes a stream of so many messages.
pub fn count<T>(mut client: HelloClient<T>, messages: u64) -> impl FnMut()
where
    T: tonic::client::GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    move || {
        let all = async {
            let mut stream = client.count(messages).await.expect("a stream");
            let mut seen = 0;
            while let Some(number) = stream.message().await.expect("a message") {
                seen += 1;
                black_box(number);
            }
            assert_eq!(seen, messages);
        };
        // The stream yields now and then; nobody else is there.
        futures_util::FutureExt::now_or_never(all).unwrap_or_else(|| unreachable!("nothing waits"));
    }
}

pub fn tonic_tracing() -> impl FnMut() {
    use tonic_tracing_opentelemetry::middleware::{client, server};
    let service = ServiceBuilder::new()
        .layer(client::OtelGrpcLayer)
        .layer(server::OtelGrpcLayer::default())
        .service(HelloServer);
    say(HelloClient::new(service))
}

pub fn tower_otel() -> impl FnMut() {
    use tower_otel::trace::GrpcLayer;
    let service = ServiceBuilder::new()
        .layer(GrpcLayer::client(Level::INFO))
        .layer(GrpcLayer::server(Level::INFO))
        .service(HelloServer);
    say(HelloClient::new(service))
}
