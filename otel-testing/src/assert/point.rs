//! Assertions about one point of a metric.

use super::fail;
use super::metric::is_close;
use crate::{HistogramPoint, Number, Point};

/// Assertions about one point of a metric, made by [`MetricAssertion::point`](crate::MetricAssertion::point).
#[derive(Clone, Debug)]
pub struct PointAssertion {
    metric: String,
    point: Point,
}

#[expect(clippy::must_use_candidate, reason = "each is an assertion of its own; the value serves to go on")]
impl PointAssertion {
    pub(super) fn new(metric: &str, point: Point) -> Self {
        Self { metric: metric.to_owned(), point }
    }

    /// The point, to look at what no assertion here is about.
    #[must_use]
    pub fn point(&self) -> &Point {
        &self.point
    }

    /// The number of a counter, an up-down counter or a gauge.
    #[track_caller]
    pub fn has_value(&self, value: impl Into<Number>) -> &Self {
        let value = value.into();
        let Some(found) = self.point.number() else { self.fail("it is a histogram, which has no value") };
        let are_none = found.as_f64().is_nan() && value.as_f64().is_nan();
        self.require(found == value || are_none, || match found.as_f64() == value.as_f64() {
            true => format!("its value is {}, expected {}", found.with_type(), value.with_type()),
            false => format!("its value is {found}, expected {value}"),
        })
    }

    /// How many values a histogram has.
    #[track_caller]
    pub fn has_count(&self, count: u64) -> &Self {
        let Some(found) = self.point.count() else { self.fail("it is no histogram, it has no count") };
        self.require(found == count, || format!("its count is {found}, expected {count}"))
    }

    /// The sum of the values of a histogram, up to rounding.
    #[track_caller]
    pub fn has_sum(&self, sum: f64) -> &Self {
        let Some(found) = self.histogram().sum else { self.fail("it has no sum") };
        self.require(is_close(found, sum), || format!("its sum is {found:?}, expected {sum:?}"))
    }

    /// The upper bounds of the buckets of a histogram.
    #[track_caller]
    pub fn has_bounds(&self, bounds: impl IntoIterator<Item = f64>) -> &Self {
        let bounds: Vec<f64> = bounds.into_iter().collect();
        let found = &self.histogram().bounds;
        self.require(*found == bounds, || format!("its bounds are {found:?}, expected {bounds:?}"))
    }

    /// How many values are in each bucket of a histogram; one more than there are bounds.
    #[track_caller]
    pub fn has_buckets(&self, counts: impl IntoIterator<Item = u64>) -> &Self {
        let counts: Vec<u64> = counts.into_iter().collect();
        let found = &self.histogram().bucket_counts;
        self.require(*found == counts, || format!("its buckets hold {found:?}, expected {counts:?}"))
    }

    /// At least one exemplar, which leads from the metric to a trace. OpenTelemetry's SDK for Rust makes none; otel-init and
    /// others do.
    #[track_caller]
    pub fn has_exemplar_of_trace(&self, trace_id: &str) -> &Self {
        let ids: Vec<&str> =
            self.point.exemplars.iter().filter_map(|exemplar| exemplar.trace_id.as_deref()).collect();
        self.require(ids.contains(&trace_id), || {
            format!("its exemplars are of {ids:?}, expected {trace_id:?}")
        })
    }

    #[track_caller]
    fn histogram(&self) -> &HistogramPoint {
        match self.point.histogram() {
            Some(histogram) => histogram,
            None => self.fail("it is no histogram with explicit bounds"),
        }
    }

    #[track_caller]
    fn require(&self, holds: bool, message: impl FnOnce() -> String) -> &Self {
        if !holds {
            self.fail(&message());
        }
        self
    }

    #[track_caller]
    fn fail(&self, message: &str) -> ! {
        fail(&format!(
            "the point {} of the metric {:?}: {message}\nit is {}",
            self.point.attributes.sorted(),
            self.metric,
            self.point.value
        ))
    }
}
