//! Secrets that were planted do not leave the process.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue, StringValue, Value, global};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use otel_init::{ConsoleLogs, DiskBuffer, ExemplarFilter, Redact, Redaction, Telemetry};
use otel_testing::{OtlpReceiver, Reply};

use crate::child;
use crate::patient;
use crate::scripted::{Reaction, Scripted};

const CANARIES: &str = "TEST_CANARIES";

/// A secret for each place, the same in parent and child.
#[derive(Debug)]
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

/// The `place`th secret, in a text that says so.
fn told(place: usize) -> String {
    format!("login with password={} failed", Canaries::planted().at(place))
}

/// Plants secrets wherever the API takes a text, but for the console, which shows what `tracing` says as it is.
fn plant_in_every_signal() {
    let canary = Canaries::planted();
    let builder = Telemetry::builder()
        .with_resource_attribute("note", told(0))
        .with_console_logs(ConsoleLogs::Compact)
        .with_exemplar_filter(ExemplarFilter::AlwaysOn)
        .with_metric_attributes("till", ["note"]);
    let builder = match std::env::var("TEST_FOLDER") {
        Ok(folder) => builder.with_disk_buffer(DiskBuffer::new(folder)),
        Err(_) => builder,
    };
    let telemetry = builder.install().unwrap();
    let secret = || KeyValue::new("api_key", canary.at(1).to_owned());
    let scope = |name: &'static str| {
        InstrumentationScope::builder(name)
            .with_attributes([secret(), KeyValue::new("note", told(2))])
            .build()
    };
    let tracer = telemetry.tracer_provider().tracer_with_scope(scope("spans"));
    let mut span = tracer.start(told(3));
    span.set_attribute(KeyValue::new("list", Value::Array(vec![StringValue::from(told(4))].into())));
    span.record_error(&std::io::Error::other(told(5)));
    span.end();
    let meter = telemetry.meter_provider().meter_with_scope(scope("till"));
    meter.u64_counter("orders").build().add(1, &[KeyValue::new("note", told(6)), secret()]);
    meter.f64_histogram("waits").build().record(1.0, &[KeyValue::new("filtered", told(7)), secret()]);
    let logger = telemetry.logger_provider().logger_with_scope(scope("records"));
    let mut record = logger.create_log_record();
    let nested = HashMap::from([
        (Key::new("list"), AnyValue::ListAny(Box::new(vec![told(8).into()]))),
        (Key::new("bytes"), AnyValue::Bytes(Box::new([told(9).as_bytes(), b"\xff"].concat()))),
        (Key::new("secret"), AnyValue::ListAny(Box::new(vec![canary.at(10).to_owned().into()]))),
    ]);
    record.set_body(AnyValue::Map(Box::new(nested.clone())));
    record.add_attribute("nested", AnyValue::Map(Box::new(nested)));
    record.set_target(told(11));
    logger.emit(record);
    if let Some(address) = telemetry.prometheus_address() {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        write!(connection, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        std::io::copy(&mut connection, &mut std::io::stderr()).unwrap();
    }
    eprintln!("{:?} {:?} {}", telemetry, telemetry.config(), telemetry.config());
    let _ = telemetry.flush_blocking();
    let shown = format!("{:?}", telemetry.health());
    eprintln!("{shown} {:?}", telemetry.shutdown_blocking());
}

#[test]
fn no_secret_leaves_by_any_way() {
    if child::is_child() {
        return plant_in_every_signal();
    }
    let test = "safety::no_secret_leaves_by_any_way";
    let folder = std::env::temp_dir().join(format!("otel-init-safety-{}", std::process::id()));
    let folder_text = folder.to_str().unwrap();
    for way in ["http/protobuf", "grpc", "http/json", "disk", "echo", "otlp/stdout", "console", "prometheus"]
    {
        let (receiver, canaries) = (OtlpReceiver::start().unwrap(), Canaries::made_up());
        let echo = format!("no such token: {}", canaries.at(12));
        let length = format!("content-length: {}\r\n\r\n{echo}", echo.len());
        let echoing = Scripted::start(&[Reaction::Answer(format!("HTTP/1.1 401 Unauthorized\r\n{length}"))]);
        if way == "disk" {
            receiver.respond_with(Reply::Unavailable);
        }
        let endpoint = match way {
            "grpc" => receiver.grpc_endpoint(),
            "echo" => echoing.http(),
            _ => receiver.http_endpoint(),
        };
        let (all, token) = (canaries.0.join(","), format!("authorization=Bearer {}", canaries.at(12)));
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", &*token),
            (CANARIES, &*all),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ];
        let exporters = ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"];
        match way {
            "otlp/stdout" | "console" => variables.extend(exporters.map(|name| (name, way))),
            "prometheus" => variables.extend(exporters.map(|name| (name, way)).into_iter().skip(1).take(1)),
            "disk" => variables.push(("TEST_FOLDER", folder_text)),
            "echo" => {}
            protocol => variables.push(("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)),
        }
        let finished = child::run(test, &variables);
        let mut seen = format!("{}{}", finished.console, finished.output);
        seen.push_str(&receiver.to_otlp_json().unwrap());
        if way == "disk" {
            files(&folder, &mut seen);
        }
        let leaked: Vec<_> = (0..16).filter(|place| seen.contains(canaries.at(*place))).collect();
        assert!(leaked.is_empty(), "{way}: {leaked:?} {canaries:?} in {seen}");
        // What was around them is there.
        assert!(way == "echo" || seen.contains("login with password=REDACTED failed"), "{way}: {seen}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// All that is in the files of a folder.
fn files(folder: &Path, seen: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, seen);
        } else {
            seen.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}
