//! The receiver makes no telemetry of its own. In a process of its own, because it needs the global subscriber.
#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use otel_testing::{OtlpReceiver, TestTelemetry};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

/// Names of the threads on which anything was said.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self) {
        self.0.lock().unwrap().push(std::thread::current().name().unwrap_or("unnamed").to_owned());
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        self.note();
        span::Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {
        self.note();
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn nothing_is_said_on_the_receivers_thread() {
    let heard = Heard::default();
    tracing::subscriber::set_global_default(heard.clone()).unwrap();
    let receiver = OtlpReceiver::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = TraceServiceClient::connect(receiver.grpc_endpoint()).await.unwrap();
        client.export(ExportTraceServiceRequest::default()).await.unwrap();
    });
    assert_eq!(receiver.request_count(), 1);
    drop(receiver);

    let threads = heard.0.lock().unwrap().clone();
    let (receivers, others): (Vec<_>, Vec<_>) = threads.iter().partition(|thread| *thread == "otlp-receiver");
    // The client's side of the same connection is heard, so that silence means something.
    assert!(!others.is_empty());
    assert_eq!(receivers.len(), 0);

    // This subscriber is the process's: what would be lost is said.
    let refused = std::panic::catch_unwind(TestTelemetry::route_tracing).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("the process has another global subscriber of tracing"), "{message}");
}
