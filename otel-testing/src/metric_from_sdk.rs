//! From the SDK's collected metrics to [`Metric`].

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, ExponentialBucket, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric as SdkMetric, MetricData, ResourceMetrics,
};

use crate::{
    Attributes, ExponentialHistogramPoint, HistogramPoint, Metric, MetricKind, Number, Point, PointValue,
    Scope,
};

pub(crate) fn metrics(collected: &ResourceMetrics) -> Vec<Metric> {
    let per_scope = collected.scope_metrics().flat_map(|scope_metrics| {
        let scope = Scope::from(scope_metrics.scope());
        scope_metrics.metrics().map(move |metric| from_sdk(&scope, metric))
    });
    per_scope.collect()
}

fn from_sdk(scope: &Scope, metric: &SdkMetric) -> Metric {
    let (kind, temporality, points) = match metric.data() {
        AggregatedMetrics::F64(data) => flatten(data),
        AggregatedMetrics::U64(data) => flatten(data),
        AggregatedMetrics::I64(data) => flatten(data),
    };
    Metric {
        scope: scope.clone(),
        name: metric.name().to_owned(),
        description: metric.description().to_owned(),
        unit: metric.unit().to_owned(),
        metadata: Attributes::default(),
        kind,
        temporality,
        points,
    }
}

fn flatten<T: Copy + Into<Number>>(data: &MetricData<T>) -> (MetricKind, Option<Temporality>, Vec<Point>) {
    match data {
        MetricData::Sum(sum) => (
            MetricKind::Sum { monotonic: sum.is_monotonic() },
            Some(sum.temporality()),
            sum.data_points().map(|p| point(p.attributes(), PointValue::Sum(p.value().into()))).collect(),
        ),
        MetricData::Gauge(gauge) => (
            MetricKind::Gauge,
            None,
            gauge.data_points().map(|p| point(p.attributes(), PointValue::Gauge(p.value().into()))).collect(),
        ),
        MetricData::Histogram(histogram) => (
            MetricKind::Histogram,
            Some(histogram.temporality()),
            histogram.data_points().map(|p| point(p.attributes(), explicit(p))).collect(),
        ),
        MetricData::ExponentialHistogram(histogram) => (
            MetricKind::ExponentialHistogram,
            Some(histogram.temporality()),
            histogram.data_points().map(|p| point(p.attributes(), exponential(p))).collect(),
        ),
    }
}

fn point<'a>(attributes: impl Iterator<Item = &'a KeyValue>, value: PointValue) -> Point {
    Point::new(attributes.collect::<Attributes>(), value)
}

fn explicit<T: Copy + Into<Number>>(point: &HistogramDataPoint<T>) -> PointValue {
    PointValue::Histogram(HistogramPoint {
        count: point.count(),
        sum: Some(point.sum().into().as_f64()),
        min: point.min().map(|value| value.into().as_f64()),
        max: point.max().map(|value| value.into().as_f64()),
        bounds: point.bounds().collect(),
        bucket_counts: point.bucket_counts().collect(),
    })
}

fn exponential<T: Copy + Into<Number>>(point: &ExponentialHistogramDataPoint<T>) -> PointValue {
    let buckets = |bucket: &ExponentialBucket| (bucket.offset(), bucket.counts().collect());
    PointValue::ExponentialHistogram(ExponentialHistogramPoint {
        count: point.count() as u64,
        sum: Some(point.sum().into().as_f64()),
        min: point.min().map(|value| value.into().as_f64()),
        max: point.max().map(|value| value.into().as_f64()),
        scale: point.scale().into(),
        zero_count: point.zero_count(),
        positive: buckets(point.positive_bucket()),
        negative: buckets(point.negative_bucket()),
    })
}
