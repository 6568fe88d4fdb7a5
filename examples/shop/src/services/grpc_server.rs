//! What a gRPC service is wrapped in, and how it starts and stops.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use otel_grpc::{GrpcServerLayer, not_health_or_reflection};
use otel_init::Telemetry;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::Server;

use super::server::{LISTENING, ServerOptions, deliver, listen, say};
use crate::Failure;

/// Serves until it is time to stop; then finishes what is being answered and delivers the telemetry.
///
/// Health and reflection are there for whoever runs the service, and not in its telemetry. `descriptors` tells reflection
/// what there is to call, and the layer which methods there are: what anybody else calls makes no names.
pub(crate) async fn serve_grpc<S>(
    options: ServerOptions,
    service: S,
    descriptors: &[u8],
    telemetry: Telemetry,
) -> Result<(), Failure>
where
    S: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    let timeout = Duration::from_millis(options.request_timeout_ms);
    let layer = GrpcServerLayer::builder()
        .with_timeout(timeout)
        .with_filter(not_health_or_reflection)
        .with_descriptor_set(descriptors)
        .with_active_requests(true)
        .build();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(descriptors)
        .build_v1()?;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status(S::NAME, tonic_health::ServingStatus::Serving).await;

    let stop = options.stop.listen();
    let listener = listen(options.listen).await?;
    say(&format!("{LISTENING}http://{}", listener.local_addr()?));
    let server = Server::builder()
        .timeout(timeout)
        .layer(layer)
        .add_service(service)
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().requested());
    let too_long = async {
        stop.requested().await;
        tokio::time::sleep(Duration::from_millis(options.grace_ms)).await;
    };
    tokio::select! {
        ended = server => ended?,
        () = too_long => tracing::warn!("calls were still being answered when the service stopped"),
    }
    deliver(telemetry).await;
    Ok(())
}
