//! What OTLP/JSON has no plain word for.

use opentelemetry::trace::{Span, Tracer};
use opentelemetry::{Array, KeyValue, Value, global};
use otel_init::opentelemetry;
use otel_testing::{AttributeValue, OtlpReceiver};

use crate::child;
use crate::patient;

#[test]
fn doubles_that_are_no_numbers_arrive() {
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        let mut span = global::tracer("json").start("measured");
        span.set_attribute(KeyValue::new("rate", f64::NEG_INFINITY));
        span.set_attribute(KeyValue::new("rates", Value::Array(Array::F64(vec![0.5, f64::INFINITY]))));
        // Of metrics the SDK takes none of these.
        span.set_attribute(KeyValue::new("ratio", f64::NAN));
        span.end();
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    for protocol in ["http/json", "http/protobuf", "grpc"] {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        child::run(
            "json::doubles_that_are_no_numbers_arrive",
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)],
        );
        let spans = receiver.spans();
        assert!(spans[0].has("rate", f64::NEG_INFINITY), "{protocol}: {:?}", spans[0]);
        let rates = AttributeValue::Array(vec![0.5.into(), f64::INFINITY.into()]);
        assert!(spans[0].has("rates", rates), "{protocol}: {:?}", spans[0]);
        let ratio = spans[0].attribute("ratio");
        assert!(
            matches!(ratio, Some(AttributeValue::Double(ratio)) if ratio.is_nan()),
            "{protocol}: {ratio:?}"
        );
    }
}
