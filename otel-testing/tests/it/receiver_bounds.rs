use opentelemetry::logs::{Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, metrics::Meter};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otel_testing::{OtlpReceiver, Reply};
use tonic::{Code, Status};

use crate::sender::Sender;

fn request(spans_per_scope: [usize; 2]) -> ExportTraceServiceRequest {
    let scope_spans = spans_per_scope.map(|count| ScopeSpans {
        spans: (0..count).map(|n| Span { name: format!("span {n}"), ..Span::default() }).collect(),
        ..ScopeSpans::default()
    });
    let resource_spans = ResourceSpans { scope_spans: scope_spans.into(), ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

fn export(
    receiver: &OtlpReceiver,
    request: ExportTraceServiceRequest,
) -> Result<ExportTraceServiceResponse, Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = TraceServiceClient::connect(receiver.grpc_endpoint()).await.unwrap();
        Ok(client.export(request).await?.into_inner())
    })
}

#[test]
fn a_full_receiver_drops_counts_and_tells_the_sender() {
    let receiver = OtlpReceiver::builder().with_max_items(5).start().unwrap();
    let response = export(&receiver, request([3, 4])).unwrap();
    assert_eq!(receiver.spans().len(), 5);
    assert_eq!(receiver.dropped(), 2);
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("full"), "{}", partial.error_message);

    let response = export(&receiver, request([1, 1])).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_spans, 2);
    assert_eq!((receiver.spans().len(), receiver.dropped(), receiver.request_count()), (5, 4, 2));
    let json = receiver.to_otlp_json().unwrap();
    assert_eq!(json.matches(r#""name":"span "#).count(), 5);

    receiver.clear();
    assert_eq!(receiver.dropped(), 0);
    assert_eq!(export(&receiver, request([1, 1])).unwrap().partial_success, None);
    assert_eq!(receiver.spans().len(), 2);
}

#[test]
fn the_bound_counts_all_three_signals_and_no_sender_fails() {
    let receiver = OtlpReceiver::builder().with_max_items(4).start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    for _ in 0..3 {
        sender.traces.tracer("shop").in_span("checkout", |_| ());
    }
    sender.traces.force_flush().unwrap();
    let meter: Meter = sender.metrics.meter("shop");
    let orders = meter.u64_counter("orders").build();
    orders.add(1, &[KeyValue::new("tier", "gold")]);
    orders.add(1, &[KeyValue::new("tier", "silver")]);
    sender.metrics.force_flush().unwrap();
    let logger = sender.logs.logger("shop");
    logger.emit(logger.create_log_record());
    logger.emit(logger.create_log_record());
    sender.logs.force_flush().unwrap();

    // One item fits after the spans: not a metric of two points, which is kept whole or not at all, but a log record.
    assert_eq!(receiver.spans().len(), 3);
    assert!(receiver.metrics().is_empty());
    assert_eq!(receiver.logs().len(), 1);
    assert_eq!(receiver.dropped(), 3);
}

#[test]
fn refuses_when_told_to() {
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    assert_eq!(export(&receiver, request([1, 0])).unwrap_err().code(), Code::Unavailable);
    receiver.respond_with(Reply::InvalidArgument);
    assert_eq!(export(&receiver, request([1, 0])).unwrap_err().code(), Code::InvalidArgument);
    assert!(receiver.spans().is_empty());
    assert!(receiver.requests().iter().all(|request| !request.accepted));
    receiver.respond_with(Reply::Accept);
    export(&receiver, request([1, 0])).unwrap();
    assert_eq!((receiver.spans().len(), receiver.request_count(), receiver.dropped()), (1, 3, 0));
}

#[test]
fn many_senders_at_once_lose_nothing() {
    let receiver = OtlpReceiver::start().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut client = TraceServiceClient::connect(receiver.grpc_endpoint()).await.unwrap();
                    for _ in 0..20 {
                        client.export(request([5, 5])).await.unwrap();
                    }
                });
            });
        }
    });
    assert_eq!((receiver.spans().len(), receiver.request_count()), (16 * 20 * 10, 16 * 20));
}
