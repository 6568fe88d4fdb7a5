use std::sync::Barrier;
use std::thread;

use opentelemetry::logs::Severity;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, log, span};
use tracing::Instrument;

#[test]
fn tracing_and_native_spans_nest_both_ways() {
    let telemetry = TestTelemetry::new();
    let tracer = telemetry.tracer_provider().tracer("shop");
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracer.in_span("request", |_| {
            tracing::info_span!("handler", user.tier = "gold").in_scope(|| {
                tracer.in_span("query", |_| ());
            });
        });
    });

    let (request, handler, query) =
        (telemetry.span("request"), telemetry.span("handler"), telemetry.span("query"));
    assert!(handler.is_child_of(&request));
    assert!(query.is_child_of(&handler));
    assert_eq!(
        telemetry.tree(),
        "trace 1\n  request internal\n    handler internal {user.tier=\"gold\"}\n      query internal\n"
    );
}

#[test]
fn events_become_logs_of_the_span_around_them_whoever_made_it() {
    let telemetry = TestTelemetry::new();
    let tracer = telemetry.tracer_provider().tracer("shop");
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::debug!("outside");
        tracing::info_span!("handler").in_scope(|| {
            tracing::info!(items = 3, paid = true, "in tracing");
            tracer.in_span("query", |context| {
                tracing::error!(name: "query.failed", target: "db", "in native");
                assert!(context.span().span_context().is_valid());
            });
        });
    });

    let logs = telemetry.logs();
    let [outside, in_tracing, in_native] = logs.as_slice() else { panic!("{logs:?}") };
    assert_eq!(outside.message(), "outside");
    assert_eq!((outside.trace_id, outside.span_id), (None, None));
    assert_eq!(outside.severity, Some(Severity::Debug));

    let handler = telemetry.span("handler").span_context;
    assert_eq!(in_tracing.trace_id, Some(handler.trace_id()));
    assert_eq!(in_tracing.span_id, Some(handler.span_id()));
    assert!(in_tracing.has("items", 3) && in_tracing.has("paid", true));
    assert_eq!(in_tracing.severity_text, Some("INFO"));
    assert_eq!(in_tracing.target, module_path!());
    assert_eq!(in_tracing.event_name, None, "where it stands is no name");

    let query = telemetry.span("query");
    assert_eq!(in_native.span_id, Some(query.span_context.span_id()));
    assert_eq!((in_native.event_name, in_native.target.as_str()), (Some("query.failed"), "db"));
    assert_eq!(in_native.severity, Some(Severity::Error));
}

#[test]
fn events_are_no_span_events_and_errors_set_no_status() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::info_span!("handler").in_scope(|| tracing::error!("handled"));
    });
    assert_eq!(telemetry.tree(), "trace 1\n  handler internal\n");
    assert_eq!(telemetry.logs().len(), 1);
}

#[test]
fn internal_and_wire_noise_is_left_out() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::error!(target: "opentelemetry_sdk", "internal");
        tracing::debug!(target: "hyper::proto", "noise");
        tracing::trace!(target: "h2::frame", "noise");
        tracing::debug!(target: "tower::buffer::worker", "noise");
        tracing::warn!(target: "hyper::proto", "worth hearing");
        tracing::trace!(target: "tower_http::trace", "the application's own layer");
    });
    let messages: Vec<String> = telemetry.logs().iter().map(otel_testing::Log::message).collect();
    assert_eq!(messages, ["worth hearing", "the application's own layer"]);
}

/// A service as it is run: on a runtime with several threads, with tasks of its own.
async fn checkout(user: i64) {
    let charge = async move {
        tokio::task::yield_now().await;
        tracing::info!(user, "charged");
    };
    // A task in a span of `tracing` is in the context of that span.
    tokio::spawn(charge.instrument(tracing::info_span!("charge", user))).await.unwrap();
    tracing::info!(user, "order placed");
}

#[test]
fn tests_at_once_each_have_what_tracing_says_in_their_tasks_on_every_thread() {
    const USERS: i64 = 20;
    TestTelemetry::route_tracing();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let barrier = Barrier::new(USERS as usize);
    thread::scope(|scope| {
        for user in 1..=USERS {
            let (barrier, runtime) = (&barrier, &runtime);
            scope.spawn(move || {
                let telemetry = TestTelemetry::new();
                let tracer = telemetry.tracer_provider().tracer("shop");
                let request =
                    telemetry.context().with_span(tracer.start_with_context("request", &telemetry.context()));
                barrier.wait();
                runtime.block_on(runtime.spawn(checkout(user).with_context(request))).unwrap();
                barrier.wait();
                telemetry.assert_span(span("charge").child_of("request").has("user", user).scope("tracing"));
                telemetry.assert_log(log("charged").in_span("charge").has("user", user));
                telemetry.assert_log(log("order placed").in_span("request"));
                assert_eq!((telemetry.spans().len(), telemetry.logs().len()), (2, 2));
            });
        }
    });
}

#[test]
fn a_subscriber_of_the_thread_counts_before_the_global_one() {
    TestTelemetry::route_tracing();
    let (routed, own) = (TestTelemetry::new(), TestTelemetry::new());
    let _attached = routed.attach();
    tracing::subscriber::with_default(own.subscriber(), || tracing::info!("told"));
    tracing::info!("routed");
    own.assert_log("told");
    routed.assert_log("routed");
    assert_eq!((own.logs().len(), routed.logs().len()), (1, 1));
}

#[derive(Debug)]
struct NotPlaced(std::num::ParseIntError);

impl std::fmt::Display for NotPlaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("order not placed")
    }
}

impl std::error::Error for NotPlaced {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// As otel-init exports it.
#[test]
fn a_record_has_what_caused_its_error() {
    let telemetry = TestTelemetry::new();
    let cause = "x".parse::<u8>().unwrap_err();
    let error = NotPlaced(cause.clone());
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        let _around = tracing::info_span!("around", exception.stacktrace = "of something else").entered();
        tracing::error!(error = &error as &(dyn std::error::Error + 'static), "failed");
        tracing::error!(error = &cause as &(dyn std::error::Error + 'static), "without a cause");
    });
    let logs = telemetry.logs();
    assert!(logs[0].has("exception.message", "order not placed"), "{:?}", logs[0]);
    let chain = format!("order not placed\nCaused by: {cause}");
    assert!(logs[0].has("exception.stacktrace", chain), "{:?}", logs[0]);
    assert!(logs[1].has("exception.stacktrace", "of something else"), "{:?}", logs[1]);
}

/// As otel-init exports it: the innermost span wins over those around it, and the event's own field over all.
#[test]
fn a_record_has_the_fields_of_the_spans_around_it() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        let _outer =
            tracing::info_span!("request", tenant = "acme", step = 1, otel.kind = "server").entered();
        let inner = tracing::info_span!("charge", step = 2, paid = tracing::field::Empty).entered();
        inner.record("paid", true);
        tracing::info!("charged");
        tracing::info!(tenant = "own", "told");
    });
    let logs = telemetry.logs();
    let charged = &logs[0];
    assert!(
        charged.has("tenant", "acme") && charged.has("step", 2) && charged.has("paid", true),
        "{charged:?}"
    );
    assert_eq!(charged.attributes.iter().count(), 3, "{charged:?}");
    assert!(logs[1].has("tenant", "own"), "{:?}", logs[1]);
}

#[test]
fn each_field_is_there_once_and_none_is_crowded_out_by_those_of_outer_spans() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        // As many as a span can have.
        let outer = tracing::info_span!(
            "outer",
            a = 0,
            b = 0,
            c = 0,
            d = 0,
            e = 0,
            f = 0,
            g = 0,
            h = 0,
            i = 0,
            j = 0,
            k = 0,
            l = 0,
            m = 0,
            n = 0,
            o = 0,
            p = 0,
            q = 0,
            r = 0,
            s = 0,
            t = 0,
            u = 0,
            v = 0,
            w = 0,
            x = 0,
            y = 0,
            z = 0,
            aa = 0,
            bb = 0,
            cc = 0,
            dd = 0,
            ee = 0,
            round = -1_i64
        );
        let _outer = outer.enter();
        (0..1000_i64).for_each(|round| {
            outer.record("round", round);
        });
        let _inner = tracing::info_span!("inner", order = 7, a = 1).entered();
        tracing::info!("an event");
    });
    let log = &telemetry.logs()[0];
    for (name, value) in [("order", 7), ("a", 1), ("round", 999), ("ee", 0)] {
        assert!(log.has(name, value), "{name}: {log:?}");
    }
    assert_eq!(log.attributes.iter().count(), 33, "{log:?}");
}
