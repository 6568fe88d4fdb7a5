//! The end of the service: in any runtime, in none, twice, by drop.

use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::trace::{Span, Status, TraceContextExt, Tracer};
use otel_init::{Signal, Telemetry};
use otel_testing::{OtlpReceiver, eventually_blocking};
use tokio::runtime::Builder;

use crate::child;
use crate::{NOBODY, PATIENCE, STALLED, patient};

fn install() -> Telemetry {
    let telemetry = patient().install().unwrap();
    global::tracer("shutdown").start("the span").end();
    global::meter("shutdown").u64_counter("the.counter").build().add(1, &[]);
    tracing::info!("the record");
    telemetry
}

/// Runs `test` against a collector, over both protocols, and expects each signal there once.
fn expect_delivery(test: &str) {
    for protocol in ["http/protobuf", "grpc"] {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        let variables =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let finished = child::run(test, &variables);
        let spans = receiver.spans().iter().filter(|span| span.name == "the span").count();
        let metrics = receiver.metrics().iter().filter(|metric| metric.name() == "the.counter").count();
        let logs = receiver.logs().iter().filter(|log| log.message() == "the record").count();
        assert_eq!((spans, metrics, logs), (1, 1, 1), "{protocol}: {}", finished.console);
    }
}

/// Long before the deadline: nothing waited for it.
fn expect_at_once<T>(action: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = action();
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    result
}

#[test]
fn on_a_current_thread_runtime() {
    if child::is_child() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let telemetry = install();
        let report = expect_at_once(|| runtime.block_on(telemetry.shutdown())).unwrap();
        assert_eq!(report.signals(), [Signal::Traces, Signal::Metrics, Signal::Logs]);
        return;
    }
    expect_delivery("shutdown::on_a_current_thread_runtime");
}

#[test]
fn on_a_multi_thread_runtime_from_a_task() {
    if child::is_child() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let telemetry = install();
        let task = runtime.spawn(async move { telemetry.shutdown().await });
        expect_at_once(|| runtime.block_on(task)).unwrap().unwrap();
        return;
    }
    expect_delivery("shutdown::on_a_multi_thread_runtime_from_a_task");
}

#[test]
fn installed_and_ended_inside_a_runtime() {
    if child::is_child() {
        Builder::new_current_thread().build().unwrap().block_on(async {
            let telemetry = install();
            telemetry.shutdown().await.unwrap();
        });
        return;
    }
    expect_delivery("shutdown::installed_and_ended_inside_a_runtime");
}

#[test]
fn without_a_runtime() {
    if child::is_child() {
        let telemetry = install();
        expect_at_once(|| telemetry.shutdown_blocking()).unwrap();
        return;
    }
    expect_delivery("shutdown::without_a_runtime");
}

#[test]
fn on_another_executor() {
    if child::is_child() {
        let telemetry = install();
        expect_at_once(|| futures_executor::block_on(telemetry.shutdown())).unwrap();
        return;
    }
    expect_delivery("shutdown::on_another_executor");
}

#[test]
fn blocking_inside_the_only_thread_of_a_runtime() {
    if child::is_child() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let telemetry = install();
        expect_at_once(|| runtime.block_on(async { telemetry.shutdown_blocking() })).unwrap();
        return;
    }
    expect_delivery("shutdown::blocking_inside_the_only_thread_of_a_runtime");
}

#[test]
fn by_drop() {
    if child::is_child() {
        let telemetry = install();
        expect_at_once(|| drop(telemetry));
        return;
    }
    expect_delivery("shutdown::by_drop");
}

#[test]
fn by_drop_inside_the_only_thread_of_a_runtime() {
    if child::is_child() {
        let runtime = Builder::new_current_thread().build().unwrap();
        expect_at_once(|| runtime.block_on(async { drop(install()) }));
        return;
    }
    expect_delivery("shutdown::by_drop_inside_the_only_thread_of_a_runtime");
}

#[test]
fn by_drop_inside_another_executor() {
    if child::is_child() {
        expect_at_once(|| futures_executor::block_on(async { drop(install()) }));
        return;
    }
    expect_delivery("shutdown::by_drop_inside_another_executor");
}

#[test]
fn by_drop_after_a_panic() {
    if child::is_child() {
        let panicked = std::panic::catch_unwind(|| {
            let _telemetry = install();
            panic!("the service fails");
        });
        assert!(panicked.is_err());
        return;
    }
    expect_delivery("shutdown::by_drop_after_a_panic");
}

#[test]
fn a_shutdown_nobody_waits_for_is_finished_by_drop() {
    if child::is_child() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let telemetry = install();
        let given_up = runtime
            .block_on(async { tokio::time::timeout(Duration::ZERO, telemetry.shutdown()).await.is_err() });
        assert!(given_up);
        expect_at_once(|| drop(telemetry));
        return;
    }
    expect_delivery("shutdown::a_shutdown_nobody_waits_for_is_finished_by_drop");
}

#[test]
fn a_flush_delivers_and_the_service_goes_on() {
    if child::is_child() {
        let telemetry = install();
        expect_at_once(|| futures_executor::block_on(telemetry.flush())).unwrap();
        // Nothing is in the queues now, so this flush has nothing to lose.
        let report = expect_at_once(|| telemetry.flush_blocking()).unwrap();
        assert!(report.to_string().starts_with("telemetry was flushed in "), "{report}");
        // Not the shutdown delivers: the process ends without it.
        std::mem::forget(telemetry);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    child::run(
        "shutdown::a_flush_delivers_and_the_service_goes_on",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint())],
    );
    assert_eq!((receiver.spans().len(), receiver.logs().len()), (1, 1));
    assert!(receiver.metrics().iter().any(|metric| metric.name() == "the.counter"));
}

#[test]
fn every_call_gives_the_first_report() {
    if child::is_child() {
        let telemetry = install();
        let (early, again) = (telemetry.shutdown(), telemetry.shutdown());
        let first = telemetry.shutdown_blocking().unwrap();
        assert_eq!(telemetry.shutdown_blocking().unwrap(), first);
        assert_eq!(futures_executor::block_on(early).unwrap(), first);
        // Nothing is queued any more, so a flush loses nothing.
        telemetry.flush_blocking().unwrap();
        drop(telemetry);
        assert_eq!(futures_executor::block_on(again).unwrap(), first);
        return;
    }
    expect_delivery("shutdown::every_call_gives_the_first_report");
}

#[test]
fn every_call_gives_the_first_error() {
    if child::is_child() {
        let telemetry = install();
        let first = telemetry.shutdown_blocking().unwrap_err();
        assert_eq!(futures_executor::block_on(telemetry.shutdown()).unwrap_err(), first);
        assert_eq!(expect_at_once(|| telemetry.shutdown_blocking()).unwrap_err(), first);
        return;
    }
    let finished = child::run(
        "shutdown::every_call_gives_the_first_error",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{NOBODY}"))],
    );
    // Who asked for it has the error; the drop does not tell it once more.
    let said = finished.lines("telemetry was not delivered at shutdown");
    assert_eq!(said, Vec::<&str>::new(), "{}", finished.console);
}

#[test]
fn a_drop_that_loses_telemetry_says_so() {
    if child::is_child() {
        drop(install());
        return;
    }
    let endpoint = format!("http://{NOBODY}");
    let finished = child::run(
        "shutdown::a_drop_that_loses_telemetry_says_so",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)],
    );
    let said = finished.lines("telemetry was not delivered at shutdown");
    assert_eq!(said.len(), 1, "{}", finished.console);
    assert!(said[0].contains(&format!("traces to {endpoint}/v1/traces")), "{}", said[0]);
}

#[test]
fn what_comes_after_the_end_is_silent() {
    if child::is_child() {
        let telemetry = install();
        telemetry.shutdown_blocking().unwrap();
        global::tracer("shutdown").start("late").end();
        tracing::info_span!("late").in_scope(|| tracing::info!("on the console only"));
        drop(telemetry);
        tracing::info!("as is this");
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let finished = child::run(
        "shutdown::what_comes_after_the_end_is_silent",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint())],
    );
    for text in ["on the console only", "as is this"] {
        assert_eq!(finished.lines(text).len(), 1, "{}", finished.console);
    }
    assert_eq!(finished.lines("WARN"), Vec::<&str>::new(), "{}", finished.console);
    assert_eq!((receiver.spans().len(), receiver.logs().len()), (1, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn sigterm_resolves_the_signal_and_everything_is_delivered() {
    delivers_at_signal("shutdown::sigterm_resolves_the_signal_and_everything_is_delivered", 15);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_resolves_the_signal_and_everything_is_delivered() {
    delivers_at_signal("shutdown::an_interrupt_resolves_the_signal_and_everything_is_delivered", 2);
}

#[cfg(target_os = "linux")]
fn delivers_at_signal(test: &str, number: u32) {
    if !child::is_child() {
        return expect_delivery(test);
    }
    let telemetry = install();
    let stopped = std::thread::spawn(|| futures_executor::block_on(otel_init::shutdown_signal()));
    // With nobody watching, the signal would end the process.
    eventually_blocking(PATIENCE, || is_caught(number));
    let pid = std::process::id().to_string();
    let kill = std::process::Command::new("kill").args([&format!("-{number}"), &pid]).status();
    assert!(kill.unwrap().success());
    stopped.join().unwrap();
    telemetry.shutdown_blocking().unwrap();
}

#[cfg(target_os = "linux")]
fn is_caught(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (number - 1)) != 0
}

#[cfg(target_os = "linux")]
#[test]
fn many_panics_while_the_collector_is_away_do_not_make_as_many_threads() {
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }
    if child::is_child() {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(otel_testing::Reply::Hang);
        let telemetry =
            patient().with_panic_hook().with_endpoint(receiver.http_endpoint()).install().unwrap();
        global::tracer("shutdown").start("finished before").end();
        let before = threads();
        for _ in 0..100 {
            std::panic::catch_unwind(|| panic!("the order is impossible")).unwrap_err();
        }
        let more = threads().saturating_sub(before);
        assert!(more < 20, "{more}");
        receiver.respond_with(otel_testing::Reply::Accept);
        // Not the shutdown is looked at.
        std::mem::forget(telemetry);
        return;
    }
    child::run("shutdown::many_panics_while_the_collector_is_away_do_not_make_as_many_threads", &[]);
}

/// The process goes on, and may be killed before anybody flushes.
#[test]
fn a_panic_of_another_thread_is_sent_at_once_as_well() {
    if child::is_child() {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = patient()
            .with_panic_hook()
            .with_endpoint(receiver.http_endpoint())
            .with_environment(|name| name.ends_with("_SCHEDULE_DELAY").then(|| "600000".to_owned()))
            .install()
            .unwrap();
        let worker = std::thread::spawn(|| {
            global::tracer("shutdown").start("finished before").end();
            panic!("the order is impossible");
        });
        assert!(worker.join().is_err());
        eventually_blocking(PATIENCE, || receiver.spans().len() == 1);
        // The thread that panics waits a second for its record, which on a slow machine may come later.
        eventually_blocking(PATIENCE, || telemetry.health().signal(Signal::Logs).unwrap().created > 0);
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    child::run("shutdown::a_panic_of_another_thread_is_sent_at_once_as_well", &[]);
}

#[test]
fn a_panic_is_recorded_on_its_span_and_sent_without_the_guard() {
    if child::is_child() {
        let telemetry = patient().with_panic_hook().install().unwrap();
        let tracer = global::tracer("shutdown");
        tracer.start("finished before").end();
        let panicked = std::thread::Builder::new().name("main".to_owned()).spawn(move || {
            let span = tracer.start("failing");
            let _entered = Context::current_with_span(span).attach();
            panic!("the order {} is impossible", 7);
        });
        assert!(panicked.unwrap().join().is_err());
        telemetry.flush_blocking().unwrap();
        // Not the shutdown delivers.
        std::mem::forget(telemetry);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let finished = child::run(
        "shutdown::a_panic_is_recorded_on_its_span_and_sent_without_the_guard",
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint())],
    );
    let spans = receiver.spans();
    assert_eq!(spans.iter().filter(|span| span.name == "finished before").count(), 1);
    let failing = spans.iter().find(|span| span.name == "failing").unwrap();
    assert_eq!(failing.status, Status::error("the order 7 is impossible"));
    let event = &failing.events[0];
    assert_eq!(event.name, "exception");
    assert!(event.attributes.has("exception.type", "panic"));
    assert!(event.attributes.has("exception.message", "the order 7 is impossible"));
    let record = &receiver.logs()[0];
    let place = "panicked at otel-init/tests/it/shutdown.rs:";
    assert!(record.message().starts_with(place), "{record:?}");
    assert!(record.message().ends_with(": the order 7 is impossible"), "{record:?}");
    assert_eq!((record.severity_text.as_str(), record.span_id.as_ref()), ("FATAL", Some(&failing.span_id)));
    assert!(record.attributes.has("exception.message", "the order 7 is impossible"));
    assert!(record.attributes.has("exception.type", "panic"));
    assert!(record.attributes.contains_key("exception.stacktrace"));
    assert!(record.attributes.has("thread.name", "main"));
    // The hook of before has its say too.
    assert_eq!(finished.lines("the order 7 is impossible").len(), 1, "{}", finished.console);
    // Two flushes and no shutdown: the span that had ended before went with the first.
    assert!(
        receiver.requests().iter().filter(|request| request.signal == otel_testing::Signal::Traces).count()
            >= 2
    );
}
