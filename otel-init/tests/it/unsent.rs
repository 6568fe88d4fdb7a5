//! What could not be delivered and is not encoded yet when it ends: data points, and what comes from the SDK's queues.

use std::time::Duration;

use opentelemetry::metrics::Counter;
use opentelemetry::trace::{Span, Tracer};
use opentelemetry::{KeyValue, global};
use otel_init::opentelemetry_sdk::metrics::Temporality;
use otel_init::{CircuitState, Queue, Signal, Telemetry, TelemetryBuilder};
use otel_testing::{OtlpReceiver, Reply, eventually_blocking};

use crate::child::alone;
use crate::counts::health_of;
use crate::protocols::{endpoint, for_each_protocol};
use crate::scripted::{Reaction, Scripted};
use crate::{PATIENCE, patient};

/// `signal` alone, sent by flushes alone.
fn builder(signal: Signal, endpoint: &str, protocol: &'static str) -> TelemetryBuilder {
    let endpoint = endpoint.to_owned();
    let others = [Signal::Traces, Signal::Metrics, Signal::Logs].into_iter().filter(|other| *other != signal);
    let builder = patient().with_environment(move |name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
        "OTEL_METRIC_EXPORT_INTERVAL" | "OTEL_BSP_SCHEDULE_DELAY" => Some("600000".to_owned()),
        _ => None,
    });
    let builder = builder.with_queue(Queue::Sdk);
    others.fold(builder, |builder, other| builder.with_exporters(other, ["none"]))
}

fn orders() -> Counter<u64> {
    global::meter("shop").u64_counter("orders").build()
}

#[track_caller]
fn flush_in_vain(telemetry: &Telemetry) {
    let error = telemetry.flush_blocking().unwrap_err().to_string();
    assert!(error.contains("(kept in memory)"), "{error}");
}

#[test]
fn data_points_of_an_outage_are_delivered_in_their_order_when_it_is_over() {
    for_each_protocol(
        "unsent::data_points_of_an_outage_are_delivered_in_their_order_when_it_is_over",
        |protocol| {
            let receiver = OtlpReceiver::start().unwrap();
            receiver.respond_with(Reply::Unavailable);
            let builder = builder(Signal::Metrics, &endpoint(&receiver, protocol), protocol);
            let telemetry = builder.with_temporality(Temporality::Delta).install().unwrap();
            let mut counts = Vec::new();
            while telemetry.health().signal(Signal::Metrics).unwrap().circuit != CircuitState::Open {
                counts.push(counts.len() as u64 + 1);
                orders().add(counts.len() as u64, &[]);
                flush_in_vain(&telemetry);
            }
            assert!(health_of(&telemetry, Signal::Metrics).queued >= counts.len() as u64);
            receiver.respond_with(Reply::Accept);
            telemetry.flush_blocking().unwrap();
            let health = health_of(&telemetry, Signal::Metrics);
            assert_eq!((health.queued, health.failed, health.created), (0, 0, health.exported), "{health:?}");
            let orders = receiver.metrics().into_iter().filter(|metric| metric.name() == "orders");
            assert_eq!(orders.map(|orders| orders.metric.total() as u64).collect::<Vec<_>>(), counts);
            telemetry.shutdown_blocking().unwrap();
        },
    );
}

#[test]
fn what_comes_from_the_sdks_queue_waits_beside_it() {
    for_each_protocol("unsent::what_comes_from_the_sdks_queue_waits_beside_it", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let builder = builder(Signal::Traces, &endpoint(&receiver, protocol), protocol);
        let telemetry = builder.install().unwrap();
        let tracer = global::tracer("faults");
        (0..100).for_each(|_| tracer.start("early").end());
        flush_in_vain(&telemetry);
        // The whole queue is free for what comes: nobody sends anything if nothing comes.
        (0..100).for_each(|_| tracer.start("late").end());
        flush_in_vain(&telemetry);
        let before = health_of(&telemetry, Signal::Traces);
        assert_eq!((before.queued, before.failed, before.dropped), (200, 0, 0), "{before:?}");
        receiver.respond_with(Reply::Accept);
        // Nothing new is there to be sent.
        telemetry.flush_blocking().unwrap();
        let after = health_of(&telemetry, Signal::Traces);
        assert_eq!((after.queued, after.exported), (0, 200), "{after:?}");
        let names: Vec<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
        assert_eq!(names, [vec!["early"; 100], vec!["late"; 100]].concat());
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn at_the_end_what_waits_is_lost_and_said_to_be() {
    for_each_protocol("unsent::at_the_end_what_waits_is_lost_and_said_to_be", |protocol| {
        // One of each kind.
        let signal = if protocol == "http/protobuf" { Signal::Metrics } else { Signal::Traces };
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let telemetry = builder(signal, &endpoint(&receiver, protocol), protocol).install().unwrap();
        global::tracer("faults").start("span").end();
        orders().add(1, &[]);
        flush_in_vain(&telemetry);
        let error = telemetry.shutdown_blocking().unwrap_err().to_string();
        assert!(error.contains("navailable") && !error.contains("kept"), "{error}");
        let health = health_of(&telemetry, signal);
        assert!(health.failed > 0 && health.failed == health.created, "{health:?}");
    });
}

#[test]
fn the_oldest_give_way_when_too_much_waits() {
    alone("unsent::the_oldest_give_way_when_too_much_waits", || {
        let receiver = OtlpReceiver::start().unwrap();
        receiver.respond_with(Reply::Unavailable);
        let telemetry =
            builder(Signal::Traces, &receiver.http_endpoint(), "http/protobuf").install().unwrap();
        let tracer = global::tracer("faults");
        for number in 0..24 {
            let mut span = tracer.start(format!("{number}"));
            span.set_attribute(KeyValue::new("payload", "x".repeat(1_000_000)));
            span.end();
        }
        flush_in_vain(&telemetry);
        let before = health_of(&telemetry, Signal::Traces);
        assert!((12..=16).contains(&before.queued), "16 MiB: {before:?}");
        receiver.respond_with(Reply::Accept);
        telemetry.flush_blocking().unwrap();
        let after = health_of(&telemetry, Signal::Traces);
        assert_eq!((after.exported, after.failed), (before.queued, 24 - before.queued), "{after:?}");
        let newest: Vec<_> = (after.failed..24).map(|number| number.to_string()).collect();
        let names: Vec<_> = receiver.spans().iter().map(|span| span.name.to_string()).collect();
        assert_eq!(names, newest);
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn a_request_that_always_fails_is_given_up_when_others_get_through() {
    alone("unsent::a_request_that_always_fails_is_given_up_when_others_get_through", || {
        let fails = || std::iter::repeat_n(Reaction::status("503 Service Unavailable", ""), 4);
        // The first, with the three retries of a flush; from the second flush on with a new one behind it.
        let later = (0..4).flat_map(|_| fails().chain([Reaction::ok()]));
        let reactions: Vec<_> = fails().chain(later).collect();
        let collector = Scripted::start(&reactions);
        let telemetry = builder(Signal::Metrics, &collector.http(), "http/protobuf").install().unwrap();
        orders().add(1, &[]);
        flush_in_vain(&telemetry);
        let first = health_of(&telemetry, Signal::Metrics).queued;
        for _ in 0..3 {
            flush_in_vain(&telemetry);
            assert_eq!(health_of(&telemetry, Signal::Metrics).queued, first);
        }
        telemetry.flush_blocking().unwrap_err();
        let health = health_of(&telemetry, Signal::Metrics);
        assert_eq!((health.failed, health.queued), (first, 0), "{health:?}");
        telemetry.shutdown_blocking().unwrap();
    });
}

/// Of requests behind a large one, which this collector never takes, all others get through.
fn only_the_large_one_is_lost(test: &str, script: &[Reaction]) {
    alone(test, || {
        let collector = Scripted::start(script);
        let builder = builder(Signal::Metrics, &collector.http(), "http/protobuf");
        let telemetry = builder.with_temporality(Temporality::Delta).install().unwrap();
        orders().add(1, &[KeyValue::new("payload", "x".repeat(200_000))]);
        flush_in_vain(&telemetry);
        let large = health_of(&telemetry, Signal::Metrics).queued;
        while health_of(&telemetry, Signal::Metrics).circuit != CircuitState::Open {
            flush_in_vain(&telemetry);
        }
        let is_over = (0..10).any(|_| {
            orders().add(1, &[]);
            let _ = telemetry.flush_blocking();
            health_of(&telemetry, Signal::Metrics).queued == 0
        });
        let health = health_of(&telemetry, Signal::Metrics);
        assert!(is_over && health.failed == large && health.exported > 0, "{health:?}");
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn a_request_that_always_fails_does_not_keep_the_circuit_open() {
    // The fifth failure opens it, and one more is tried: each with the three retries of a flush.
    let outage = std::iter::repeat_n(Reaction::status("503 Service Unavailable", ""), 24);
    let script: Vec<_> = outage.chain([Reaction::UpTo(100_000, "")]).collect();
    only_the_large_one_is_lost("unsent::a_request_that_always_fails_does_not_keep_the_circuit_open", &script);
}

#[test]
fn a_request_that_the_collector_always_asks_a_pause_for_holds_up_no_other() {
    let script = [Reaction::UpTo(100_000, "retry-after: 3600\r\n")];
    let test = "unsent::a_request_that_the_collector_always_asks_a_pause_for_holds_up_no_other";
    only_the_large_one_is_lost(test, &script);
}

#[test]
fn a_flush_tries_the_oldest_and_a_new_request_when_the_circuit_is_open() {
    alone("unsent::a_flush_tries_the_oldest_and_a_new_request_when_the_circuit_is_open", || {
        let collector = Scripted::start(&[Reaction::status("503 Service Unavailable", "")]);
        let telemetry = builder(Signal::Metrics, &collector.http(), "http/protobuf").install().unwrap();
        let requests_of_a_flush = || {
            let before = collector.requests();
            flush_in_vain(&telemetry);
            collector.requests() - before
        };
        orders().add(1, &[]);
        let one = requests_of_a_flush();
        while health_of(&telemetry, Signal::Metrics).circuit != CircuitState::Open {
            flush_in_vain(&telemetry);
        }
        assert_eq!(requests_of_a_flush(), 2 * one);
        telemetry.shutdown_blocking().unwrap_err();
    });
}

#[test]
fn what_a_flush_sends_while_the_shutdown_comes_is_counted() {
    alone("unsent::what_a_flush_sends_while_the_shutdown_comes_is_counted", || {
        let failures = std::iter::repeat_n(Reaction::status("503 Service Unavailable", ""), 4);
        let collector = Scripted::start(&failures.chain([Reaction::Silence]).collect::<Vec<_>>());
        let builder = builder(Signal::Traces, &collector.http(), "http/protobuf");
        let telemetry = builder.with_shutdown_timeout(Duration::from_secs(8)).install().unwrap();
        global::tracer("faults").start("span").end();
        flush_in_vain(&telemetry);
        std::thread::scope(|scope| {
            let before = collector.requests();
            let flush = scope.spawn(|| telemetry.flush_blocking());
            eventually_blocking(PATIENCE, || collector.requests() > before);
            telemetry.shutdown_blocking().unwrap_err();
            flush.join().unwrap().unwrap_err();
        });
        let health = health_of(&telemetry, Signal::Traces);
        assert_eq!((health.failed + health.dropped, health.queued), (1, 0), "{health:?}");
    });
}
