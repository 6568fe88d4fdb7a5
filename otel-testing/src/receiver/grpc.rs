//! OTLP over gRPC.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tonic::codec::CompressionEncoding;
use tonic::metadata::KeyAndValueRef;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::connection::Connections;
use super::export::ExportRequest;
use super::store::Store;
use super::{Protocol, fault};

const ENCODINGS: &[CompressionEncoding] = &[
    CompressionEncoding::Gzip,
    #[cfg(feature = "zstd")]
    CompressionEncoding::Zstd,
];

/// Serves until it is dropped.
pub(super) async fn serve(connections: Connections, store: Arc<Store>, max_message_bytes: usize) {
    let service = Service(store);
    let mut traces = TraceServiceServer::new(service.clone()).max_decoding_message_size(max_message_bytes);
    let mut metrics = MetricsServiceServer::new(service.clone()).max_decoding_message_size(max_message_bytes);
    let mut logs = LogsServiceServer::new(service).max_decoding_message_size(max_message_bytes);
    for encoding in ENCODINGS {
        traces = traces.accept_compressed(*encoding);
        metrics = metrics.accept_compressed(*encoding);
        logs = logs.accept_compressed(*encoding);
    }
    let server = Server::builder().add_service(traces).add_service(metrics).add_service(logs);
    // It returns only when there are no more connections to come.
    let _ = server.serve_with_incoming(connections.into_stream()).await;
}

#[derive(Clone)]
struct Service(Arc<Store>);

impl Service {
    async fn receive<R: ExportRequest>(&self, request: Request<R>) -> Result<Response<R::Response>, Status> {
        let headers = request.metadata().iter().filter_map(|entry| match entry {
            KeyAndValueRef::Ascii(key, value) => Some((key.to_string(), value.to_str().ok()?.to_owned())),
            KeyAndValueRef::Binary(..) => None,
        });
        let headers = headers.collect();
        match self.0.receive(request.into_inner(), Protocol::Grpc, headers) {
            Ok((rejected, delay)) => {
                fault::pause(delay).await;
                Ok(Response::new(R::response(rejected)))
            }
            Err(reply) => Err(fault::grpc_status(reply).await),
        }
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.receive(request).await
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.receive(request).await
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.receive(request).await
    }
}
