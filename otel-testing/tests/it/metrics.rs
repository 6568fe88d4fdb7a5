use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream, Temporality};
use otel_testing::{AssertTelemetry, Captured, MetricKind, Number, PointValue, TestTelemetry};

use crate::spans::panic_message;

#[test]
fn counters_and_up_down_counters_of_both_number_types() {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    let orders = meter.u64_counter("orders").with_unit("{order}").with_description("Placed orders").build();
    orders.add(2, &[KeyValue::new("tier", "gold")]);
    orders.add(3, &[KeyValue::new("tier", "silver")]);
    meter.f64_counter("revenue").build().add(9.5, &[]);
    let carts = meter.i64_up_down_counter("carts").build();
    carts.add(4, &[]);
    carts.add(-4, &[]);
    meter.f64_up_down_counter("balance").build().add(-1.5, &[]);

    let metric = telemetry.metric("orders");
    assert_eq!(metric.scope.name, "shop");
    assert_eq!((metric.unit.as_str(), metric.description.as_str()), ("{order}", "Placed orders"));
    assert_eq!(metric.kind, MetricKind::Sum { monotonic: true });
    assert_eq!(metric.temporality, Some(Temporality::Cumulative));
    let gold = metric.points.iter().find(|point| point.has("tier", "gold")).unwrap();
    assert_eq!(gold.value, PointValue::Sum(Number::U64(2)));
    assert_eq!(gold.attribute("tier").unwrap(), &"gold");
    assert_eq!(telemetry.points("orders").len(), 2);
    assert_eq!(telemetry.sum("orders"), 5.0);

    assert_eq!(telemetry.points("revenue")[0].number().unwrap(), 9.5);
    assert_eq!(telemetry.metric("carts").kind, MetricKind::Sum { monotonic: false });
    assert_eq!(telemetry.sum("carts"), 0.0);
    assert_eq!(telemetry.sum("balance"), -1.5);
}

#[test]
fn gauges_and_observable_instruments() {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    meter.f64_gauge("temperature").build().record(21.5, &[]);
    meter.u64_gauge("queue").build().record(7, &[]);
    meter.i64_observable_gauge("stock").with_callback(|observer| observer.observe(-2, &[])).build();
    meter.u64_observable_counter("sold").with_callback(|observer| observer.observe(11, &[])).build();
    meter
        .f64_observable_up_down_counter("drift")
        .with_callback(|observer| observer.observe(0.25, &[]))
        .build();

    assert_eq!(telemetry.metric("temperature").kind, MetricKind::Gauge);
    assert_eq!(telemetry.metric("temperature").temporality, None);
    assert_eq!(telemetry.points("temperature")[0].value, PointValue::Gauge(Number::F64(21.5)));
    assert_eq!(telemetry.points("queue")[0].number().unwrap(), 7);
    assert_eq!(telemetry.points("stock")[0].value, PointValue::Gauge(Number::I64(-2)));
    assert_eq!(telemetry.sum("sold"), 11.0);
    assert_eq!(telemetry.metric("drift").kind, MetricKind::Sum { monotonic: false });
    assert_eq!(telemetry.sum("drift"), 0.25);
}

#[test]
fn histograms_show_count_sum_range_and_buckets() {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    let duration = meter.f64_histogram("duration").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
    for value in [0.05, 0.1, 0.5, 2.0] {
        duration.record(value, &[KeyValue::new("route", "/")]);
    }
    duration.record(3.0, &[KeyValue::new("route", "/cart")]);
    meter.u64_histogram("size").build().record(10, &[]);

    assert_eq!(telemetry.histogram_count("duration"), 5);
    assert_eq!(telemetry.histogram_count("size"), 1);
    assert_eq!(telemetry.histogram_count("never recorded"), 0);
    assert_eq!(telemetry.metric("duration").kind, MetricKind::Histogram);
    let points = telemetry.points("duration");
    let point = points.iter().find(|point| point.has("route", "/")).unwrap();
    let histogram = point.histogram().unwrap();
    assert_eq!(histogram.count, 4);
    assert_eq!(histogram.sum, Some(2.65));
    assert_eq!((histogram.min, histogram.max), (Some(0.05), Some(2.0)));
    assert_eq!(histogram.bounds, [0.1, 1.0]);
    assert_eq!(histogram.bucket_counts, [2, 1, 1]);
    assert_eq!(point.number(), None);
}

#[test]
fn a_view_makes_an_exponential_histogram() {
    let view = |instrument: &Instrument| {
        let aggregation =
            Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
        (instrument.name() == "duration")
            .then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
    };
    let telemetry = TestTelemetry::builder().with_view(view).build();
    let duration = telemetry.meter_provider().meter("shop").f64_histogram("duration").build();
    duration.record(0.0, &[]);
    duration.record(2.0, &[]);

    let metric = telemetry.metric("duration");
    assert_eq!(metric.kind, MetricKind::ExponentialHistogram);
    let PointValue::ExponentialHistogram(histogram) = &metric.points[0].value else { panic!("{metric:?}") };
    assert_eq!((histogram.count, histogram.zero_count, histogram.sum), (2, 1, Some(2.0)));
    assert_eq!(histogram.positive.1.iter().sum::<u64>(), 1);
    assert_eq!(histogram.negative.1.iter().sum::<u64>(), 0);
    assert_eq!(telemetry.histogram_count("duration"), 2);
}

#[test]
fn each_collection_shows_everything_since_the_start() {
    let telemetry = TestTelemetry::new();
    let orders = telemetry.meter_provider().meter("shop").u64_counter("orders").build();
    orders.add(1, &[]);
    assert_eq!(telemetry.sum("orders"), 1.0);
    orders.add(1, &[]);
    assert_eq!(telemetry.sum("orders"), 2.0);
}

#[test]
fn a_bound_instrument_is_collected() {
    let telemetry = TestTelemetry::new();
    let orders = telemetry.meter_provider().meter("shop").u64_counter("orders").build();
    orders.bind(&[KeyValue::new("tier", "gold")]).add(3);
    assert_eq!(telemetry.sum("orders"), 3.0);
}

#[test]
fn the_last_collection_stays_when_the_provider_is_shut_down() {
    let telemetry = TestTelemetry::new();
    let orders = telemetry.meter_provider().meter("shop").u64_counter("orders").build();
    orders.add(1, &[]);
    telemetry.meter_provider().shutdown().unwrap();
    orders.add(1, &[]);
    assert_eq!(telemetry.sum("orders"), 1.0);
}

#[test]
fn the_total_of_every_kind() {
    let telemetry = TestTelemetry::new();
    assert_eq!(telemetry.total("orders"), 0.0);
    let meter = telemetry.meter_provider().meter("shop");
    let orders = meter.u64_counter("orders").build();
    orders.add(1, &[KeyValue::new("tier", "gold")]);
    orders.add(2, &[]);
    meter.f64_gauge("temperature").build().record(-2.5, &[]);
    let duration = meter.f64_histogram("duration").build();
    duration.record(0.5, &[]);
    duration.record(1.0, &[]);
    let captured = Captured::from(&telemetry);
    for (name, total) in [("orders", 3.0), ("temperature", -2.5), ("duration", 1.5)] {
        assert_eq!((telemetry.total(name), captured.total(name)), (total, total), "{name}");
    }
    let received = Captured::from_otlp_json(
        r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "growth", "exponentialHistogram": {"dataPoints": [{"count": "1", "sum": 2, "scale": 3}]}},
            {"name": "latency", "summary": {"dataPoints": [{"count": "1", "sum": 0.5}]}},
            {"name": "nothing", "gauge": {"dataPoints": [{"flags": 1}]}}
        ]}]}]}"#,
    )
    .unwrap();
    assert_eq!(["growth", "latency", "nothing"].map(|name| received.total(name)), [2.0, 0.5, 0.0]);
}

fn exports(metric: &str, points: [&str; 2]) -> Captured {
    let export = |point: &str| {
        format!(
            r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [
                {{"name": "m", "{metric}": {{"aggregationTemporality": 1, "dataPoints": [{point}]}}}}]}}]}}]}}"#
        )
    };
    Captured::from_otlp_json(&points.map(export).concat()).unwrap()
}

#[test]
fn deltas_of_exponential_histograms_are_added_up() {
    let captured = exports(
        "exponentialHistogram",
        [
            r#"{"count": "4", "sum": 7, "min": 1, "max": 3, "scale": 1, "zeroCount": "1",
                "positive": {"offset": 1, "bucketCounts": ["1", "2"]}, "exemplars": [{"asInt": "1"}]}"#,
            r#"{"count": "2", "sum": 9, "min": 4, "max": 5, "scale": 0,
                "positive": {"offset": 2, "bucketCounts": ["2"]}, "exemplars": [{"asInt": "4"}]}"#,
        ],
    );
    let [point] = captured.points("m")[..] else { panic!("{captured:?}") };
    assert_eq!((point.count(), point.total()), (Some(6), 16.0));
    assert_eq!(point.exemplars.len(), 2);
    let PointValue::ExponentialHistogram(sum) = &point.value else { panic!("{point:?}") };
    assert_eq!((sum.min, sum.max, sum.scale, sum.zero_count), (Some(1.0), Some(5.0), 0, 1));
    assert_eq!(sum.positive, (0, vec![1, 2, 2]));
}

#[test]
fn of_several_services_one_is_looked_at() {
    let export = |service: &str, count: u8| {
        let name = format!(r#"{{"key": "service.name", "value": {{"stringValue": "{service}"}}}}"#);
        let resource = format!(r#""resource": {{"attributes": [{name}]}}"#);
        let point = format!(r#"{{"dataPoints": [{{"asInt": "{count}"}}], "aggregationTemporality": 2}}"#);
        let metrics = format!(r#""scopeMetrics": [{{"metrics": [{{"name": "orders", "sum": {point}}}]}}]"#);
        let span = r#""scopeSpans": [{"spans": [{"name": "charge"}]}]"#;
        let log = r#""scopeLogs": [{"logRecords": [{"body": {"stringValue": "placed"}}]}]"#;
        format!(
            r#"{{"resourceMetrics": [{{{resource}, {metrics}}}], "resourceSpans": [{{{resource}, {span}}}],
                "resourceLogs": [{{{resource}, {log}}}]}}"#
        )
    };
    let all = [export("shop", 1), export("stock", 2), export("shop", 3)].concat();
    let captured = Captured::from_otlp_json(&all).unwrap();
    let shop = captured.of_service("shop");
    shop.assert_metric("orders").is_up_down_counter().has_total(3);
    shop.assert_spans(2, "charge");
    shop.assert_logs(2, "placed");
    let message = panic_message(|| _ = captured.assert_metric("orders"));
    let expected = "there are 2\nof the services \"shop\", \"stock\": Captured::of_service chooses one\n";
    assert!(message.contains(expected), "{message}");
    let nobody = captured.of_service("shops");
    assert!(nobody.metrics.is_empty() && nobody.spans.is_empty() && nobody.logs.is_empty());
}

/// A sender may name a scope twice in one export; the next export takes the place of all of it.
#[test]
fn points_of_one_export_are_seen_together() {
    let part = |tier: &str, count: u8| {
        let attributes = format!(r#"[{{"key": "tier", "value": {{"stringValue": "{tier}"}}}}]"#);
        let points = format!(r#"[{{"asInt": "{count}", "attributes": {attributes}}}]"#);
        let sum = format!(r#"{{"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": {points}}}"#);
        format!(r#"{{"scope": {{"name": "shop"}}, "metrics": [{{"name": "orders", "sum": {sum}}}]}}"#)
    };
    let export =
        |parts: &[String]| format!(r#"{{"resourceMetrics": [{{"scopeMetrics": [{}]}}]}}"#, parts.join(","));
    let first = export(&[part("gold", 1), part("silver", 2), part("silver", 3)]);
    let captured = Captured::from_otlp_json(&first).unwrap();
    captured.assert_metric("orders").has_series(2).has_total(4);
    let second = export(&[part("bronze", 5), part("gold", 7)]);
    let captured = Captured::from_otlp_json(&(first + &second)).unwrap();
    captured.assert_metric("orders").has_series(2).has_total(12);
}

/// As in memory: otherwise the last one would hide the others.
#[test]
fn metrics_of_one_name_and_two_units_are_two() {
    let metric = |unit: &str, temporality: u8, count: u8| {
        format!(
            r#"{{"name": "orders", "unit": "{unit}", "sum": {{"aggregationTemporality": {temporality}, "isMonotonic": true,
                "dataPoints": [{{"asInt": "{count}"}}]}}}}"#
        )
    };
    let metrics = [metric("1", 2, 5), metric("{order}", 2, 2), metric("{order}", 1, 1)].join(",");
    let export = format!(r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [{metrics}]}}]}}]}}"#);
    let captured = Captured::from_otlp_json(&export).unwrap();
    assert_eq!((captured.metrics.len(), captured.total("orders")), (3, 8.0));
}

#[test]
fn a_delta_without_a_value_takes_nothing_away() {
    let captured = exports("sum", [r#"{"asInt": "5"}"#, r#"{"flags": 1}"#]);
    assert_eq!(captured.total("m"), 5.0);
    let captured = exports("sum", [r#"{"flags": 1}"#, r#"{"asInt": "5"}"#]);
    assert_eq!(captured.total("m"), 5.0);
}

#[test]
fn deltas_that_are_too_large_to_add_up_panic_nobody() {
    let most = r#"{"count": "18446744073709551615", "sum": 1, "bucketCounts": ["18446744073709551615"]}"#;
    let captured = exports("histogram", [most, most]);
    assert_eq!((captured.points("m")[0].count(), captured.total("m")), (Some(u64::MAX), 2.0));
}

/// Each is sent once by `otel-init`, and again and again by senders that keep it until another takes its place.
#[test]
fn exemplars_of_all_exports_of_a_sum_are_kept_once() {
    let export = |count: u64, exemplars: &[u64]| {
        let exemplars: Vec<_> = exemplars
            .iter()
            .map(|value| format!(r#"{{"asInt": "{value}", "timeUnixNano": "{value}"}}"#))
            .collect();
        let exemplars = exemplars.join(",");
        format!(
            r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [{{"name": "orders", "sum": {{
                "aggregationTemporality": 2, "isMonotonic": true,
                "dataPoints": [{{"asInt": "{count}", "exemplars": [{exemplars}]}}]}}}}]}}]}}]}}"#
        )
    };
    let lines = [export(1, &[1]), export(2, &[1, 2]), export(3, &[]), export(4, &[4])];
    let captured = Captured::from_otlp_json(&lines.join("\n")).unwrap();
    let metric = captured.metrics.iter().find(|metric| metric.name == "orders").unwrap();
    let values: Vec<_> =
        metric.points[0].exemplars.iter().map(|exemplar| exemplar.value.unwrap().as_f64()).collect();
    assert_eq!(values, [1.0, 2.0, 4.0]);
    assert_eq!(metric.points[0].total(), 4.0);
}
