use insta::assert_snapshot;
use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Span, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use otel_testing::{AssertTelemetry, Captured, OtlpReceiver, Snapshot, TestTelemetry};

use crate::receiver::send_everything;
use crate::sender::Sender;
use crate::spans::checkout;

/// With what differs between runs: ids, times, durations, the order of points, a port.
fn everything(port: i64) -> Snapshot {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    let open = telemetry.tracer_provider().tracer("shop").start("open");
    let meter = telemetry.meter_provider().meter("shop");
    let orders = meter.u64_counter("orders").with_unit("{order}").build();
    for tier in ["silver", "gold", "bronze", "tin"] {
        orders.add(
            1,
            &[KeyValue::new("tier", tier), KeyValue::new("country", "fr"), KeyValue::new("port", port)],
        );
    }
    let duration = meter.f64_histogram("duration").with_unit("s").with_boundaries(vec![0.1]).build();
    duration.record(port as f64, &[]);
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::info_span!("handler", port)
            .in_scope(|| tracing::info!(name: "placed", port, "order placed"));
    });
    let snapshot = telemetry.snapshot().redact(["port"]);
    drop(open);
    snapshot
}

#[test]
fn text_and_json_are_the_same_on_every_run() {
    let (first, second) = (everything(40_001), everything(50_002));
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(first.to_json(), second.to_json());
    assert_snapshot!(first.to_string());
    assert_snapshot!(first.to_json());
}

#[test]
fn attributes_of_scopes_are_redacted_too() {
    let telemetry = TestTelemetry::new();
    let scope =
        InstrumentationScope::builder("shop").with_attributes([KeyValue::new("port", 40_001)]).build();
    telemetry.tracer_provider().tracer_with_scope(scope.clone()).start("checkout").end();
    telemetry.meter_provider().meter_with_scope(scope.clone()).u64_counter("orders").build().add(1, &[]);
    let logger = telemetry.logger_provider().logger_with_scope(scope);
    logger.emit(logger.create_log_record());
    let json = telemetry.snapshot().redact(["port"]).to_json();
    assert_eq!((json.matches("[redacted]").count(), json.contains("40001")), (3, false), "{json}");
}

/// Which of two requests a server has answered.
#[test]
fn a_remote_parent_that_is_there_is_named() {
    let telemetry = TestTelemetry::new();
    let tracer = telemetry.tracer_provider().tracer("shop");
    let (first, second) = (tracer.start("GET"), tracer.start("GET"));
    let answered = second.span_context();
    for (trace_id, span_id) in
        [(answered.trace_id(), answered.span_id()), (TraceId::from(1), SpanId::from(1))]
    {
        let parent = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE);
        let caller = Context::new().with_remote_span_context(parent);
        tracer.start_with_context("handle", &caller).end();
    }
    drop((first, second));
    let json: serde_json::Value = serde_json::from_str(&telemetry.snapshot().to_json()).unwrap();
    let parents = [2, 3].map(|at: usize| json["spans"][at]["parent"].clone());
    assert_eq!(parents, [serde_json::json!(2), serde_json::json!("remote")]);
}

#[test]
fn received_telemetry_has_the_same_normal_form() {
    let text = || {
        let receiver = OtlpReceiver::start().unwrap();
        send_everything(&Sender::grpc(&receiver, None));
        assert!(!Captured::from(&receiver).metrics.is_empty());
        (receiver.snapshot().to_string(), receiver.snapshot().to_json())
    };
    assert_eq!(text(), text());
}
