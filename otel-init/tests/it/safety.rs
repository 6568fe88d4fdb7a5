//! Secrets that were planted do not leave the process.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use otel_init::{Redact, Redaction};
use otel_testing::OtlpReceiver;

use crate::child;
use crate::patient;

const CANARIES: &str = "TEST_CANARIES";

/// A secret for each place, the same in parent and child.
struct Canaries(Vec<String>);

impl Canaries {
    fn made_up() -> Self {
        Self((0..16).map(|_| RandomIdGenerator::default().new_trace_id().to_string()).collect())
    }

    fn planted() -> Self {
        Self(std::env::var(CANARIES).unwrap().split(',').map(str::to_owned).collect())
    }

    fn at(&self, place: usize) -> &str {
        &self.0[place]
    }
}

/// Plants the secrets everywhere.
fn plant() {
    let canary = Canaries::planted();
    let telemetry = patient()
        .with_resource_attribute("deploy.token", canary.at(0).to_owned())
        .with_baggage_attribute("*")
        .with_redaction(Redaction::new().with_key("order.note", Redact::Drop))
        .install()
        .unwrap();
    let baggage = Context::new().with_baggage([
        KeyValue::new("session_token", canary.at(1).to_owned()),
        KeyValue::new("note", format!("api_key={}", canary.at(2))),
    ]);
    let tracer = global::tracer("safety");
    let linked = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    let mut span = tracer
        .span_builder(format!("GET /login?password={}", canary.at(3)))
        .with_attributes([
            KeyValue::new("db.password", canary.at(4).to_owned()),
            KeyValue::new("url.full", format!("https://user:{}@host/", canary.at(5))),
            KeyValue::new("order.note", canary.at(6).to_owned()),
        ])
        .with_links(vec![Link::new(linked, vec![KeyValue::new("auth_token", canary.at(7).to_owned())], 0)])
        .start_with_context(&tracer, &baggage);
    span.set_attribute(KeyValue::new("note", format!("Bearer {}", canary.at(8))));
    span.add_event(
        format!("login with password={}", canary.at(9)),
        vec![KeyValue::new("http.request.header.cookie", canary.at(10).to_owned())],
    );
    span.set_status(Status::error(format!("refused: secret={}", canary.at(11))));
    span.end();
    let _attached = baggage.attach();
    tracing::info!(password = canary.at(12), url = format!("redis://:{}@cache", canary.at(13)), "planted");
    tracing::error!("failed with authorization: Basic {}", canary.at(14));
    tracing::info_span!("inner", api_key = canary.at(15)).in_scope(|| tracing::info!("inside"));
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn no_secret_is_in_any_exported_byte() {
    if child::is_child() {
        return plant();
    }
    let test = "safety::no_secret_is_in_any_exported_byte";
    for protocol in ["http/protobuf", "grpc"] {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        let canaries = Canaries::made_up();
        child::run(
            test,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                (CANARIES, &canaries.0.join(",")),
            ],
        );
        let exported = receiver.to_otlp_json().unwrap();
        let leaked: Vec<_> =
            canaries.0.iter().enumerate().filter(|(_, canary)| exported.contains(*canary)).collect();
        assert!(leaked.is_empty(), "{leaked:?} of {}: {exported}", canaries.0.len());
        // What was around the secrets arrived.
        let names: Vec<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
        assert!(names.contains(&"GET /login?password=REDACTED".to_owned()), "{names:?}");
        assert_eq!(names.len(), 2);
        assert_eq!(receiver.logs().len(), 3);
        let login = receiver.spans().iter().find(|span| span.name.starts_with("GET")).cloned().unwrap();
        assert!(login.has("db.password", "REDACTED"));
        assert!(login.has("url.full", "https://REDACTED@host/"));
        assert!(login.has("session_token", "REDACTED"));
        assert!(login.has("note", "Bearer REDACTED"));
        assert!(login.resource.attributes.has("deploy.token", "REDACTED"));
    }
}
