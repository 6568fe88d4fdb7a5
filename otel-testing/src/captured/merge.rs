//! From many exports of a metric to one.

use std::sync::Arc;

use opentelemetry_sdk::metrics::Temporality;

use super::exponential;
use crate::{HistogramPoint, Metric, Number, Point, PointValue, ReceivedMetric};

/// One entry per sender, scope, name and unit. Cumulative metrics and gauges show the last export, which may have them in
/// several parts; deltas are added up.
pub(super) fn metrics(received: &[Arc<ReceivedMetric>]) -> Vec<Metric> {
    let mut merged: Vec<(Arc<ReceivedMetric>, Metric)> = Vec::new();
    for next in received {
        let same = merged.iter_mut().find(|(last, metric)| {
            last.resource.is_same(&next.resource)
                && metric.name == next.metric.name
                && metric.scope == next.metric.scope
                && metric.kind == next.metric.kind
                // "Identifying properties" too (metrics data model): of two instruments in conflict each counts for itself.
                && metric.unit == next.metric.unit
                && metric.temporality == next.metric.temporality
        });
        match same {
            None => merged.push((Arc::clone(next), next.metric.clone())),
            Some((_, metric)) if metric.temporality == Some(Temporality::Delta) => {
                add_points(metric, &next.metric.points);
            }
            // Each part of a `ResourceMetrics` has its resource, the same one.
            Some((last, metric)) if Arc::ptr_eq(&last.resource, &next.resource) => {
                replace_points(metric, &next.metric.points);
            }
            Some((last, metric)) => {
                let before = std::mem::replace(metric, next.metric.clone());
                keep_exemplars(metric, &before);
                *last = Arc::clone(next);
            }
        }
    }
    merged.into_iter().map(|(_, metric)| metric).collect()
}

fn add_points(metric: &mut Metric, points: &[Point]) {
    for point in points {
        match metric.points.iter_mut().find(|known| known.attributes.is_same(&point.attributes)) {
            Some(known) => {
                known.value = sum(&known.value, &point.value);
                known.exemplars.extend(point.exemplars.iter().cloned());
            }
            None => metric.points.push(point.clone()),
        }
    }
}

fn replace_points(metric: &mut Metric, points: &[Point]) {
    for point in points {
        match metric.points.iter_mut().find(|known| known.attributes.is_same(&point.attributes)) {
            Some(known) => {
                let before = std::mem::replace(known, point.clone());
                keep_those_of(known, &before);
            }
            None => metric.points.push(point.clone()),
        }
    }
}

/// A value stands for all before it, but an exemplar is sent once, or until another takes its place.
fn keep_exemplars(metric: &mut Metric, before: &Metric) {
    for point in &mut metric.points {
        let same = before.points.iter().find(|before| before.attributes.is_same(&point.attributes));
        if let Some(before) = same {
            keep_those_of(point, before);
        }
    }
}

fn keep_those_of(point: &mut Point, before: &Point) {
    let again = std::mem::take(&mut point.exemplars);
    point.exemplars.clone_from(&before.exemplars);
    point.exemplars.extend(again.into_iter().filter(|exemplar| !before.exemplars.contains(exemplar)));
}

fn sum(first: &PointValue, second: &PointValue) -> PointValue {
    match (first, second) {
        (PointValue::Sum(first), PointValue::Sum(second)) => PointValue::Sum(match (first, second) {
            (Number::I64(first), Number::I64(second)) => Number::I64(first.saturating_add(*second)),
            (first, second) => Number::F64(first.as_f64() + second.as_f64()),
        }),
        (PointValue::Histogram(first), PointValue::Histogram(second)) if first.bounds == second.bounds => {
            let buckets = first.bucket_counts.iter().zip(&second.bucket_counts);
            PointValue::Histogram(HistogramPoint {
                count: first.count.saturating_add(second.count),
                sum: first.sum.zip(second.sum).map(|(first, second)| first + second),
                min: first.min.into_iter().chain(second.min).reduce(f64::min),
                max: first.max.into_iter().chain(second.max).reduce(f64::max),
                bounds: first.bounds.clone(),
                bucket_counts: buckets.map(|(first, second)| first.saturating_add(*second)).collect(),
            })
        }
        (PointValue::ExponentialHistogram(first), PointValue::ExponentialHistogram(second)) => {
            PointValue::ExponentialHistogram(exponential::sum(first, second))
        }
        // Nothing happened meanwhile; what was counted before still counts.
        (known, PointValue::Empty) => known.clone(),
        // Histograms of different bounds, and kinds that have no delta: the last one stands.
        (_, last) => last.clone(),
    }
}
