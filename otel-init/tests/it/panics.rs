//! Functions of the user's that panic: the application goes on, and somebody is told.
//!
//! Those that run on a thread of the export are beside what they do: `headers_are_those_of_the_moment`,
//! `exporters_of_ones_own_are_chosen_by_name_and_may_panic`, `an_audit_hook_sees_what_is_exported_and_never_delays`,
//! `a_detector_that_is_slow_or_panics_is_told_and_does_not_delay`.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::metrics::{AsyncInstrument, MeterProvider};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use otel_init::sampling::{ComposableSampler, Intent, NewSpan, Sampling};
use otel_init::{OnError, Redact, Redaction, Signal, TelemetryBuilder, opentelemetry, opentelemetry_sdk};
use otel_testing::{OtlpReceiver, eventually_blocking};

use crate::child;
use crate::{PATIENCE, STALLED, patient};

/// Runs `action` in a process of its own, and gives what it left behind to the process of the test.
fn alone(test: &str, action: impl FnOnce()) -> Option<child::Finished> {
    child::told(test, "otel_init=info,off", action)
}

fn told_once(finished: Option<child::Finished>, texts: &[&str]) {
    let Some(finished) = finished else { return };
    for text in texts {
        assert_eq!(finished.lines(text).len(), 1, "{text}: {}", finished.console);
    }
}

/// No signal is exported but those of the test.
fn only(receiver: &OtlpReceiver, variable: (&'static str, &'static str)) -> TelemetryBuilder {
    patient()
        .with_endpoint(receiver.http_endpoint())
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_environment(move |name| (name == variable.0).then(|| variable.1.to_owned()))
}

fn only_metrics() -> TelemetryBuilder {
    patient()
        .with_exporters(Signal::Traces, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_environment(|_| None)
}

#[test]
fn the_function_of_a_sampler() {
    let finished = alone("panics::the_function_of_a_sampler", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = only(&receiver, ("OTEL_TRACES_SAMPLER", "Careful"))
            .with_sampler("careful", |_| panic!("no good"))
            .install()
            .unwrap();
        global::tracer("panics").start("span").end();
        telemetry.shutdown_blocking().unwrap();
        assert_eq!(receiver.spans().len(), 1, "the default samples all");
        let setting = telemetry.config().setting("tracer_provider.sampler").unwrap().clone();
        assert_eq!(
            (setting.value(), setting.source()),
            ("parentbased_always_on", &otel_init::SettingSource::Default)
        );
    });
    told_once(
        finished,
        &[
            "OTEL_TRACES_SAMPLER is \"Careful\": the function that makes it panicked; parentbased_always_on is used",
        ],
    );
}

/// Panics whatever it is asked.
#[derive(Debug)]
struct Worst;

impl ComposableSampler for Worst {
    fn intent(&self, _span: &NewSpan<'_>) -> Intent {
        panic!("no good")
    }

    fn reads_attributes(&self) -> bool {
        panic!("no good")
    }

    fn description(&self) -> String {
        panic!("no good")
    }
}

#[test]
fn a_sampler() {
    let finished = alone("panics::a_sampler", || {
        let receiver = OtlpReceiver::start().unwrap();
        let sampling = Sampling::new(Worst).with_local_parent_sampled(Worst);
        let telemetry = only(&receiver, ("", "")).with_sampling(sampling).install().unwrap();
        for _ in 0..3 {
            let span = global::tracer("panics").start("span");
            assert!(!span.is_recording());
            assert!(span.span_context().is_valid());
        }
        telemetry.shutdown_blocking().unwrap();
        assert_eq!(receiver.spans().len(), 0);
    });
    told_once(finished, &["the sampler panicked; spans that it does so for are not recorded"]);
}

/// Upstream keeps a lock meanwhile: after one panic nothing was collected any more.
#[test]
fn the_callback_of_an_instrument() {
    let finished = alone("panics::the_callback_of_an_instrument", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = only_metrics().with_endpoint(receiver.http_endpoint()).install().unwrap();
        let meter = global::meter("panics");
        let bad = meter.u64_observable_gauge("bad").with_callback(|_| panic!("no good"));
        let _bad = bad.with_callback(|observer| observer.observe(1, &[])).build();
        let own = telemetry.meter_provider().meter("own");
        let _own = own.u64_observable_gauge("own").with_callback(|_| panic!("no good either")).build();
        let _good = meter.f64_observable_counter("good").with_callback(|one| one.observe(2.0, &[])).build();
        for flush in 1..=2 {
            telemetry.flush_blocking().unwrap();
            for (name, value) in [("bad", 1.0), ("good", 2.0)] {
                let metrics = receiver.metrics();
                let seen: Vec<_> = metrics.iter().filter(|metric| metric.name() == name).collect();
                assert_eq!(seen.len(), flush, "{name}");
                assert!((seen[flush - 1].metric.total() - value).abs() < f64::EPSILON);
            }
        }
        meter.u64_counter("late").build().add(3, &[]);
        telemetry.shutdown_blocking().unwrap();
        assert!(receiver.metrics().iter().any(|metric| metric.name() == "late"));
    });
    let message =
        |name| format!("a callback of the instrument {name} panicked; what it did not say is missing");
    told_once(finished, &[&message("bad"), &message("own")]);
}

#[test]
fn a_callback_that_does_not_return_is_named() {
    alone("panics::a_callback_that_does_not_return_is_named", || {
        let receiver = OtlpReceiver::start().unwrap();
        let bound = Duration::from_millis(300);
        let telemetry = only_metrics().with_endpoint(receiver.http_endpoint()).with_shutdown_timeout(bound);
        let telemetry = telemetry.install().unwrap();
        let endless = |_: &dyn AsyncInstrument<u64>| {
            loop {
                std::thread::park();
            }
        };
        let _stuck = global::meter("panics").u64_observable_gauge("stuck").with_callback(endless).build();
        let cause = "a callback of the instrument stuck has not returned within 300ms";
        // On a slow machine the first flush may be over before the callback is called.
        eventually_blocking(PATIENCE, || {
            telemetry.flush_blocking().unwrap_err().failures()[0].cause() == cause
        });
        assert_eq!(telemetry.shutdown_blocking().unwrap_err().failures()[0].cause(), cause);
    });
}

#[test]
fn the_function_of_an_exporter() {
    let finished = alone("panics::the_function_of_an_exporter", || {
        let install = || {
            let receiver = OtlpReceiver::start().unwrap();
            only(&receiver, ("OTEL_TRACES_EXPORTER", "mine")).with_span_exporter::<Eager>("mine", || panic!())
        };
        let error = install().install().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot set up the export of traces to mine: the function that makes it panicked"
        );
        assert!(!global::tracer("panics").start("span").span_context().is_valid(), "nothing is installed");
        let telemetry = install().on_error(OnError::Disable).install().unwrap();
        global::tracer("panics").start("span").end();
        telemetry.shutdown_blocking().unwrap();
    });
    told_once(finished, &["the service runs without telemetry: cannot set up the export of traces to mine"]);
}

/// Panics before it gives a future, and at its end.
#[derive(Debug)]
struct Eager;

impl SpanExporter for Eager {
    #[allow(clippy::manual_async_fn, reason = "an `async fn` could not panic at once")]
    fn export(&self, _batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        assert!(std::env::var_os("NEVER").is_some(), "no good");
        async { Err(OTelSdkError::AlreadyShutdown) }
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        panic!("no good")
    }
}

#[test]
fn an_exporter_at_once_and_at_its_end() {
    alone("panics::an_exporter_at_once_and_at_its_end", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = only(&receiver, ("OTEL_TRACES_EXPORTER", "mine"))
            .with_span_exporter("mine", || Eager)
            .install()
            .unwrap();
        for _ in 0..2 {
            global::tracer("panics").start("span").end();
            let error = telemetry.flush_blocking().unwrap_err();
            assert!(error.to_string().contains("the exporter panicked"), "{error}");
        }
        let traces = telemetry.health().signal(Signal::Traces).unwrap().clone();
        assert_eq!((traces.created, traces.failed, traces.queued), (2, 2, 0));
        let start = std::time::Instant::now();
        let error = telemetry.shutdown_blocking().unwrap_err();
        assert!(error.to_string().contains("at its end: Operation failed: the exporter panicked"), "{error}");
        assert!(start.elapsed() < STALLED, "nobody waits for a thread that is gone");
    });
}

/// Panics for these.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Broken {
    Fields,
    Traffic,
}

impl TextMapPropagator for Broken {
    fn inject_context(&self, _context: &Context, injector: &mut dyn Injector) {
        injector.set("x-half", "1".to_owned());
        panic!("no good")
    }

    fn extract_with_context(&self, _context: &Context, _extractor: &dyn Extractor) -> Context {
        panic!("no good")
    }

    fn fields(&self) -> FieldIter<'_> {
        assert_eq!(*self, Self::Traffic, "no good");
        FieldIter::new(&[])
    }
}

#[test]
fn a_propagator() {
    let finished = alone("panics::a_propagator", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = only(&receiver, ("OTEL_PROPAGATORS", "unmade,fieldless,broken,tracecontext"))
            .with_propagator("unmade", || panic!("no good"))
            .with_propagator("fieldless", || Box::new(Broken::Fields))
            .with_propagator("broken", || Box::new(Broken::Traffic))
            .install()
            .unwrap();
        let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for _ in 0..3 {
            let request = HashMap::from([("traceparent".to_owned(), incoming.to_owned())]);
            let context = global::get_text_map_propagator(|all| all.extract(&request));
            assert_eq!(context.span().span_context().span_id().to_string(), "00f067aa0ba902b7");
            let mut outgoing = HashMap::new();
            global::get_text_map_propagator(|all| all.inject_context(&context, &mut outgoing));
            assert_eq!(outgoing["traceparent"], incoming, "the other propagators do their work");
        }
        telemetry.shutdown_blocking().unwrap();
    });
    told_once(
        finished,
        &[
            "the propagator unmade does nothing: the function that makes it panicked",
            "the propagator fieldless does nothing",
            "the propagator broken panicked; a request is taken without its headers",
        ],
    );
}

#[test]
fn a_rule_of_the_redaction() {
    alone("panics::a_rule_of_the_redaction", || {
        let receiver = OtlpReceiver::start().unwrap();
        let redaction = Redaction::new().with_key("card", Redact::with(|_| panic!("no good")));
        let telemetry = only(&receiver, ("", "")).with_redaction(redaction).install().unwrap();
        let mut span = global::tracer("panics").start("span");
        span.set_attributes([KeyValue::new("card", "4111"), KeyValue::new("shop", "a")]);
        span.end();
        telemetry.shutdown_blocking().unwrap();
        let spans = receiver.spans();
        assert_eq!(spans[0].attributes.keys(), ["shop"], "the value that it panicked at stays here");
    });
}

/// The record of a panic meets a rule that panics.
#[test]
fn a_rule_of_the_redaction_in_the_record_of_a_panic() {
    alone("panics::a_rule_of_the_redaction_in_the_record_of_a_panic", || {
        let receiver = OtlpReceiver::start().unwrap();
        let redaction = Redaction::new().with_key("thread.name", Redact::with(|_| panic!("no good")));
        let telemetry = patient()
            .with_endpoint(receiver.http_endpoint())
            .with_redaction(redaction)
            .with_panic_hook()
            .install()
            .unwrap();
        for _ in 0..3 {
            let panicked = std::thread::spawn(|| panic!("the order is impossible"));
            assert!(panicked.join().is_err());
        }
        let all = || telemetry.health().signal(Signal::Logs).unwrap().created >= 3;
        eventually_blocking(PATIENCE, all);
        telemetry.shutdown_blocking().unwrap();
        let logs = receiver.logs();
        let told = logs.iter().filter(|log| log.message().ends_with("the order is impossible"));
        assert_eq!((told.count(), logs.len()), (3, 3), "{logs:?}");
        for log in logs.iter() {
            assert_eq!((log.severity_text.as_str(), log.trace_id.is_none()), ("ERROR", true));
            assert!(!log.attributes.contains_key("thread.name"), "{log:?}");
        }
    });
}

#[test]
fn a_lookup_of_variables() {
    alone("panics::a_lookup_of_variables", || {
        let error = patient().with_environment(|_| panic!("no good")).install().unwrap_err();
        assert!(error.to_string().contains("a function given in code panicked"), "{error}");
        // The right to install is given back.
        drop(patient().with_environment(|_| None).install().unwrap());
    });
}
