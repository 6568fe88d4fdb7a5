//! `OTEL_CONFIG_FILE`, as a service meets it.

use std::path::PathBuf;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{OnError, Protocol, SettingSource, Signal, Telemetry, opentelemetry};
use otel_testing::OtlpReceiver;

use crate::child;
use crate::patient;

/// A file in the folder of temporary files, with a name of its own.
fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("otel-init-{}-{name}.yaml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_file_replaces_the_environment_but_for_what_it_refers_to() {
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        global::tracer("file").start("span").end();
        tracing::info!("hello");
        let config = telemetry.config();
        for (name, value, line) in [
            ("tracer_provider.processors[0].batch.schedule_delay", "60000", Some(7)),
            ("tracer_provider.processors[0].batch.max_queue_size", "131072", None),
            ("tracer_provider.processors[0].batch.exporter.otlp_http.headers", "x-key=REDACTED", Some(11)),
            ("propagator.composite", "none", None),
        ] {
            let setting = config.setting(name).unwrap_or_else(|| panic!("{name} is missing in\n{config}"));
            let source = line.map_or(SettingSource::Default, |line| SettingSource::File { line });
            assert_eq!((setting.value(), setting.source()), (value, &source), "{name}");
        }
        assert!(!config.to_string().contains("hunter2"), "{config}");
        assert_eq!(telemetry.resource().get(&"service.name".into()), Some("orders".into()));
        assert_eq!(telemetry.resource().get(&"process.pid".into()), None, "no detector is named");
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let text = "file_format: '1.0'\n\
                resource: {attributes: [{name: service.name, value: '${NAME}'}]}\n\
                tracer_provider:\n  \
                  processors:\n    \
                    # the only signal\n    \
                    - batch:\n        \
                        schedule_delay: 60000\n        \
                        exporter:\n          \
                          otlp_http:\n            \
                            endpoint: ${COLLECTOR}/v1/traces\n            \
                            headers: [{name: x-key, value: '${KEY}'}]\n";
    let path = file("replaces", text);
    let endpoint = receiver.http_endpoint();
    child::run(
        "config_file::a_file_replaces_the_environment_but_for_what_it_refers_to",
        &[
            ("OTEL_CONFIG_FILE", path.to_str().unwrap()),
            ("NAME", "orders"),
            ("KEY", "hunter2"),
            ("COLLECTOR", &endpoint),
            ("OTEL_SERVICE_NAME", "ignored"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "nonsense"),
        ],
    );
    std::fs::remove_file(path).unwrap();
    assert_eq!((receiver.spans().len(), receiver.logs().len()), (1, 0));
    assert_eq!(receiver.requests()[0].header("x-key"), Some("hunter2"));
}

#[test]
fn code_wins_over_the_file() {
    if !child::is_child() {
        child::run("config_file::code_wins_over_the_file", &[("RUST_LOG", "error")]);
        return;
    }
    let path = file(
        "code",
        "file_format: '1.0'\ntracer_provider: {processors: [{batch: {exporter: {otlp_grpc: {endpoint: 'http://a:1'}}}}]}\n\
         meter_provider: {readers: [{periodic: {exporter: {otlp_http: }}}]}\n\
         resource: {attributes: [{name: service.name, value: file}, {name: team, value: file}]}\n",
    );
    let telemetry = Telemetry::builder()
        .with_config_file(path.to_str().unwrap())
        .with_environment(|_| None)
        .without_tracing_subscriber()
        .with_service_name("code")
        .with_endpoint("http://127.0.0.1:9")
        .with_protocol(Protocol::HttpProtobuf)
        .with_exporters(Signal::Metrics, ["none"])
        .with_shutdown_timeout(std::time::Duration::from_millis(100))
        .install()
        .unwrap();
    std::fs::remove_file(path).unwrap();
    let config = telemetry.config();
    let value = |name: &str| config.setting(name).map(|setting| (setting.value(), setting.source().clone()));
    let endpoint = "tracer_provider.processors[0].batch.exporter.otlp_http.endpoint";
    assert_eq!(value(endpoint), Some(("http://127.0.0.1:9/v1/traces", SettingSource::Code)), "{config}");
    assert_eq!(value("resource.attributes.service.name"), Some(("code", SettingSource::Code)));
    assert!(value("meter_provider.readers[0].periodic.interval").is_none());
}

const BAD: &str = "file_format: '1.0'\ntracer_provider:\n  processors:\n    - batch: {exporter: {otlp: }}\n";

#[test]
fn a_bad_file_installs_nothing_and_names_line_and_key() {
    if child::is_child() {
        let error = Telemetry::builder().install().unwrap_err();
        assert!(error.is_invalid_configuration(), "{error}");
        assert_eq!(
            (error.line(), error.key()),
            (Some(4), Some("tracer_provider.processors[0].batch.exporter.otlp"))
        );
        assert!(
            error.to_string().contains("bad.yaml is not used: line 4: tracer_provider.processors[0]"),
            "{error}"
        );
        assert!(!tracing::dispatcher::has_been_set());
        assert!(!global::tracer("bad").start("span").is_recording());
        // The claim was given back.
        let telemetry = Telemetry::builder().with_environment(|_| None).install().unwrap();
        drop(telemetry);
        return;
    }
    let path = file("bad", BAD);
    let variables = [("OTEL_CONFIG_FILE", path.to_str().unwrap())];
    child::run("config_file::a_bad_file_installs_nothing_and_names_line_and_key", &variables);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_service_may_choose_to_start_without_telemetry() {
    if child::is_child() {
        let telemetry = Telemetry::builder().on_error(OnError::Disable).install().unwrap();
        tracing::info!("the service runs");
        assert!(!global::tracer("bad").start("span").is_recording());
        assert!(telemetry.health().signals.is_empty());
        assert!(telemetry.shutdown_blocking().unwrap().signals().is_empty());
        let second = Telemetry::builder().on_error(OnError::Disable).install().unwrap_err();
        assert!(second.is_already_installed());
        return;
    }
    let path = file("disable", BAD);
    let test = "config_file::a_service_may_choose_to_start_without_telemetry";
    let finished = child::run(test, &[("OTEL_CONFIG_FILE", path.to_str().unwrap())]);
    std::fs::remove_file(path).unwrap();
    assert_eq!(finished.lines("the service runs without telemetry: the configuration file").len(), 1);
    assert_eq!(finished.lines("the service runs").len(), 2, "{}", finished.console);

    let finished = child::run(test, &[("OTEL_CONFIG_FILE", "/no/such/file.yaml")]);
    let told = finished.lines("/no/such/file.yaml is not used: cannot be read");
    assert_eq!(told.len(), 1, "{}", finished.console);
    assert!(told[0].ends_with("; let this service read it, or correct OTEL_CONFIG_FILE"), "{told:?}");
}
