//! All or nothing, once.

use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::metrics::{Meter, MeterProvider, NoopMeterProvider};
use opentelemetry::propagation::Injector;
use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{InstrumentationScope, global};
use otel_init::Telemetry;
use tracing_subscriber::layer::SubscriberExt;

use crate::{NOBODY, STALLED, child, patient};

fn makes_spans() -> bool {
    global::tracer("install").start("probe").span_context().is_valid()
}

#[test]
fn secrets_in_the_resource_are_not_shown_where_nothing_is_exported() {
    let secret = |builder: otel_init::TelemetryBuilder| {
        builder.with_resource_attribute("api.key", "hunter2").with_environment(|name| match name {
            "OTEL_SDK_DISABLED" => Some("true".to_owned()),
            "OTEL_RESOURCE_ATTRIBUTES" => Some("db.url=postgres://app:hunter3@db/shop".to_owned()),
            _ => None,
        })
    };
    let expect = |config: &otel_init::EffectiveConfig| {
        let shown = config.to_string();
        assert!(!shown.contains("hunter"), "{shown}");
        assert_eq!(config.setting("resource.attributes.api.key").unwrap().value(), "REDACTED");
        assert!(shown.contains("postgres://REDACTED@db/shop"), "{shown}");
    };
    child::alone("install::secrets_in_the_resource_are_not_shown_where_nothing_is_exported", || {
        expect(&secret(Telemetry::builder()).check().unwrap());
        let telemetry = secret(Telemetry::builder()).install().unwrap();
        expect(telemetry.config());
        assert_eq!(telemetry.resource().get(&"api.key".into()), Some("REDACTED".into()));
        // An empty page would leave open whether it works.
        let health = telemetry.health().to_string();
        assert!(health.starts_with("nothing was sent: every signal is switched off"), "{health}");
        assert_eq!(telemetry.shutdown_blocking().unwrap().to_string(), health);
    });
}

#[test]
fn a_second_install_is_an_error() {
    if child::is_child() {
        let telemetry = Telemetry::builder().install().unwrap();
        let error = Telemetry::builder().install().unwrap_err();
        assert!(error.is_already_installed(), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string(), "`main` shows it so");
        assert!(!error.is_subscriber_already_set());
        assert!(makes_spans(), "the first installation goes on");
        drop(telemetry);
        assert!(Telemetry::builder().install().unwrap_err().is_already_installed());
        return;
    }
    child::run("install::a_second_install_is_an_error", &[("OTEL_TRACES_EXPORTER", "none")]);
}

#[test]
fn an_existing_subscriber_is_an_error_and_nothing_is_installed() {
    if child::is_child() {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
        let error = Telemetry::builder().install().unwrap_err();
        assert!(error.is_subscriber_already_set(), "{error}");
        assert!(!makes_spans());
        assert_eq!(otel_core::install_generation(), 0);
        let mut fields = Fields::default();
        global::get_text_map_propagator(|propagator| propagator.inject(&mut fields));
        assert_eq!(fields.0, Vec::<String>::new());

        // The right to install was given back.
        let telemetry = Telemetry::builder().without_tracing_subscriber().install().unwrap();
        assert!(makes_spans());
        assert_eq!(otel_core::install_generation(), 1);
        assert!(!otel_core::sampler_reads_attributes());
        drop(telemetry);
        return;
    }
    let off =
        [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    child::run("install::an_existing_subscriber_is_an_error_and_nothing_is_installed", &off);
}

#[test]
fn an_existing_subscriber_is_told_nothing_by_the_install_that_it_stops() {
    let test = "install::an_existing_subscriber_is_told_nothing_by_the_install_that_it_stops";
    if child::is_child() {
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(std::io::stderr);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        assert!(Telemetry::builder().install().unwrap_err().is_subscriber_already_set());
        tracing::info!("the end");
        return;
    }
    let finished = child::run(test, &[]);
    let said = finished
        .console
        .lines()
        .filter(|line| ["INFO", "WARN", "ERROR"].iter().any(|level| line.contains(level)));
    assert_eq!(said.collect::<Vec<_>>(), [" INFO it::install: the end"], "{}", finished.console);
}

#[test]
fn a_subscriber_of_this_thread_is_no_global_one() {
    child::alone("install::a_subscriber_of_this_thread_is_no_global_one", || {
        let _mine = tracing::subscriber::set_default(tracing_subscriber::registry());
        let telemetry = Telemetry::builder().install().unwrap();
        assert!(makes_spans());
        drop(telemetry);
    });
}

#[test]
fn a_subscriber_that_is_gone_is_told_nothing() {
    if child::is_child() {
        drop(tracing::subscriber::set_default(tracing_subscriber::registry()));
        let telemetry = patient()
            .with_endpoint(format!("http://{NOBODY}"))
            .without_tracing_subscriber()
            .install()
            .unwrap();
        assert!(makes_spans());
        telemetry.shutdown_blocking().unwrap_err();
        return;
    }
    let finished = child::run("install::a_subscriber_that_is_gone_is_told_nothing", &[]);
    for told in ["otel_init: info: exporting traces", "otel_init: warning: cannot export traces"] {
        assert_eq!(finished.lines(told).len(), 1, "{}", finished.console);
    }
}

#[test]
fn a_failed_install_leaves_the_meter_provider_of_before() {
    if child::is_child() {
        global::set_meter_provider(Counting);
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
        assert!(Telemetry::builder().install().unwrap_err().is_subscriber_already_set());
        let before = METERS.load(Ordering::Relaxed);
        let _meter = global::meter("install");
        assert_eq!(METERS.load(Ordering::Relaxed), before + 1);
        return;
    }
    child::run("install::a_failed_install_leaves_the_meter_provider_of_before", &[]);
}

/// The SDK calls an instrument that nobody can ask an error.
#[test]
fn without_exporters_of_metrics_observable_instruments_are_no_errors() {
    if child::is_child() {
        let telemetry = Telemetry::builder().install().unwrap();
        let _size = global::meter("install").u64_observable_gauge("queue.size").with_callback(|_| ()).build();
        drop(telemetry);
        return;
    }
    let off = [
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let finished =
        child::run("install::without_exporters_of_metrics_observable_instruments_are_no_errors", &off);
    assert_eq!(finished.lines("ERROR"), Vec::<&str>::new(), "{}", finished.console);
}

#[test]
fn a_disabled_sdk_propagates_and_records_nothing() {
    if child::is_child() {
        let telemetry = Telemetry::builder().with_service_name("off").install().unwrap();
        assert!(!makes_spans());
        let mut fields = Fields::default();
        let context = opentelemetry::Context::new().with_remote_span_context(remote());
        global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut fields));
        assert!(fields.0.contains(&"traceparent".to_owned()), "{fields:?}");
        tracing::info!("still on the console");
        let report = telemetry.shutdown_blocking().unwrap();
        assert_eq!(report.signals(), []);
        let told = report.to_string();
        assert_eq!(told, "nothing was sent: every signal is switched off, or fetched by Prometheus");
        return;
    }
    let finished = child::run(
        "install::a_disabled_sdk_propagates_and_records_nothing",
        &[("OTEL_SDK_DISABLED", "true")],
    );
    assert_eq!(finished.lines("still on the console").len(), 1, "{}", finished.console);
    assert_eq!(finished.lines("telemetry is disabled by OTEL_SDK_DISABLED; service off").len(), 1);
}

#[test]
fn an_endpoint_that_is_no_url_is_an_error_in_code() {
    if child::is_child() {
        let error = Telemetry::builder().with_endpoint("collector:4318").install().unwrap_err();
        assert!(error.is_invalid_configuration(), "{error}");
        assert!(error.to_string().contains("collector:4318"), "{error}");
        assert!(!makes_spans());
        return;
    }
    child::run("install::an_endpoint_that_is_no_url_is_an_error_in_code", &[]);
}

fn remote() -> opentelemetry::trace::SpanContext {
    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};
    SpanContext::new(
        TraceId::from(1_u128),
        SpanId::from(1_u64),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}

static METERS: AtomicUsize = AtomicUsize::new(0);

/// A provider that counts what it is asked for.
struct Counting;

impl MeterProvider for Counting {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        METERS.fetch_add(1, Ordering::Relaxed);
        NoopMeterProvider::new().meter_with_scope(scope)
    }
}

/// The names of the headers that were injected.
#[derive(Debug, Default)]
struct Fields(Vec<String>);

impl Injector for Fields {
    fn set(&mut self, key: &str, _value: String) {
        self.0.push(key.to_owned());
    }
}

#[test]
fn beside_a_subscriber_of_the_service_spans_and_events_are_exported() {
    if child::is_child() {
        let telemetry = patient().without_tracing_subscriber().install().unwrap();
        let own = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let subscriber = tracing_subscriber::registry().with(own).with(telemetry.tracing_layer());
        tracing::subscriber::set_global_default(subscriber).unwrap();
        tracing::info_span!("work").in_scope(|| tracing::warn!("seen by both"));
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let receiver = otel_testing::OtlpReceiver::start().unwrap();
    let finished = child::run(
        "install::beside_a_subscriber_of_the_service_spans_and_events_are_exported",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint())],
    );
    assert_eq!(finished.lines("seen by both").len(), 1, "{}", finished.console);
    // Said before that subscriber was there.
    assert_eq!(finished.lines("otel_init: info: exporting traces").len(), 1, "{}", finished.console);
    let (spans, logs) = (receiver.spans(), receiver.logs());
    assert_eq!((spans.len(), logs.len()), (1, 1));
    assert_eq!(logs[0].span_id.as_ref(), Some(&spans[0].span_id));
}

#[test]
fn a_detector_that_is_slow_or_panics_is_told_and_does_not_delay() {
    if !child::is_child() {
        let test = "install::a_detector_that_is_slow_or_panics_is_told_and_does_not_delay";
        let finished = child::run(test, &[("OTEL_INIT_RESOURCE_DETECTORS", "os,slow,bad,mine,moon")]);
        for text in ["detector slow took longer than 5s", "detector bad ", "names \"moon\", expected "] {
            assert_eq!(finished.lines(text).len(), 1, "{text}: {}", finished.console);
        }
        return;
    }
    let start = std::time::Instant::now();
    let telemetry = Telemetry::builder()
        .with_resource_detector("slow", || {
            loop {
                std::thread::park();
            }
        })
        .with_resource_detector("bad", || panic!("no good"))
        .with_resource_detector("Mine", || vec![opentelemetry::KeyValue::new("rack", "7")])
        .with_resource_detector("unasked", || vec![opentelemetry::KeyValue::new("shelf", "8")])
        .with_detection_timeout(std::time::Duration::from_secs(5))
        .without_resource_detector("os")
        .with_exporters(otel_init::Signal::Traces, ["none"])
        .with_exporters(otel_init::Signal::Metrics, ["none"])
        .with_exporters(otel_init::Signal::Logs, ["none"])
        .install()
        .unwrap();
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    let resource = telemetry.resource();
    assert_eq!(resource.get(&"rack".into()), Some("7".into()));
    for key in ["shelf", "os.type", "process.pid", "service.instance.id"] {
        assert_eq!(resource.get(&key.into()), None, "{key}");
    }
    assert!(resource.get(&"telemetry.sdk.name".into()).is_some());
    assert_eq!(
        telemetry.config().setting("resource.attributes.rack").unwrap().source(),
        &otel_init::SettingSource::Detected
    );
}

/// Where stacks may be larger than the address space, no thread starts.
#[cfg(target_os = "linux")]
#[test]
fn a_detector_that_gets_no_thread_is_told_once() {
    if !child::is_child() {
        let variables = [("RUST_MIN_STACK", "4611686018427387904"), ("RUST_TEST_THREADS", "1")];
        child::run("install::a_detector_that_gets_no_thread_is_told_once", &variables);
        return;
    }
    let config = Telemetry::builder().with_resource_detectors(["os", "process"]).check().unwrap();
    let [of_os, of_process] = config.warnings() else { panic!("{:?}", config.warnings()) };
    for (warning, name) in [(of_os, "os"), (of_process, "process")] {
        assert!(
            warning.starts_with(&format!("the resource detector {name} cannot be started: ")),
            "{warning}"
        );
        assert!(warning.ends_with("; its attributes are missing"), "{warning}");
    }
}

#[test]
fn who_drops_the_guard_and_goes_on_is_told_so_once() {
    const TOLD: &str = "the telemetry ended when the guard of `install()` was dropped";
    if child::is_child() {
        let telemetry = Telemetry::builder().install().unwrap();
        if std::env::var_os("SHUT_DOWN").is_some() {
            telemetry.shutdown_blocking().unwrap();
        } else {
            drop(telemetry);
        }
        tracing::info!("first");
        tracing::info!("second");
        return;
    }
    let test = "install::who_drops_the_guard_and_goes_on_is_told_so_once";
    let none = [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")];
    let logs_alone =
        |more| child::run(test, &[&none[..], &[("OTEL_LOGS_EXPORTER", "console")], more].concat());
    let dropped = logs_alone(&[]);
    assert_eq!(dropped.lines(TOLD).len(), 1, "{}", dropped.console);
    assert_eq!(dropped.lines("INFO it::install: ").len(), 2, "{}", dropped.console);
    let shut_down = logs_alone(&[("SHUT_DOWN", "1")]);
    assert_eq!(shut_down.lines(TOLD), [""; 0], "{}", shut_down.console);
}
