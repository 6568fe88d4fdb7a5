//! Several ways out at once, and what the user brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use otel_init::{OtlpDestination, Protocol, Signal, opentelemetry, opentelemetry_sdk};
use otel_testing::{OtlpReceiver, Reply, eventually_blocking};

use crate::child::{self, alone};
use crate::{PATIENCE, STALLED, patient};

fn spans(count: usize) {
    let tracer = global::tracer("destinations");
    (0..count).for_each(|_| tracer.start("span").end());
}

#[test]
fn each_destination_has_a_queue_and_a_health_of_its_own() {
    alone("destinations::each_destination_has_a_queue_and_a_health_of_its_own", || {
        let (first, second) = (OtlpReceiver::start().unwrap(), OtlpReceiver::start().unwrap());
        second.respond_with(Reply::InvalidArgument);
        let vendor = OtlpDestination::new(second.grpc_endpoint())
            .with_protocol(Protocol::Grpc)
            .with_signals([Signal::Traces, Signal::Logs])
            .with_header("x-team", "orders");
        let telemetry =
            patient().with_endpoint(first.http_endpoint()).with_destination(vendor).install().unwrap();
        spans(10);
        tracing::info!("hello");
        let error = telemetry.flush_blocking().unwrap_err();
        let failed: Vec<_> = error.failures().iter().map(|failure| failure.signal()).collect();
        assert_eq!(failed, [Signal::Traces, Signal::Logs], "{error}");
        assert!(
            error.failures().iter().all(|failure| failure.endpoint() == second.grpc_endpoint()),
            "{error}"
        );

        let health = telemetry.health();
        let of = |endpoint: &str, signal| {
            let is_it = |health: &&otel_init::SignalHealth| {
                health.signal == signal && health.endpoint.starts_with(endpoint)
            };
            health.signals.iter().find(is_it).unwrap().clone()
        };
        assert_eq!(health.signals.len(), 5, "{health:?}");
        assert_eq!(of(&first.http_endpoint(), Signal::Traces).exported, 10);
        assert_eq!(of(&second.grpc_endpoint(), Signal::Traces).failed, 10);
        assert_eq!(of(&first.http_endpoint(), Signal::Logs).exported, 1);
        assert_eq!(of(&second.grpc_endpoint(), Signal::Logs).failed, 1);

        second.respond_with(Reply::Accept);
        spans(5);
        let report = telemetry.shutdown_blocking().unwrap();
        assert_eq!(report.signals(), [Signal::Traces, Signal::Metrics, Signal::Logs]);
        assert_eq!((first.spans().len(), second.spans().len()), (15, 5));
        let accepted = second.requests().into_iter().filter(|request| request.accepted);
        assert!(accepted.into_iter().all(|request| request.header("x-team") == Some("orders")));
    });
}

#[test]
fn a_dead_destination_takes_no_time_from_the_others() {
    alone("destinations::a_dead_destination_takes_no_time_from_the_others", || {
        let receiver = OtlpReceiver::start().unwrap();
        let silent = crate::scripted::Scripted::start(&[crate::scripted::Reaction::Silence]);
        let dead = OtlpDestination::new(silent.http()).with_signals([Signal::Traces]);
        let telemetry = patient()
            .with_endpoint(receiver.http_endpoint())
            .with_destination(dead)
            .with_exporters(Signal::Metrics, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_shutdown_timeout(Duration::from_secs(5))
            .install()
            .unwrap();
        spans(600);
        let error = telemetry.shutdown_blocking().unwrap_err();
        assert_eq!(error.failures().len(), 1, "{error}");
        assert_eq!(receiver.spans().len(), 600);
        let lost: u64 = error.health().signals.iter().map(|health| health.lost()).sum();
        assert_eq!(lost, 600, "{error}");
    });
}

#[test]
fn the_headers_are_those_of_the_moment() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        const PROTOCOL: &str = "TEST_PROTOCOL";
        let test = "destinations::the_headers_are_those_of_the_moment";
        if !child::is_child() {
            child::run(test, &[(PROTOCOL, protocol.as_str()), ("RUST_LOG", "error")]);
            continue;
        }
        if std::env::var(PROTOCOL).unwrap() != protocol.as_str() {
            continue;
        }
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint =
            if protocol == Protocol::Grpc { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let telemetry = patient()
            .with_endpoint(endpoint)
            .with_protocol(protocol)
            .with_exporters(Signal::Metrics, ["none"])
            .with_exporters(Signal::Logs, ["none"])
            .with_environment(|name| {
                (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "authorization=old,x-team=a".to_owned())
            })
            .with_header_provider(move || match counted.fetch_add(1, Ordering::AcqRel) {
                1 => panic!("no token today"),
                call => vec![("authorization".to_owned(), format!("Bearer {call}"))],
            })
            .install()
            .unwrap();
        spans(1);
        telemetry.flush_blocking().unwrap();
        // The second call panics, the attempt after it has a token again.
        spans(1);
        telemetry.flush_blocking().unwrap();
        let tokens: Vec<_> = receiver
            .requests()
            .iter()
            .map(|request| {
                (
                    request.header("authorization").unwrap().to_owned(),
                    request.header("x-team").unwrap().to_owned(),
                )
            })
            .collect();
        assert_eq!(tokens, [("Bearer 0".into(), "a".into()), ("Bearer 2".into(), "a".into())]);
        assert_eq!(telemetry.health().signal(Signal::Traces).unwrap().retries, 1);
    }
}

/// One thread sends for all. A function that waits, for a token perhaps, must not hold it up.
#[test]
fn a_header_function_that_waits_takes_no_time_from_the_others() {
    alone("destinations::a_header_function_that_waits_takes_no_time_from_the_others", || {
        let (receiver, other) = (Arc::new(OtlpReceiver::start().unwrap()), OtlpReceiver::start().unwrap());
        let waits_for = Arc::clone(&receiver);
        let waiting = OtlpDestination::new(other.http_endpoint())
            .with_signals([Signal::Logs])
            .with_header_provider(move || {
                let arrived = |receiver: &OtlpReceiver| !receiver.spans().is_empty();
                waits_for.wait_for_blocking(STALLED, arrived).unwrap();
                Vec::new()
            });
        let telemetry = patient()
            .with_endpoint(receiver.http_endpoint())
            .with_destination(waiting)
            .with_exporters(Signal::Metrics, ["none"])
            .install()
            .unwrap();
        tracing::info!("hello");
        spans(1);
        telemetry.shutdown_blocking().unwrap();
        assert_eq!((receiver.spans().len(), other.logs().len()), (1, 1));
    });
}

/// Counts what it gets; the first batch of spans is too much for it.
#[derive(Debug, Clone, Default)]
struct Mine(Arc<AtomicUsize>);

impl SpanExporter for Mine {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let before = self.0.fetch_add(batch.len(), Ordering::AcqRel);
        assert_ne!(before, 0, "no good");
        assert!(batch.iter().all(|span| span.attributes.iter().all(|kv| kv.value.as_str() != "hunter2")));
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

impl LogExporter for Mine {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.0.fetch_add(batch.iter().count(), Ordering::AcqRel);
        Ok(())
    }
}

impl PushMetricExporter for Mine {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.0.fetch_add(metrics.scope_metrics().count(), Ordering::AcqRel);
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Delta
    }
}

#[test]
fn exporters_of_ones_own_are_chosen_by_name_and_may_panic() {
    let test = "destinations::exporters_of_ones_own_are_chosen_by_name_and_may_panic";
    let finished = child::told(test, "warn", || {
        let (spans, logs, metrics) = (Mine::default(), Mine::default(), Mine::default());
        let (made_spans, made_logs, made_metrics) = (spans.clone(), logs.clone(), metrics.clone());
        let telemetry = patient()
            .with_span_exporter("Mine", move || made_spans.clone())
            .with_log_exporter("mine", move || made_logs.clone())
            .with_metric_exporter("mine", move || made_metrics.clone())
            .with_environment(|name| match name {
                "OTEL_TRACES_EXPORTER" => Some("mine".to_owned()),
                "OTEL_LOGS_EXPORTER" => Some("MINE".to_owned()),
                _ => None,
            })
            .with_exporters(Signal::Metrics, ["mine"])
            .install()
            .unwrap();
        let tracer = global::tracer("destinations");
        let secret = || {
            let mut span = tracer.start("span");
            span.set_attribute(opentelemetry::KeyValue::new("password", "hunter2"));
            span.end();
        };
        secret();
        let error = telemetry.flush_blocking().unwrap_err();
        assert_eq!(error.failures()[0].endpoint(), "mine");
        assert!(error.to_string().contains("panicked"), "{error}");
        secret();
        tracing::info!("one");
        global::meter("destinations").u64_counter("orders").build().add(1, &[]);
        let report = telemetry.shutdown_blocking().unwrap();
        let health = report.health();
        assert_eq!(
            health.signal(Signal::Traces).map(|traces| (traces.exported, traces.failed)),
            Some((1, 1))
        );
        assert_eq!(health.signal(Signal::Logs).unwrap().exported, 1);
        assert_eq!(spans.0.load(Ordering::Acquire), 2);
        assert_eq!(logs.0.load(Ordering::Acquire), 1);
        assert!(metrics.0.load(Ordering::Acquire) >= 1);
    });
    if let Some(finished) = finished {
        let told = finished.lines("cannot export traces to mine: ");
        assert!(told.len() == 1 && told[0].contains("this exporter is the service's own"), "{told:?}");
    }
}

/// Never done.
#[derive(Debug)]
struct Stuck;

impl SpanExporter for Stuck {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        std::future::pending().await
    }
}

impl LogExporter for Stuck {
    async fn export(&self, _batch: LogBatch<'_>) -> OTelSdkResult {
        std::future::pending().await
    }
}

impl PushMetricExporter for Stuck {
    async fn export(&self, _metrics: &ResourceMetrics) -> OTelSdkResult {
        std::future::pending().await
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

#[test]
fn the_variables_bound_exporters_of_ones_own() {
    alone("destinations::the_variables_bound_exporters_of_ones_own", || {
        let telemetry = patient()
            .with_span_exporter("stuck", || Stuck)
            .with_metric_exporter("stuck", || Stuck)
            .with_log_exporter("stuck", || Stuck)
            .with_environment(|name| match name {
                "OTEL_TRACES_EXPORTER" | "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => {
                    Some("stuck".to_owned())
                }
                "OTEL_BSP_EXPORT_TIMEOUT" => Some("51".to_owned()),
                "OTEL_METRIC_EXPORT_TIMEOUT" => Some("52".to_owned()),
                "OTEL_BLRP_EXPORT_TIMEOUT" => Some("53".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        spans(1);
        global::meter("destinations").u64_counter("orders").build().add(1, &[]);
        tracing::info!("one");
        let start = std::time::Instant::now();
        let error = telemetry.flush_blocking().unwrap_err();
        // Not with the time of the flush.
        assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
        let causes: Vec<_> = error.failures().iter().map(|failure| failure.cause()).collect();
        assert_eq!(causes.len(), 3, "{causes:?}");
        for (cause, bound) in causes.iter().zip(["51ms", "52ms", "53ms"]) {
            assert!(cause.contains(bound), "{bound}: {causes:?}");
        }
        let _ = telemetry.shutdown_blocking();
    });
}

/// Their queues are those of the SDK, which are told when to hand out.
#[test]
fn exporters_of_ones_own_get_what_waits_when_the_delay_is_over() {
    alone("destinations::exporters_of_ones_own_get_what_waits_when_the_delay_is_over", || {
        // The first spans are too much for it.
        let (spans_seen, logs) = (Mine(Arc::new(AtomicUsize::new(1))), Mine::default());
        let (made_spans, made_logs) = (spans_seen.clone(), logs.clone());
        let telemetry = patient()
            .with_span_exporter("mine", move || made_spans.clone())
            .with_log_exporter("mine", move || made_logs.clone())
            .with_exporters(Signal::Traces, ["mine"])
            .with_exporters(Signal::Metrics, ["none"])
            .with_exporters(Signal::Logs, ["mine"])
            .with_environment(|name| name.ends_with("_SCHEDULE_DELAY").then(|| "5".to_owned()))
            .install()
            .unwrap();
        spans(1);
        tracing::info!("one");
        eventually_blocking(PATIENCE, || {
            (spans_seen.0.load(Ordering::Acquire), logs.0.load(Ordering::Acquire)) == (2, 1)
        });
        telemetry.shutdown_blocking().unwrap();
    });
}

#[test]
fn a_name_that_nobody_knows_is_an_error_in_code() {
    // Nothing is installed, but another test may be at it.
    if !child::is_child() {
        child::run("destinations::a_name_that_nobody_knows_is_an_error_in_code", &[]);
        return;
    }
    let error = patient().with_exporters(Signal::Logs, ["otlp", "loki"]).install().unwrap_err();
    assert!(error.is_invalid_configuration());
    assert!(error.to_string().contains("loki"), "{error}");
    let destination = OtlpDestination::new("http://localhost:4318").with_header("bad name", "hunter2");
    let error = patient().with_destination(destination).install().unwrap_err();
    assert!(error.to_string().contains("bad name") && !error.to_string().contains("hunter2"), "{error}");
}
