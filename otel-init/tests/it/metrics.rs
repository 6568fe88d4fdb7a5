//! What becomes of measurements: views, limits, guards, what the process uses.

use opentelemetry::{KeyValue, global};
use otel_init::opentelemetry_sdk::metrics::{InstrumentKind, Temporality};
use otel_init::{Redact, Redaction, Signal, Telemetry, TelemetryBuilder, View, opentelemetry};
use otel_testing::{OtlpReceiver, Reply};

use crate::child;
use crate::patient;

pub(crate) fn alone(test: &str, action: impl FnOnce()) -> Option<child::Finished> {
    child::told(test, "warn", action)
}

/// Metrics alone, to a receiver.
fn metrics_to(receiver: &OtlpReceiver) -> TelemetryBuilder {
    patient()
        .with_endpoint(receiver.http_endpoint())
        .with_exporters(Signal::Traces, ["none"])
        .with_exporters(Signal::Logs, ["none"])
}

#[test]
fn views_rename_drop_filter_and_choose_buckets() {
    alone("metrics::views_rename_drop_filter_and_choose_buckets", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = metrics_to(&receiver)
            .with_view(
                View::new("orders").in_meter("shop").renamed("shop.orders").with_attributes(["country"]),
            )
            .with_view(View::new("latency").with_unit("s").with_buckets([0.1, 1.0]))
            .with_view(View::new("size").of_kind(InstrumentKind::Histogram).with_exponential_histogram())
            .with_view(View::new("*").in_meter("chatty").dropped())
            .with_metric_attributes("guarded", ["kind"])
            .with_temporality(Temporality::Delta)
            .install()
            .unwrap();
        let (shop, chatty) = (global::meter("shop"), global::meter("chatty"));
        let orders = shop.u64_counter("orders").build();
        for user in ["1", "2", "3"] {
            orders.add(1, &[KeyValue::new("country", "de"), KeyValue::new("user", user)]);
        }
        shop.f64_histogram("latency").with_unit("s").build().record(0.5, &[]);
        shop.f64_histogram("latency.ms").with_unit("ms").build().record(0.5, &[]);
        shop.f64_histogram("size").build().record(0.5, &[]);
        chatty.u64_counter("noise").build().add(1, &[]);
        let guarded = global::meter("guarded").u64_counter("clicks").build();
        guarded.add(1, &[KeyValue::new("kind", "a"), KeyValue::new("session", "x")]);
        telemetry.shutdown_blocking().unwrap();

        let metrics = receiver.metrics();
        let named = |name: &str| metrics.iter().find(|metric| metric.name() == name);
        assert!(named("noise").is_none() && named("orders").is_none());
        let orders = named("shop.orders").unwrap_or_else(|| panic!("{metrics:?}"));
        let text = format!("{orders:?}");
        assert!(text.contains("country") && !text.contains("user") && text.contains('3'), "{text}");
        let clicks = format!("{:?}", named("clicks").unwrap());
        assert!(clicks.contains("kind") && !clicks.contains("session"), "{clicks}");
        let bounds = |name: &str| format!("{:?}", named(name).unwrap());
        assert!(bounds("latency").contains("[0.1, 1.0]"), "{}", bounds("latency"));
        assert!(bounds("latency.ms").contains("7500.0"), "the default: {}", bounds("latency.ms"));
        assert!(!bounds("size").contains("7500.0"), "{}", bounds("size"));
    });
}

#[test]
fn a_view_that_cannot_be_used_is_an_error() {
    alone("metrics::a_view_that_cannot_be_used_is_an_error", || {
        let error = patient().with_view(View::new("latency").with_buckets([2.0, 1.0])).install().unwrap_err();
        assert!(error.is_invalid_configuration() && error.to_string().contains("latency"), "{error}");
    });
}

#[test]
fn what_overflows_and_what_looks_like_an_id_is_told_once() {
    let finished = alone("metrics::what_overflows_and_what_looks_like_an_id_is_told_once", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = metrics_to(&receiver).with_cardinality_limit(10).install().unwrap();
        let counter = global::meter("shop").u64_counter("visits").build();
        for visitor in 0..100 {
            counter.add(
                1,
                &[KeyValue::new("visitor", format!("0f8fad5b-d9cd-469f-a165-7086772895{visitor:02}"))],
            );
        }
        telemetry.flush_blocking().unwrap();
        telemetry.flush_blocking().unwrap();
        let health = telemetry.health();
        assert_eq!(health.overflowing_metrics, ["visits"]);
        let points = receiver.metrics().into_iter().filter(|metric| metric.name() == "visits").count();
        assert!(points > 0);
    });
    if let Some(finished) = finished {
        for (text, what_to_do) in [
            (
                "the metric visits of \"shop\" has more sets",
                "leave an attribute of many values out, or raise",
            ),
            ("the attribute visitor of the metric visits", "Leave it out"),
        ] {
            let lines = finished.lines(text);
            assert_eq!(lines.len(), 1, "{}", finished.console);
            assert!(lines[0].contains(what_to_do), "{lines:?}");
        }
        assert!(!finished.console.contains("0f8fad5b"), "values may be personal: {}", finished.console);
    }
}

#[test]
fn secrets_in_the_attributes_of_metrics_are_masked() {
    alone("metrics::secrets_in_the_attributes_of_metrics_are_masked", || {
        let receiver = OtlpReceiver::start().unwrap();
        let redaction = Redaction::new()
            .with_key("coupon", Redact::Drop)
            .with_value("CUST-\\d+", Redact::replace("CUST"));
        let telemetry = metrics_to(&receiver).with_redaction(redaction).install().unwrap();
        let meter = global::meter("shop");
        let attributes = [
            KeyValue::new("password", "hunter2"),
            KeyValue::new("note", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
            KeyValue::new("customer", "CUST-918273645546"),
            KeyValue::new("coupon", "SUMMER"),
            KeyValue::new("country", "de"),
        ];
        meter.u64_counter("a").build().add(1, &attributes);
        meter.f64_histogram("b").build().record(1.0, &attributes);
        meter.i64_up_down_counter("c").build().add(1, &attributes);
        meter.f64_gauge("d").build().record(1.0, &attributes);
        telemetry.shutdown_blocking().unwrap();
        let metrics: Vec<_> = receiver
            .metrics()
            .into_iter()
            .filter(|metric| ["a", "b", "c", "d"].contains(&metric.name()))
            .collect();
        assert_eq!(metrics.len(), 4);
        for metric in metrics {
            let text = format!("{metric:?}");
            for secret in ["hunter2", "c2lnbmF0dXJl", "918273645546", "SUMMER"] {
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
            assert!(text.contains("country"), "{text}");
        }
    });
}

#[test]
fn rules_for_keys_hold_for_values_of_every_kind() {
    alone("metrics::rules_for_keys_hold_for_values_of_every_kind", || {
        let receiver = OtlpReceiver::start().unwrap();
        let redaction = Redaction::new().with_key("customer.number", Redact::Drop).with_allowed_keys([
            "customer.*",
            "user.*",
            "api_key",
            "notes",
            "shelf",
            "is_gift",
        ]);
        let telemetry =
            metrics_to(&receiver).with_redaction(redaction).with_cardinality_limit(1).install().unwrap();
        let texts = |texts: &[&'static str]| {
            let texts: Vec<opentelemetry::StringValue> = texts.iter().map(|text| (*text).into()).collect();
            opentelemetry::Value::Array(texts.into())
        };
        let attributes = [
            KeyValue::new("customer.number", 4711),
            KeyValue::new("user.pin", 8642),
            KeyValue::new("api_key", texts(&["hunter2"])),
            KeyValue::new("notes", texts(&["fine", "password=hunter3"])),
            KeyValue::new("shelf", 97_531),
            KeyValue::new("is_gift", true),
            KeyValue::new("till", 8080),
        ];
        let orders = global::meter("shop").u64_counter("orders").build();
        orders.add(1, &attributes);
        orders.add(1, &[KeyValue::new("shelf", 2)]);
        telemetry.shutdown_blocking().unwrap();
        let metrics = receiver.metrics();
        let orders = metrics.iter().find(|metric| metric.name() == "orders").unwrap();
        let text = format!("{orders:?}");
        for secret in ["4711", "8642", "hunter2", "hunter3", "8080"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        for harmless in ["fine", "97531", "is_gift", "notes", "otel.metric.overflow"] {
            assert!(text.contains(harmless), "{harmless} is not in {text}");
        }
    });
}

#[test]
fn a_limit_that_no_memory_holds_is_no_end_of_the_service() {
    alone("metrics::a_limit_that_no_memory_holds_is_no_end_of_the_service", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = metrics_to(&receiver)
            .with_cardinality_limit(usize::MAX)
            .with_view(View::new("visits").with_cardinality_limit(usize::MAX / 2))
            .install()
            .unwrap();
        for name in ["orders", "visits"] {
            global::meter("shop").u64_counter(name).build().add(1, &[KeyValue::new("country", "de")]);
        }
        telemetry.shutdown_blocking().unwrap();
        let metrics = receiver.metrics();
        for name in ["orders", "visits"] {
            assert!(metrics.iter().any(|metric| metric.name() == name), "{name} of {metrics:?}");
        }
    });
}

#[test]
fn the_process_and_its_runtime_are_measured_by_request() {
    alone("metrics::the_process_and_its_runtime_are_measured_by_request", || {
        let receiver = OtlpReceiver::start().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let telemetry = metrics_to(&receiver)
            .with_process_metrics()
            .with_tokio_metrics(runtime.handle().clone())
            .install()
            .unwrap();
        let _busy = runtime.spawn(std::future::pending::<()>());
        telemetry.shutdown_blocking().unwrap();
        let names: std::collections::BTreeSet<_> =
            receiver.metrics().into_iter().map(|metric| metric.name().to_owned()).collect();
        let linux = [
            "process.cpu.time",
            "process.memory.usage",
            "process.memory.virtual",
            "process.thread.count",
            "process.unix.file_descriptor.count",
            "process.paging.faults",
            "process.context_switches",
        ];
        let expected = ["process.uptime", "tokio.worker.count", "tokio.task.alive", "tokio.worker.busy.time"];
        let linux = if cfg!(target_os = "linux") { &linux[..] } else { &[] };
        for name in expected.iter().chain(linux) {
            assert!(names.contains(*name), "{name} is missing in {names:?}");
        }
    });
}

/// What a delta is of, at each of three exports, the last two of which are those of an outage.
fn differences(builder: TelemetryBuilder, receiver: &OtlpReceiver) {
    let telemetry = builder.with_exporters(Signal::Traces, ["none"]).install().unwrap();
    let meter = global::meter("shop");
    let (orders, open) = (meter.u64_counter("orders").build(), meter.i64_up_down_counter("open").build());
    let waits = meter.f64_histogram("waits").build();
    let calls = std::sync::atomic::AtomicU64::new(0);
    let seen = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
        observer.observe(10 * (1 + calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed)), &[]);
    };
    let _seen = meter.u64_observable_counter("seen").with_callback(seen).build();
    for (number, reply) in [Reply::Accept, Reply::Unavailable, Reply::Accept].into_iter().enumerate() {
        receiver.respond_with(reply);
        orders.add(1 + number as u64, &[]);
        open.add(1, &[]);
        waits.record(2.0, &[]);
        assert_eq!(telemetry.flush_blocking().is_ok(), reply == Reply::Accept, "{number}");
    }
    telemetry.shutdown_blocking().unwrap();
    let all = receiver.metrics();
    let of = |name: &str| -> Vec<_> { all.iter().filter(|metric| metric.name() == name).collect() };
    let totals = |name: &str| -> Vec<_> { of(name).iter().map(|metric| metric.metric.total()).collect() };
    let temporality = |name: &str| of(name)[0].metric.temporality;
    assert_eq!(totals("orders"), [1.0, 2.0, 3.0]);
    assert_eq!(totals("waits"), [2.0, 2.0, 2.0]);
    // The shutdown collects once more.
    assert_eq!(totals("seen"), [10.0, 10.0, 10.0, 10.0]);
    assert_eq!(totals("open"), [1.0, 2.0, 3.0, 3.0], "no difference: what is open now");
    for delta in ["orders", "waits", "seen"] {
        assert_eq!(temporality(delta), Some(Temporality::Delta), "{delta}");
    }
    assert_eq!(temporality("open"), Some(Temporality::Cumulative));
}

#[test]
fn differences_are_asked_for_by_code_variable_or_file() {
    let test = "metrics::differences_are_asked_for_by_code_variable_or_file";
    let receiver = OtlpReceiver::start().unwrap();
    match std::env::var("TEST_WAY").as_deref() {
        Ok("code") => differences(metrics_to(&receiver).with_temporality(Temporality::Delta), &receiver),
        Ok("variable") => differences(metrics_to(&receiver), &receiver),
        Ok("file") => {
            let endpoint = receiver.http_endpoint();
            let text = format!(
                "file_format: '1.0'\nmeter_provider:\n  readers:\n    - periodic:\n        exporter:\n          \
                 otlp_http: {{endpoint: '{endpoint}/v1/metrics', temporality_preference: delta}}\n"
            );
            let path = std::env::temp_dir().join(format!("otel-init-{}-delta.yaml", std::process::id()));
            std::fs::write(&path, text).unwrap();
            differences(Telemetry::builder().with_config_file(path.to_str().unwrap()), &receiver);
            std::fs::remove_file(path).unwrap();
        }
        _ => {
            for way in ["code", "variable", "file"] {
                let preference = if way == "variable" { "delta" } else { "" };
                let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
                child::run(test, &[("TEST_WAY", way), (name, preference)]);
            }
        }
    }
}
