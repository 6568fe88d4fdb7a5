//! Metrics as they were received.

use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::exemplar::Value as ExemplarValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
    NumberDataPoint, ResourceMetrics, SummaryDataPoint,
};
use opentelemetry_sdk::metrics::Temporality;

use super::ReceivedResource;
use super::convert::{attributes, hex_if_valid, resource, scope};
use crate::{
    Exemplar, ExponentialHistogramPoint, HistogramPoint, Metric, MetricKind, Point, PointValue, Scope,
    SummaryPoint,
};

/// A metric as it was sent, with the points of that one export.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedMetric {
    /// Who sent it.
    pub resource: Arc<ReceivedResource>,
    /// The metric.
    pub metric: Metric,
}

impl ReceivedMetric {
    /// `service.name` of the sender, or an empty text.
    #[must_use]
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// Name of the metric.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metric.name
    }

    /// Its points.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.metric.points
    }
}

/// The parts of one request, those of the same resource as one: together they are what is exported at a time, which the next
/// export takes the place of.
pub(super) fn joined(parts: Vec<ResourceMetrics>) -> Vec<ResourceMetrics> {
    let mut joined: Vec<(Arc<ReceivedResource>, ResourceMetrics)> = Vec::with_capacity(parts.len());
    for part in parts {
        let of_part = resource(part.resource.clone(), part.schema_url.clone());
        match joined.iter_mut().rev().find(|(known, _)| known.is_same(&of_part)) {
            // What `write_json` has put together is several exports.
            Some((_, known)) if !repeats(known, &part) => known.scope_metrics.extend(part.scope_metrics),
            _ => joined.push((of_part, part)),
        }
    }
    joined.into_iter().map(|(_, part)| part).collect()
}

/// Whether a series of `known` is in `next` too.
fn repeats(known: &ResourceMetrics, next: &ResourceMetrics) -> bool {
    let metrics = |part: &ResourceMetrics| {
        let mut metrics = Vec::new();
        flatten(part.clone(), &mut metrics);
        metrics
    };
    let known = metrics(known);
    metrics(next).iter().map(|next| &next.metric).any(|next| {
        let of_same = known.iter().map(|known| &known.metric).filter(|known| {
            (&known.name, &known.unit, &known.scope) == (&next.name, &next.unit, &next.scope)
        });
        let mut points = of_same.flat_map(|known| &known.points);
        points.any(|known| next.points.iter().any(|next| known.attributes.is_same(&next.attributes)))
    })
}

pub(super) fn flatten(metrics: ResourceMetrics, into: &mut Vec<Arc<ReceivedMetric>>) {
    let resource = resource(metrics.resource, metrics.schema_url);
    for scope_metrics in metrics.scope_metrics {
        let scope = scope(scope_metrics.scope, scope_metrics.schema_url);
        into.extend(scope_metrics.metrics.into_iter().map(|metric| {
            Arc::new(ReceivedMetric { resource: Arc::clone(&resource), metric: received(&scope, metric) })
        }));
    }
}

/// How many points a metric has: what the receiver's bound counts.
pub(super) fn point_count(metric: &proto::Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}

fn received(scope: &Scope, metric: proto::Metric) -> Metric {
    let (kind, temporality, points) = match metric.data {
        Some(Data::Gauge(gauge)) => (MetricKind::Gauge, None, numbers(gauge.data_points, PointValue::Gauge)),
        Some(Data::Sum(sum)) => (
            MetricKind::Sum { monotonic: sum.is_monotonic },
            temporality(sum.aggregation_temporality),
            numbers(sum.data_points, PointValue::Sum),
        ),
        Some(Data::Histogram(histogram)) => (
            MetricKind::Histogram,
            temporality(histogram.aggregation_temporality),
            histogram.data_points.into_iter().map(explicit).collect(),
        ),
        Some(Data::ExponentialHistogram(histogram)) => (
            MetricKind::ExponentialHistogram,
            temporality(histogram.aggregation_temporality),
            histogram.data_points.into_iter().map(exponential).collect(),
        ),
        Some(Data::Summary(summary)) => {
            (MetricKind::Summary, None, summary.data_points.into_iter().map(self::summary).collect())
        }
        None => (MetricKind::Empty, None, Vec::new()),
    };
    Metric {
        scope: scope.clone(),
        name: metric.name,
        description: metric.description,
        unit: metric.unit,
        metadata: attributes(metric.metadata),
        kind,
        temporality,
        points,
    }
}

fn temporality(temporality: i32) -> Option<Temporality> {
    match AggregationTemporality::try_from(temporality) {
        Ok(AggregationTemporality::Delta) => Some(Temporality::Delta),
        Ok(AggregationTemporality::Cumulative) => Some(Temporality::Cumulative),
        Ok(AggregationTemporality::Unspecified) | Err(_) => None,
    }
}

fn numbers(points: Vec<NumberDataPoint>, value: fn(crate::Number) -> PointValue) -> Vec<Point> {
    let point = |point: NumberDataPoint| {
        let value = match point.value {
            Some(Value::AsInt(number)) => value(number.into()),
            Some(Value::AsDouble(number)) => value(number.into()),
            None => PointValue::Empty,
        };
        Point::new(attributes(point.attributes), unless_empty(point.flags, value))
            .with_exemplars(exemplars(point.exemplars))
    };
    points.into_iter().map(point).collect()
}

fn explicit(point: HistogramDataPoint) -> Point {
    let value = PointValue::Histogram(HistogramPoint {
        count: point.count,
        sum: point.sum,
        min: point.min,
        max: point.max,
        bounds: point.explicit_bounds,
        bucket_counts: point.bucket_counts,
    });
    Point::new(attributes(point.attributes), unless_empty(point.flags, value))
        .with_exemplars(exemplars(point.exemplars))
}

fn exponential(point: ExponentialHistogramDataPoint) -> Point {
    use proto::exponential_histogram_data_point::Buckets;
    let buckets = |buckets: Option<Buckets>| buckets.map(|b| (b.offset, b.bucket_counts)).unwrap_or_default();
    let value = PointValue::ExponentialHistogram(ExponentialHistogramPoint {
        count: point.count,
        sum: point.sum,
        min: point.min,
        max: point.max,
        scale: point.scale,
        zero_count: point.zero_count,
        positive: buckets(point.positive),
        negative: buckets(point.negative),
    });
    Point::new(attributes(point.attributes), unless_empty(point.flags, value))
        .with_exemplars(exemplars(point.exemplars))
}

fn summary(point: SummaryDataPoint) -> Point {
    let quantiles = point.quantile_values.iter().map(|at| (at.quantile, at.value)).collect();
    let value = PointValue::Summary(SummaryPoint { count: point.count, sum: point.sum, quantiles });
    Point::new(attributes(point.attributes), unless_empty(point.flags, value))
}

fn unless_empty(flags: u32, value: PointValue) -> PointValue {
    match flags & DataPointFlags::NoRecordedValueMask as u32 {
        0 => value,
        _ => PointValue::Empty,
    }
}

fn exemplars(exemplars: Vec<proto::Exemplar>) -> Vec<Exemplar> {
    let exemplar = |exemplar: proto::Exemplar| Exemplar {
        value: exemplar.value.map(|value| match value {
            ExemplarValue::AsInt(number) => number.into(),
            ExemplarValue::AsDouble(number) => number.into(),
        }),
        trace_id: hex_if_valid(&exemplar.trace_id),
        span_id: hex_if_valid(&exemplar.span_id),
        unix_nanos: exemplar.time_unix_nano,
        filtered_attributes: attributes(exemplar.filtered_attributes),
    };
    exemplars.into_iter().map(exemplar).collect()
}
