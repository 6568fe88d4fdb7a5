//! The lines for people.

use opentelemetry::trace::TraceContextExt;
use otel_init::{ConsoleLogs, Telemetry};

use crate::child;

#[test]
fn warnings_reach_the_console_once_and_lines_carry_the_trace_id() {
    if child::is_child() {
        let telemetry = Telemetry::builder().install().unwrap();
        let span = tracing::info_span!("work");
        span.in_scope(|| {
            let context = opentelemetry::Context::current();
            let trace_id = context.span().span_context().trace_id();
            tracing::info!("inside {trace_id}");
        });
        tracing::info!("outside");
        drop(telemetry);
        return;
    }
    let finished = child::run(
        "console::warnings_reach_the_console_once_and_lines_carry_the_trace_id",
        &[
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            ("OTEL_ENTITIES", "service{}"),
        ],
    );
    for text in ["OTEL_BSP_SCHEDULE_DELAY is \"soon\"", "OTEL_ENTITIES is set but not supported"] {
        assert_eq!(finished.lines(text).len(), 1, "{}", finished.console);
    }
    let inside = finished.lines("inside")[0];
    let (_, trace_id) = inside.split_once("inside ").unwrap();
    let (logged, suffix) = trace_id.split_at(32);
    assert!(suffix.starts_with(&format!(" trace_id={logged} span_id=")), "{inside}");
    assert!(!finished.lines("outside")[0].contains("trace_id"), "{}", finished.console);
}

#[test]
fn lines_of_the_console_go_to_standard_output_if_asked() {
    let test = "console::lines_of_the_console_go_to_standard_output_if_asked";
    if child::is_child() {
        let builder = Telemetry::builder().with_console_logs(ConsoleLogs::Json).with_console_on_stdout();
        let telemetry = builder.install().unwrap();
        let stream = telemetry.config().setting("distribution.otel-init.console_stream").unwrap();
        assert_eq!((stream.value(), stream.source()), ("standard output", &otel_init::SettingSource::Code));
        tracing::info_span!("work").in_scope(|| tracing::info!("order placed"));
        return;
    }
    let off =
        [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let finished = child::run(test, &off);
    assert_eq!(finished.console, "");
    let is_line = |line: &&str| line.contains("order placed") && line.contains("\"trace_id\":\"");
    assert_eq!(finished.output.lines().filter(is_line).count(), 1, "{}", finished.output);
}

#[test]
fn each_kind_of_console_has_the_ids_and_the_fields() {
    const KIND: &str = "TEST_CONSOLE";
    if child::is_child() {
        let logs = match std::env::var(KIND).unwrap().as_str() {
            "json" => ConsoleLogs::Json,
            "logfmt" => ConsoleLogs::Logfmt,
            _ => ConsoleLogs::Pretty,
        };
        let telemetry = Telemetry::builder().with_console_logs(logs).install().unwrap();
        tracing::info_span!("work", tenant = "acme inc").in_scope(|| {
            tracing::info!(items = 3, "inside \"quotes\"");
            log::warn!(target: "old_crate", "by the log crate");
        });
        drop(telemetry);
        return;
    }
    let test = "console::each_kind_of_console_has_the_ids_and_the_fields";
    let off =
        [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    for kind in ["json", "logfmt", "pretty"] {
        let finished = child::run(test, &[off[0], off[1], off[2], (KIND, kind)]);
        let ids = finished.lines("trace_id").len();
        assert_eq!(ids, 2, "{kind}: {}", finished.console);
        let line = finished.lines("inside")[0];
        let other = finished.lines("by the log crate")[0];
        match kind {
            "json" => {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(event["message"], "inside \"quotes\"");
                assert_eq!((&event["items"], &event["span"]["tenant"]), (&3.into(), &"acme inc".into()));
                assert_eq!(event["trace_id"].as_str().unwrap().len(), 32);
                assert_eq!(event["span_id"].as_str().unwrap().len(), 16);
                let other: serde_json::Value = serde_json::from_str(other).unwrap();
                assert_eq!((&other["level"], &other["target"]), (&"WARN".into(), &"old_crate".into()));
            }
            "logfmt" => {
                let fields = r#" msg="inside \"quotes\"" items=3 tenant="acme inc" trace_id="#;
                assert!(line.contains(" level=info ") && line.contains(fields), "{line}");
                let fields =
                    r#" level=warn target=old_crate msg="by the log crate" tenant="acme inc" trace_id="#;
                assert!(other.contains(fields), "{other}");
            }
            _ => assert!(other.contains("old_crate"), "{}", finished.console),
        }
    }
}

/// What one library has set must not hide what the operator has written.
#[test]
fn a_logger_that_is_set_already_is_told_and_so_is_a_bad_filter() {
    struct Silent;

    impl log::Log for Silent {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            false
        }

        fn log(&self, _: &log::Record<'_>) {}

        fn flush(&self) {}
    }

    let test = "console::a_logger_that_is_set_already_is_told_and_so_is_a_bad_filter";
    if child::is_child() {
        log::set_logger(&Silent).unwrap();
        drop(Telemetry::builder().install().unwrap());
        return;
    }
    let off =
        [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];
    let finished = child::run(test, &[off[0], off[1], off[2], ("RUST_LOG", "shop=loud")]);
    let told = finished.lines("a logger of the `log` crate is set already");
    assert_eq!(told.len(), 1, "{}", finished.console);
    assert!(told[0].contains("remove it, or install the telemetry before"), "{told:?}");
    assert_eq!(finished.lines("RUST_LOG is \"shop=loud\"").len(), 1, "{}", finished.console);
}
