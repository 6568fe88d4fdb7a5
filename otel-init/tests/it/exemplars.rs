//! From a metric to a trace: exemplars, as a collector sees them.

use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use otel_init::opentelemetry_sdk::metrics::Temporality;
use otel_init::sampling::{Keep, Sampling};
use otel_init::{
    ExemplarFilter, OtlpDestination, Protocol, Redact, Redaction, Signal, TelemetryBuilder, View,
};
use otel_testing::{Exemplar, OtlpReceiver, Point};
use serde_json::{Value, json};

use crate::child::{self, alone};
use crate::patient;

fn to(receiver: &OtlpReceiver) -> TelemetryBuilder {
    patient().with_endpoint(receiver.http_endpoint()).with_exporters(Signal::Logs, ["none"])
}

/// The points of a metric, of its last export.
fn points(receiver: &OtlpReceiver, name: &str) -> Vec<Point> {
    let metrics = receiver.metrics();
    metrics
        .iter()
        .rev()
        .find(|metric| metric.name() == name)
        .map_or(Vec::new(), |metric| metric.points().to_vec())
}

fn exemplars(receiver: &OtlpReceiver, name: &str) -> Vec<Exemplar> {
    points(receiver, name).into_iter().flat_map(|point| point.exemplars).collect()
}

/// Runs `f` in a span of its own and returns its ids, in hexadecimal.
fn in_span(f: impl FnOnce()) -> (String, String) {
    let span = global::tracer("shop").start("order");
    let ids = (span.span_context().trace_id().to_string(), span.span_context().span_id().to_string());
    let _current = Context::current_with_span(span).attach();
    f();
    ids
}

fn ids(exemplar: &Exemplar) -> (String, String) {
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    (id(&exemplar.trace_id), id(&exemplar.span_id))
}

fn leads_to_a_trace(protocol: Protocol) {
    let receiver = OtlpReceiver::start().unwrap();
    let endpoint =
        if protocol == Protocol::Grpc { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
    let telemetry = to(&receiver).with_endpoint(endpoint).with_protocol(protocol).install().unwrap();
    let meter = global::meter("shop");
    let latency = meter.f64_histogram("latency").with_boundaries(vec![0.1, 1.0]).build();
    let (orders, size) = (meter.u64_counter("orders").build(), meter.u64_histogram("size").build());
    let (stock, depth) = (meter.i64_gauge("stock").build(), meter.f64_gauge("depth").build().bind(&[]));
    let shown = [KeyValue::new("country", "de")];
    let bound = latency.bind(&[KeyValue::new("country", "fr")]);
    let quick = in_span(|| latency.record(0.05, &shown));
    let slow = in_span(|| {
        latency.record(7.0, &shown);
        bound.record(0.5);
        orders.add(3, &shown);
        size.record(77, &[]);
        stock.record(-5, &shown);
        depth.record(0.5);
    });
    latency.record(9.0, &shown);
    telemetry.shutdown_blocking().unwrap();

    let points = points(&receiver, "latency");
    let point = |country: &str| points.iter().find(|point| point.has("country", country)).unwrap();
    let mut german = point("de").exemplars.clone();
    german.sort_by_key(|exemplar| exemplar.unix_nanos);
    assert_eq!(german.iter().map(ids).collect::<Vec<_>>(), [quick, slow.clone()]);
    assert_eq!(german[1].value.unwrap().as_f64(), 7.0);
    assert!(german.iter().all(|exemplar| exemplar.filtered_attributes.is_empty()));
    assert_eq!(
        point("fr").exemplars.iter().map(ids).collect::<Vec<_>>(),
        std::slice::from_ref(&slow),
        "bound"
    );
    for (name, value) in [("orders", 3.0), ("size", 77.0), ("stock", -5.0), ("depth", 0.5)] {
        let exemplars = exemplars(&receiver, name);
        assert_eq!(exemplars.iter().map(ids).collect::<Vec<_>>(), std::slice::from_ref(&slow), "{name}");
        assert_eq!(exemplars[0].value.unwrap().as_f64(), value);
    }
    let trace = receiver.trace(&slow.0).unwrap();
    assert_eq!(trace.span(&slow.1).unwrap().name, "order");
}

#[test]
fn a_slow_bucket_leads_to_a_trace_over_http() {
    alone("exemplars::a_slow_bucket_leads_to_a_trace_over_http", || leads_to_a_trace(Protocol::HttpProtobuf));
}

#[test]
fn a_slow_bucket_leads_to_a_trace_over_json() {
    alone("exemplars::a_slow_bucket_leads_to_a_trace_over_json", || leads_to_a_trace(Protocol::HttpJson));
}

#[test]
fn a_slow_bucket_leads_to_a_trace_over_grpc() {
    alone("exemplars::a_slow_bucket_leads_to_a_trace_over_grpc", || leads_to_a_trace(Protocol::Grpc));
}

#[test]
fn a_span_of_tracing_is_found_too() {
    alone("exemplars::a_span_of_tracing_is_found_too", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let latency = global::meter("shop").f64_histogram("latency").build();
        tracing::info_span!("order").in_scope(|| latency.record(7.0, &[]));
        telemetry.shutdown_blocking().unwrap();
        let exemplars = exemplars(&receiver, "latency");
        let spans = receiver.spans();
        assert_eq!(
            exemplars.iter().map(ids).collect::<Vec<_>>(),
            [(spans[0].trace_id.clone(), spans[0].span_id.clone())]
        );
    });
}

/// What was measured in a sampled span, in one that is not, and in none.
fn measure() -> (String, String) {
    let latency = global::meter("shop").f64_histogram("latency").with_boundaries(vec![1.0, 2.0]).build();
    let sampled = in_span(|| latency.record(0.5, &[]));
    let unsampled = opentelemetry::trace::SpanContext::new(
        1.into(),
        2.into(),
        opentelemetry::trace::TraceFlags::NOT_SAMPLED,
        false,
        Default::default(),
    );
    let current = Context::new().with_remote_span_context(unsampled).attach();
    latency.record(1.5, &[]);
    drop(current);
    latency.record(2.5, &[]);
    sampled
}

#[test]
fn each_filter_takes_what_it_says() {
    for (filter, expected) in [
        ("", &[0.5][..]),
        ("trace_based", &[0.5]),
        ("ALWAYS_ON", &[0.5, 1.5, 2.5]),
        ("always_off", &[]),
        ("sometimes", &[0.5]),
    ] {
        let test = "exemplars::each_filter_takes_what_it_says";
        if !child::is_child() {
            let variables = [("OTEL_METRICS_EXEMPLAR_FILTER", filter), ("TEST_FILTER", filter)];
            child::run(test, &variables);
            continue;
        }
        if std::env::var("TEST_FILTER").unwrap() != filter {
            continue;
        }
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let sampled = measure();
        telemetry.shutdown_blocking().unwrap();
        let mut exemplars = exemplars(&receiver, "latency");
        exemplars.sort_by_key(|exemplar| exemplar.unix_nanos);
        let values: Vec<_> = exemplars.iter().map(|exemplar| exemplar.value.unwrap().as_f64()).collect();
        assert_eq!(values, expected, "{filter}");
        let known: Vec<_> =
            exemplars.iter().filter(|exemplar| exemplar.trace_id.is_some()).map(ids).collect();
        let expected = if expected.is_empty() { vec![] } else { vec![sampled] };
        assert_eq!(known, expected, "{filter}: an id that leads nowhere is none");
    }
}

#[test]
fn views_rename_and_leave_out_what_is_then_redacted() {
    alone("exemplars::views_rename_and_leave_out_what_is_then_redacted", || {
        let receiver = OtlpReceiver::start().unwrap();
        let redaction = Redaction::new().with_key("coupon", Redact::Drop);
        let telemetry = to(&receiver)
            .with_redaction(redaction)
            .with_view(View::new("latency").renamed("shop.latency").with_attributes(["country"]))
            .with_view(View::new("latency").renamed("exact").with_buckets([0.1, 1.0]))
            .with_view(View::new("fitting").with_exponential_histogram())
            .with_view(View::new("nothing").dropped())
            .install()
            .unwrap();
        let latency = global::meter("shop").f64_histogram("latency").build();
        let attributes = |user: &'static str| {
            [
                KeyValue::new("user", user),
                KeyValue::new("country", "de"),
                KeyValue::new("password", "hunter2"),
                KeyValue::new("coupon", "SUMMER"),
            ]
        };
        let one = in_span(|| latency.record(7.0, &attributes("ada")));
        let other = in_span(|| latency.record(7.5, &attributes("bob")));
        let fitting = global::meter("shop").f64_histogram("fitting").build();
        for value in [0.001, 0.0011, 7.0] {
            in_span(|| fitting.record(value, &[]));
        }
        in_span(|| global::meter("shop").f64_histogram("nothing").build().record(1.0, &[]));
        telemetry.shutdown_blocking().unwrap();

        let renamed = exemplars(&receiver, "shop.latency");
        assert_eq!(renamed.len(), 1, "one for the bucket of the point: {renamed:?}");
        assert!([one.clone(), other].contains(&ids(&renamed[0])), "{renamed:?}");
        let user = if ids(&renamed[0]) == one { "ada" } else { "bob" };
        let filtered = &renamed[0].filtered_attributes;
        assert!(filtered.has("user", user) && filtered.get("country").is_none(), "{filtered:?}");
        assert!(filtered.get("password").is_some() && filtered.get("coupon").is_none(), "{filtered:?}");
        let all = format!("{:?}", receiver.metrics());
        assert!(!all.contains("hunter2") && !all.contains("SUMMER"), "{all}");
        let exact = exemplars(&receiver, "exact");
        assert_eq!(exact.len(), 2);
        assert!(exact.iter().all(|exemplar| exemplar.filtered_attributes.is_empty()), "{exact:?}");
        let values: Vec<_> =
            exemplars(&receiver, "fitting").iter().map(|exemplar| exemplar.value.unwrap().as_f64()).collect();
        assert!(values.len() == 2 && values.contains(&7.0), "{values:?}");
    });
}

fn each_reader_once(temporality: Temporality) {
    let (one, other) = (OtlpReceiver::start().unwrap(), OtlpReceiver::start().unwrap());
    let telemetry = to(&one)
        .with_destination(OtlpDestination::new(other.http_endpoint()))
        .with_temporality(temporality)
        .install()
        .unwrap();
    let orders = global::meter("shop").u64_counter("orders").build();
    for round in 0..3 {
        let expected = in_span(|| orders.add(1, &[]));
        telemetry.flush_blocking().unwrap();
        for receiver in [&one, &other] {
            let found: Vec<_> = exemplars(receiver, "orders").iter().map(ids).collect();
            assert_eq!(found, std::slice::from_ref(&expected), "{round}");
        }
        orders.add(1, &[]);
        telemetry.flush_blocking().unwrap();
        for receiver in [&one, &other] {
            assert_eq!(points(receiver, "orders").len(), 1);
            assert!(exemplars(receiver, "orders").is_empty(), "{round}: given twice");
        }
    }
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn each_destination_is_given_each_once_with_sums_from_the_start() {
    let test = "exemplars::each_destination_is_given_each_once_with_sums_from_the_start";
    alone(test, || each_reader_once(Temporality::Cumulative));
}

#[test]
fn each_destination_is_given_each_once_with_differences() {
    let test = "exemplars::each_destination_is_given_each_once_with_differences";
    alone(test, || each_reader_once(Temporality::Delta));
}

#[test]
fn what_overflows_has_none_and_is_nobody_elses() {
    alone("exemplars::what_overflows_has_none_and_is_nobody_elses", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).with_cardinality_limit(3).install().unwrap();
        let orders = global::meter("shop").u64_counter("orders").build();
        let mut expected = Vec::new();
        for user in 0..50 {
            expected.push(in_span(|| orders.add(1, &[KeyValue::new("user", user)])));
        }
        telemetry.shutdown_blocking().unwrap();
        let points = points(&receiver, "orders");
        let overflow = points.iter().find(|point| point.has("otel.metric.overflow", true)).unwrap();
        assert!(overflow.exemplars.is_empty(), "{overflow:?}");
        for point in points.iter().filter(|point| !point.has("otel.metric.overflow", true)) {
            let user = (0..50).find(|user| point.has("user", *user)).unwrap();
            assert_eq!(
                point.exemplars.iter().map(ids).collect::<Vec<_>>(),
                [expected[user as usize].clone()]
            );
        }
    });
}

#[test]
fn no_thread_sends_an_unsampled_span_and_each_exemplar_is_of_its_own() {
    alone("exemplars::no_thread_sends_an_unsampled_span_and_each_exemplar_is_of_its_own", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver)
            .with_exemplar_filter(ExemplarFilter::TraceBased)
            .with_sampling(Sampling::probability(0.5))
            .install()
            .unwrap();
        let latency = global::meter("shop").f64_histogram("latency").build();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let latency = &latency;
                scope.spawn(move || {
                    for value in 0..200 {
                        in_span(|| latency.record(f64::from(value), &[KeyValue::new("thread", thread)]));
                    }
                });
            }
        });
        telemetry.shutdown_blocking().unwrap();
        let spans: std::collections::BTreeSet<_> =
            receiver.spans().iter().map(|span| (span.trace_id.clone(), span.span_id.clone())).collect();
        assert!((1..1600).contains(&spans.len()), "{}", spans.len());
        let points = points(&receiver, "latency");
        assert_eq!(points.len(), 8);
        for point in points {
            assert!((1..=16).contains(&point.exemplars.len()), "{point:?}");
            assert!(point.exemplars.iter().all(|exemplar| spans.contains(&ids(exemplar))), "{point:?}");
        }
    });
}

/// With the sampling that is advised, the slow ones are hardly ever sampled, and kept all the same.
#[test]
fn a_trace_that_is_kept_has_exemplars_and_one_that_is_not_sampled_has_none() {
    let test = "exemplars::a_trace_that_is_kept_has_exemplars_and_one_that_is_not_sampled_has_none";
    alone(test, || {
        let receiver = OtlpReceiver::start().unwrap();
        let sampling = Sampling::probability(0.0).with_keep(Keep::errors());
        let telemetry = to(&receiver).with_sampling(sampling).install().unwrap();
        let latency = global::meter("shop").f64_histogram("latency").build();
        let request = |error: &'static str| {
            let mut span = global::tracer("shop").start("order");
            if !error.is_empty() {
                span.set_status(opentelemetry::trace::Status::error(error));
            }
            let context = Context::new().with_span(span);
            let _current = context.clone().attach();
            context.span().end();
            // Where an operation records its duration.
            latency.record(1.0, &[KeyValue::new("error.type", error)]);
            let span = context.span();
            (span.span_context().trace_id().to_string(), span.span_context().span_id().to_string())
        };
        request("");
        let failed = request("timeout");
        telemetry.shutdown_blocking().unwrap();
        let points = points(&receiver, "latency");
        let of = |error: &str| {
            let point = points.iter().find(|point| point.has("error.type", error)).unwrap();
            point.exemplars.iter().map(ids).collect::<Vec<_>>()
        };
        assert_eq!((of(""), of("timeout")), (vec![], vec![failed.clone()]));
        assert!(receiver.trace(&failed.0).unwrap().span(&failed.1).is_some());
    });
}

#[test]
fn each_is_written_as_the_protocol_has_it() {
    let test = "exemplars::each_is_written_as_the_protocol_has_it";
    if child::is_child() {
        let telemetry = patient()
            .with_exporters(Signal::Traces, ["otlp/stdout"])
            .with_exporters(Signal::Metrics, ["otlp/stdout"])
            .with_exporters(Signal::Logs, ["none"])
            .with_view(View::new("latency").with_attributes(["country"]))
            .install()
            .unwrap();
        let meter = global::meter("shop");
        let attributes =
            ["country", "password", "user"].map(|key| KeyValue::new(key, format!("{key} of ada")));
        let (trace, span) = in_span(|| {
            meter.f64_histogram("latency").with_boundaries(vec![1.0]).build().record(0.5, &attributes);
            meter.u64_counter("orders").build().add(3, &[]);
        });
        println!("\nids {trace} {span}");
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let finished = child::run(test, &[]);
    let line = |begins: &str| finished.output.lines().find(|line| line.starts_with(begins)).unwrap();
    let (trace, span) = line("ids ").trim_start_matches("ids ").split_once(' ').unwrap();
    let request: Value = serde_json::from_str(line("{\"resourceMetrics\"")).unwrap();
    let scopes = request["resourceMetrics"][0]["scopeMetrics"].as_array().unwrap();
    let metrics: Vec<_> = scopes.iter().flat_map(|scope| scope["metrics"].as_array().unwrap()).collect();
    let exemplars = |name: &str, kind: &str| {
        let metric = metrics.iter().find(|metric| metric["name"] == name).unwrap();
        let mut exemplars = metric[kind]["dataPoints"][0]["exemplars"].clone();
        let time = exemplars[0]["timeUnixNano"].take();
        assert!(time.as_str().unwrap().parse::<u64>().unwrap() > 0, "{time}");
        exemplars
    };
    let filtered = json!([
        {"key": "password", "value": {"stringValue": "REDACTED"}},
        {"key": "user", "value": {"stringValue": "user of ada"}},
    ]);
    assert_eq!(
        exemplars("latency", "histogram"),
        json!([{
            "filteredAttributes": filtered, "timeUnixNano": null, "asDouble": 0.5, "traceId": trace, "spanId": span,
        }])
    );
    assert_eq!(
        exemplars("orders", "sum"),
        json!([{
            "filteredAttributes": [], "timeUnixNano": null, "asInt": "3", "traceId": trace, "spanId": span,
        }])
    );
}
