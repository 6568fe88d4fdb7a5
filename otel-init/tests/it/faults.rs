//! What can be wrong with a collector: the application does not notice, the counts add up, the end is bounded.

use std::time::{Duration, Instant};

use opentelemetry::trace::{Span, Tracer};
use opentelemetry::{KeyValue, global};
use otel_init::{CircuitState, Queue, Signal, SignalHealth, Telemetry, TelemetryBuilder};
use otel_testing::{OtlpReceiver, Reply, eventually_blocking};

use crate::child::{self, alone};
use crate::counts::health_of;
use crate::protocols::{endpoint, for_each_protocol};
use crate::scripted::{DyingConnections, Reaction, Scripted};
use crate::{PATIENCE, STALLED, patient, without_waiting};

pub(crate) const SPANS: u64 = 100;
const SMALL_BATCHES: (&str, &str) = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512");

/// Traces alone, to `endpoint`.
fn install(endpoint: &str, protocol: &'static str) -> Telemetry {
    builder(endpoint, protocol, [SMALL_BATCHES]).install().unwrap()
}

/// The same, with so many milliseconds for each export.
fn install_with(endpoint: &str, protocol: &'static str, timeout: &'static str) -> Telemetry {
    let variables = [SMALL_BATCHES, ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout)];
    builder(endpoint, protocol, variables).install().unwrap()
}

/// `more` are variables that differ.
fn builder<const N: usize>(
    endpoint: &str,
    protocol: &'static str,
    more: [(&'static str, &'static str); N],
) -> TelemetryBuilder {
    let endpoint = endpoint.to_owned();
    patient().with_environment(move |name| {
        if let Some((_, value)) = more.iter().find(|(variable, _)| *variable == name) {
            return Some((*value).to_owned());
        }
        match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
            "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" => Some("600000".to_owned()),
            // So that a slow machine is no fault of the collector.
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("60000".to_owned()),
            _ => None,
        }
    })
}

/// Makes spans, and expects that they did not make the application wait.
fn work(count: u64) {
    let tracer = global::tracer("faults");
    without_waiting(count, || tracer.start("span").end());
}

#[track_caller]
fn traces(telemetry: &Telemetry) -> SignalHealth {
    health_of(telemetry, Signal::Traces)
}

/// Makes spans, flushes, shuts down, and gives back what became of the spans.
pub(crate) fn lifetime(endpoint: &str, protocol: &'static str) -> SignalHealth {
    lifetime_of(&install(endpoint, protocol))
}

fn lifetime_of(telemetry: &Telemetry) -> SignalHealth {
    work(SPANS);
    let flushed = telemetry.flush_blocking();
    let health = traces(telemetry);
    assert_eq!(flushed.is_ok(), health.failed + health.queued == 0, "{flushed:?} {health:?}");
    let start = Instant::now();
    let _ = telemetry.shutdown_blocking();
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    let health = traces(telemetry);
    assert_eq!((health.created, health.queued), (SPANS, 0), "{health:?}");
    health
}

#[test]
fn a_collector_that_is_well_gets_everything() {
    for_each_protocol("faults::a_collector_that_is_well_gets_everything", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        let health = lifetime(&endpoint(&receiver, protocol), protocol);
        assert_eq!((health.exported, health.retries, health.circuit), (SPANS, 0, CircuitState::Closed));
        assert!(health.last_success.is_some() && health.last_error.is_none());
        assert_eq!(receiver.spans().len() as u64, SPANS);
    });
}

#[test]
fn unavailable_and_then_fine_delivers_once() {
    for_each_protocol("faults::unavailable_and_then_fine_delivers_once", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let endpoint = endpoint(&receiver, protocol);
        let health = std::thread::scope(|scope| {
            scope.spawn(|| {
                receiver.wait_for_blocking(PATIENCE, |received| received.request_count() > 0).unwrap();
                receiver.respond_with(Reply::Accept);
            });
            lifetime(&endpoint, protocol)
        });
        assert_eq!((health.exported, health.failed), (SPANS, 0), "{health:?}");
        assert!(health.retries >= 1);
        assert_eq!(receiver.spans().len() as u64, SPANS);
    });
}

#[test]
fn what_is_refused_for_good_is_sent_once() {
    for_each_protocol("faults::what_is_refused_for_good_is_sent_once", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::InvalidArgument);
        let health = lifetime(&endpoint(&receiver, protocol), protocol);
        assert_eq!((health.failed, health.retries, receiver.request_count()), (SPANS, 0, 1), "{health:?}");
        let (_, cause) = health.last_error.unwrap();
        assert!(cause.contains("400") || cause.contains("InvalidArgument"), "{cause}");
    });
}

#[test]
fn what_a_collector_rejects_is_told_with_its_words() {
    let test = "faults::what_a_collector_rejects_is_told_with_its_words";
    if child::is_child() {
        let receiver = OtlpReceiver::builder().with_max_items(60).start().unwrap();
        lifetime(&receiver.http_endpoint(), "http/protobuf");
        return;
    }
    let finished = child::run(test, &[("RUST_LOG", "warn")]);
    let told = finished.lines(" rejected 40 of 100 in traces, which are lost: \"the receiver is full");
    assert_eq!(told.len(), 1, "{}", finished.console);
    assert!(told[0].contains("see its log"), "{told:?}");
}

#[test]
fn a_partial_success_is_counted() {
    for_each_protocol("faults::a_partial_success_is_counted", |protocol| {
        let receiver = OtlpReceiver::builder().with_max_items(60).start().unwrap();
        let health = lifetime(&endpoint(&receiver, protocol), protocol);
        assert_eq!((health.exported, health.rejected, health.retries), (60, 40, 0), "{health:?}");
        assert_eq!((receiver.spans().len(), receiver.request_count()), (60, 1));
    });
}

#[test]
fn too_large_is_not_retried() {
    alone("faults::too_large_is_not_retried", || {
        let collector = Scripted::start(&[Reaction::status("413 Payload Too Large", "")]);
        let health = lifetime(&collector.http(), "http/protobuf");
        assert_eq!((health.failed, collector.requests()), (SPANS, 1));
    });
}

#[test]
fn what_is_larger_than_a_request_is_sent_with_its_texts_cut() {
    let test = "faults::what_is_larger_than_a_request_is_sent_with_its_texts_cut";
    const LARGE: usize = 5 * 1024 * 1024;
    let record = |protocol: &'static str| {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        let more = [("OTEL_LOGS_EXPORTER", "otlp"), ("RUST_LOG", "otel_init=warn,off")];
        let telemetry = builder(&endpoint, protocol, more).install().unwrap();
        let mut span = global::tracer("faults").start("large");
        span.set_attribute(KeyValue::new("page", "é".repeat(LARGE / 2)));
        span.end();
        global::tracer("faults").start("small").end();
        tracing::info!("{}", "x".repeat(LARGE));
        let flushed = telemetry.flush_blocking();
        let health = telemetry.health();
        telemetry.shutdown_blocking().ok();
        (receiver, flushed, health)
    };
    if child::is_child() {
        if std::env::var_os("OF_THE_SDK").is_some() {
            let (receiver, _, health) = record("http/json");
            assert_eq!(receiver.spans().iter().map(|span| &*span.name).collect::<Vec<_>>(), ["small"]);
            assert_eq!(health.signal(Signal::Traces).unwrap().failed, 1);
            return;
        }
        let is_grpc = std::env::var_os("OVER_GRPC").is_some();
        let (receiver, flushed, health) = record(if is_grpc { "grpc" } else { "http/protobuf" });
        flushed.unwrap();
        let spans = receiver.spans();
        let large = spans.iter().find(|span| span.name == "large").unwrap();
        assert_eq!(large.attribute("page").unwrap().to_string(), format!("\"{}\"", "é".repeat(8192)));
        assert_eq!(receiver.logs()[0].message(), "x".repeat(8192));
        assert!(health.signals.iter().all(|signal| signal.lost() == 0), "{health:?}");
        return;
    }
    for variables in [&[("OVER_GRPC", "1")][..], &[]] {
        let finished = child::run(test, variables);
        let told = finished.lines("is larger than a request may be: texts in it are cut to 8192 characters");
        assert_eq!((told.len(), finished.console.lines().count()), (1, 1), "{}", finished.console);
    }
    let finished = child::run(test, &[("OF_THE_SDK", "1")]);
    let told = finished.lines("too much to be sent. It is lost, and others are not: record less in one span");
    assert_eq!(told.len(), 2, "traces and logs: {}", finished.console);
}

#[test]
fn retry_after_is_waited_for() {
    alone("faults::retry_after_is_waited_for", || {
        let collector = Scripted::start(&[
            Reaction::status("429 Too Many Requests", "retry-after: 1\r\n"),
            Reaction::ok(),
        ]);
        let telemetry = install(&collector.http(), "http/protobuf");
        work(SPANS);
        let start = Instant::now();
        let report = telemetry.flush_blocking().unwrap();
        assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(report.health().signal(Signal::Traces).unwrap().exported, SPANS);
        assert_eq!((traces(&telemetry).retries, collector.requests()), (1, 2));
    });
}

#[test]
fn a_collector_that_wants_to_be_left_alone_is() {
    alone("faults::a_collector_that_wants_to_be_left_alone_is", || {
        let collector =
            Scripted::start(&[Reaction::status("503 Busy", "retry-after: 3600\r\n"), Reaction::ok()]);
        let telemetry = install(&collector.http(), "http/protobuf");
        work(SPANS);
        let start = Instant::now();
        telemetry.flush_blocking().unwrap_err();
        // Longer than the timeout, so nobody waits for it.
        assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
        assert_eq!(traces(&telemetry).circuit, CircuitState::Open);
        // A full batch would be exported at once.
        work(512);
        assert_eq!((traces(&telemetry).queued, collector.requests()), (SPANS + 512, 1));
        // A shutdown tries nevertheless.
        telemetry.shutdown_blocking().unwrap();
        assert_eq!((traces(&telemetry).exported, collector.requests()), (SPANS + 512, 3));
    });
}

#[test]
fn a_delay_that_no_clock_knows_stops_nothing() {
    alone("faults::a_delay_that_no_clock_knows_stops_nothing", || {
        // What `u64::MAX` seconds are added to is no time any more.
        let collector = Scripted::start(&[
            Reaction::status("503 Busy", "retry-after: 18446744073709551615\r\n"),
            Reaction::ok(),
        ]);
        let telemetry = install(&collector.http(), "http/protobuf");
        work(SPANS);
        telemetry.flush_blocking().unwrap_err();
        assert_eq!(traces(&telemetry).queued, SPANS);
        telemetry.shutdown_blocking().unwrap();
        assert_eq!((traces(&telemetry).exported, collector.requests()), (SPANS, 2));
    });
}

#[test]
fn the_circuit_opens_half_opens_and_closes_by_itself() {
    alone("faults::the_circuit_opens_half_opens_and_closes_by_itself", || {
        // Longer than the timeout, so nobody waits for it.
        let collector =
            Scripted::start(&[Reaction::status("503 Busy", "retry-after: 6\r\n"), Reaction::ok()]);
        let telemetry = install_with(&collector.http(), "http/protobuf", "5000");
        let circuit = || telemetry.health().signal(Signal::Traces).unwrap().circuit;
        assert_eq!(circuit(), CircuitState::Closed);
        let start = Instant::now();
        // Full batches go by themselves; nobody flushes here.
        work(512);
        eventually_blocking(PATIENCE, || circuit() != CircuitState::Closed);
        eventually_blocking(PATIENCE, || circuit() == CircuitState::HalfOpen);
        assert!(start.elapsed() >= Duration::from_secs(6), "it was open for {:?}", start.elapsed());
        assert_eq!(collector.requests(), 1, "nothing was sent meanwhile");
        work(512);
        eventually_blocking(PATIENCE, || circuit() == CircuitState::Closed);
        telemetry.shutdown_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.failed, health.exported), (0, 1024), "{health:?}");
    });
}

#[test]
fn what_an_outage_kept_is_delivered_when_it_is_over() {
    for_each_protocol("faults::what_an_outage_kept_is_delivered_when_it_is_over", |protocol| {
        if protocol == "http/json" {
            // What leaves the SDK's queue waits beside it, which is `crate::unsent`.
            return;
        }
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let telemetry = builder(&endpoint(&receiver, protocol), protocol, [SMALL_QUEUE]).install().unwrap();
        work(1500);
        while traces(&telemetry).circuit != CircuitState::Open {
            let error = telemetry.flush_blocking().unwrap_err();
            assert!(error.to_string().contains("(kept in memory)"), "{error}");
        }
        // What was put back has its place in a queue that is bounded by number.
        work(1500);
        let health = traces(&telemetry);
        assert_eq!((health.queued, health.dropped, health.failed), (2048, 952, 0), "{health:?}");
        receiver.respond_with(Reply::Accept);
        telemetry.flush_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.queued, health.exported), (0, 2048), "{health:?}");
        assert_eq!(receiver.spans().len(), 2048);
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn a_cut_request_is_sent_again() {
    alone("faults::a_cut_request_is_sent_again", || {
        let collector = Scripted::start(&[Reaction::CutRequest, Reaction::CutAnswer, Reaction::ok()]);
        let health = lifetime(&collector.http(), "http/protobuf");
        assert_eq!((health.exported, health.retries, collector.requests()), (SPANS, 2, 3), "{health:?}");
    });
}

#[test]
fn connections_that_are_always_cut_end_in_a_failure() {
    alone("faults::connections_that_are_always_cut_end_in_a_failure", || {
        let collector = Scripted::start(&[Reaction::CutRequest]);
        let health = lifetime(&collector.http(), "http/protobuf");
        // Three for the flush, three for the shutdown.
        assert_eq!((health.failed, health.retries), (SPANS, 6), "{health:?}");
    });
}

#[test]
fn garbage_is_no_delivery() {
    for (index, answer) in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
    ]
    .into_iter()
    .enumerate()
    {
        const ROW: &str = "TEST_ROW";
        if child::is_child() {
            if std::env::var(ROW).unwrap() == index.to_string() {
                let collector = Scripted::start(&[Reaction::Answer(answer.to_owned())]);
                let health = lifetime(&collector.http(), "http/protobuf");
                assert_eq!((health.exported, health.failed), (0, SPANS), "{health:?}");
            }
        } else {
            child::run("faults::garbage_is_no_delivery", &[(ROW, &index.to_string()), ("RUST_LOG", "error")]);
        }
    }
}

#[test]
fn garbage_is_no_delivery_over_grpc() {
    alone("faults::garbage_is_no_delivery_over_grpc", || {
        let collector =
            Scripted::start(&[Reaction::Answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())]);
        let health = lifetime(&collector.http(), "grpc");
        assert_eq!((health.exported, health.failed), (0, SPANS), "{health:?}");
    });
}

/// Fails with the timeout of the export, which is within that of the shutdown.
fn expect_timeout(endpoint: &str, protocol: &'static str) {
    let start = Instant::now();
    let health = lifetime_of(&install_with(endpoint, protocol, "500"));
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    assert_eq!(health.failed, SPANS, "{health:?}");
    let (_, cause) = health.last_error.unwrap();
    assert_eq!(cause, "the collector did not answer within 500ms");
}

#[test]
fn a_silent_collector_is_given_up() {
    for_each_protocol("faults::a_silent_collector_is_given_up", |protocol| {
        expect_timeout(&Scripted::start(&[Reaction::Silence]).http(), protocol);
    });
}

/// "Did not answer" alone would hide what the collector said when it still did.
#[test]
fn a_collector_that_goes_silent_is_told_with_what_it_said_before() {
    for_each_protocol("faults::a_collector_that_goes_silent_is_told_with_what_it_said_before", |protocol| {
        let script = [Reaction::status("503 Service Unavailable", ""), Reaction::Silence];
        // The first answer comes within it, the second never.
        let telemetry = install_with(&Scripted::start(&script).http(), protocol, "8000");
        work(SPANS);
        telemetry.flush_blocking().unwrap_err();
        let (_, cause) = traces(&telemetry).last_error.unwrap();
        let (late, before) = cause.split_once(", and before: ").unwrap_or_else(|| panic!("{cause}"));
        assert_eq!(late, "the collector did not answer within 8s");
        // A server that talks HTTP/1.1 is no gRPC server: the connection fails.
        assert!(protocol == "grpc" || before.contains("503"), "{cause}");
    });
}

#[test]
fn a_byte_a_second_is_given_up() {
    alone("faults::a_byte_a_second_is_given_up", || {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned();
        expect_timeout(&Scripted::start(&[Reaction::Dribble(answer)]).http(), "http/protobuf");
    });
}

#[test]
fn a_handshake_that_hangs_is_given_up() {
    for_each_protocol("faults::a_handshake_that_hangs_is_given_up", |protocol| {
        expect_timeout(&Scripted::start(&[Reaction::Silence]).https(), protocol);
    });
}

#[test]
fn a_host_that_does_not_exist_is_named_as_such() {
    for_each_protocol("faults::a_host_that_does_not_exist_is_named_as_such", |protocol| {
        let health = lifetime("http://collector.invalid:4318", protocol);
        assert_eq!(health.failed, SPANS, "{health:?}");
        let (_, cause) = health.last_error.unwrap();
        assert!(cause.contains("dns") || cause.contains("lookup") || cause.contains("resolve"), "{cause}");
    });
}

#[test]
fn a_connection_that_died_without_a_word_is_not_used_again() {
    for_each_protocol("faults::a_connection_that_died_without_a_word_is_not_used_again", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        let way = DyingConnections::to(&endpoint(&receiver, protocol));
        let telemetry = install_with(&way.endpoint(), protocol, "1000");
        let flushed = || {
            work(1);
            telemetry.flush_blocking().is_ok()
        };
        // On a slow machine the time may be up for a connection that is well, too.
        eventually_blocking(PATIENCE, flushed);
        way.die();
        // Nobody can know before the time is up.
        assert!(!flushed());
        eventually_blocking(PATIENCE, flushed);
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn a_proxy_that_is_not_used_is_named() {
    let test = "faults::a_proxy_that_is_not_used_is_named";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        work(1);
        let error = telemetry.flush_blocking().unwrap_err();
        let cause = error.failures()[0].cause();
        let expected = "; HTTP_PROXY is set, but the export uses no proxy (kept in memory)";
        assert!(cause.ends_with(expected), "{cause}");
        return;
    }
    let of_this_machine = ["http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"];
    let mut variables = of_this_machine.map(|name| (name, "")).to_vec();
    variables.extend([
        ("HTTP_PROXY", "http://proxy.invalid:3128"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.invalid:4318"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    child::run(test, &variables);
}

#[cfg(unix)]
#[test]
fn without_free_file_descriptors_the_export_waits_for_them() {
    let test = "faults::without_free_file_descriptors_the_export_waits_for_them";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        let open: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        work(SPANS);
        let error = telemetry.flush_blocking().unwrap_err();
        // Whatever opens a file now may fail, a message of a failed assertion too.
        drop(open);
        assert!(error.to_string().contains("Too many open files"), "{error}");
        work(SPANS);
        telemetry.flush_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.failed, health.exported), (0, 2 * SPANS), "{health:?}");
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let endpoint = receiver.http_endpoint();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let command = child::command(test, &variables);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(receiver.spans().len() as u64, 2 * SPANS);
}

const SMALL_QUEUE: (&str, &str) = ("OTEL_BSP_MAX_QUEUE_SIZE", "2048");

/// Ends this many spans on four threads.
fn burst(spans: u64) {
    let tracer = global::tracer("faults");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..spans / 4).for_each(|_| tracer.start("burst").end()));
        }
    });
}

const BURST: u64 = 10_000;

/// So that no exporter is faster than the burst.
fn burst_while_nothing_is_taken(receiver: &OtlpReceiver) {
    receiver.respond_with(Reply::Unavailable);
    burst(BURST);
    receiver.respond_with(Reply::Accept);
}

#[test]
fn a_burst_that_fits_the_memory_is_delivered_whole() {
    for_each_protocol("faults::a_burst_that_fits_the_memory_is_delivered_whole", |protocol| {
        if protocol == "http/json" {
            // Its queue is always the SDK's.
            return;
        }
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = install(&endpoint(&receiver, protocol), protocol);
        // Ten times what the SDK's queue holds.
        burst(20_000);
        telemetry.shutdown_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.created, health.exported), (20_000, 20_000), "{health:?}");
        assert_eq!(receiver.spans().len(), 20_000);
    });
}

#[test]
fn a_burst_loses_exactly_what_the_memory_cannot_hold() {
    for_each_protocol("faults::a_burst_loses_exactly_what_the_memory_cannot_hold", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        let builder = builder(&endpoint(&receiver, protocol), protocol, []);
        let telemetry = builder.with_queue(Queue::Encoded { max_bytes: 100_000 }).install().unwrap();
        burst_while_nothing_is_taken(&receiver);
        telemetry.shutdown_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.created, health.exported + health.dropped), (BURST, BURST), "{health:?}");
        assert!(health.dropped > 0, "{health:?}");
        assert_eq!(receiver.spans().len() as u64, health.exported);
    });
}

#[test]
fn a_burst_loses_exactly_what_the_queue_cannot_hold() {
    for_each_protocol("faults::a_burst_loses_exactly_what_the_queue_cannot_hold", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        let builder = builder(&endpoint(&receiver, protocol), protocol, [SMALL_QUEUE]);
        // One of each kind.
        let queue = if protocol == "grpc" { Queue::Sdk } else { Queue::default() };
        let telemetry = builder.with_queue(queue).install().unwrap();
        burst_while_nothing_is_taken(&receiver);
        telemetry.shutdown_blocking().unwrap();
        let health = traces(&telemetry);
        assert_eq!((health.created, health.exported + health.dropped), (BURST, BURST), "{health:?}");
        assert_eq!(receiver.spans().len() as u64, health.exported);
        assert!(health.exported >= 2048);
    });
}

#[test]
fn large_batches_are_split_below_four_megabytes() {
    for_each_protocol("faults::large_batches_are_split_below_four_megabytes", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        // Megabytes of JSON take their time in a test build.
        let endpoint = endpoint(&receiver, protocol);
        let telemetry = install(&endpoint, protocol);
        let tracer = global::tracer("faults");
        for _ in 0..10 {
            let mut span = tracer.start("large");
            span.set_attribute(KeyValue::new("payload", "x".repeat(1_000_000)));
            span.end();
        }
        let mut span = tracer.start("too large");
        span.set_attribute(KeyValue::new("payload", "x".repeat(5_000_000)));
        span.end();
        // A flush of the SDK's queue gives up after 5 seconds, whatever it is told.
        let shut_down = telemetry.shutdown_blocking();
        let health = traces(&telemetry);
        // What is made of the SDK's objects is not cut.
        let lost = u64::from(protocol == "http/json");
        assert_eq!(shut_down.is_err(), lost == 1, "{shut_down:?}");
        assert_eq!((health.exported, health.failed), (11 - lost, lost), "{health:?}");
        assert!(receiver.request_count() >= 3);
        assert_eq!(receiver.spans().len() as u64, 11 - lost);
    });
}

#[test]
fn the_counts_are_exported_as_metrics() {
    alone("faults::the_counts_are_exported_as_metrics", || {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = receiver.http_endpoint();
        let telemetry = patient()
            .with_environment(move |name| match name {
                "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
                "OTEL_BSP_MAX_QUEUE_SIZE" => Some("50".to_owned()),
                "OTEL_BSP_SCHEDULE_DELAY" => Some("600000".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        // One lock-step burst into a queue of 50; how much of it the exporter took meanwhile is in the counts.
        work(1000);
        telemetry.shutdown_blocking().unwrap();
        let health = traces(&telemetry);
        assert!(health.dropped > 0, "{health:?}");
        let metrics = receiver.metrics();
        let sum = |name: &str, error: Option<&str>| {
            let points =
                metrics.iter().filter(|metric| metric.name() == name).flat_map(|metric| metric.points());
            let chosen = points.filter(|point| match error {
                Some(error) => point.has("error.type", error),
                None => point.attribute("error.type").is_none(),
            });
            chosen.map(otel_testing::Point::total).sum::<f64>() as u64
        };
        assert_eq!(sum("otel.sdk.processor.span.processed", Some("queue_full")), health.dropped);
        assert_eq!(sum("otel.sdk.processor.span.processed", None), health.exported);
        assert_eq!(sum("otel.sdk.exporter.span.exported", None), health.exported);
        assert_eq!(sum("otel.sdk.processor.span.queue.size", None), 0);
        assert!(metrics.iter().any(|metric| metric.name() == "otel.sdk.exporter.log.exported"));
    });
}
