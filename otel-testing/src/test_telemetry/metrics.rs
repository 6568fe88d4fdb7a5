//! Questions to the metrics of a test.

use super::TestTelemetry;
use crate::assert::{fail, kind_name, list, with_article};
use crate::{AssertTelemetry, Captured, Metric, MetricKind, Point};

/// Questions to the metrics.
impl TestTelemetry {
    /// Collects the metrics now; cumulative, so each call shows everything since the start. Metrics without points are
    /// not there.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.inner.metrics.collect_now()
    }

    /// The one metric of this name.
    ///
    /// # Panics
    ///
    /// When there is none, or several scopes have one; the message lists the metrics that are there.
    #[must_use]
    #[track_caller]
    pub fn metric(&self, name: &str) -> Metric {
        let captured = Captured { metrics: self.metrics(), ..Captured::default() };
        captured.assert_metric(name).metric().clone()
    }

    /// The points of all metrics of this name; none if nothing was recorded.
    #[must_use]
    pub fn points(&self, name: &str) -> Vec<Point> {
        self.metrics()
            .into_iter()
            .filter(|metric| metric.name == name)
            .flat_map(|metric| metric.points)
            .collect()
    }

    /// How many values the histograms of this name hold, over all points; 0 if nothing was recorded.
    #[must_use]
    pub fn histogram_count(&self, name: &str) -> u64 {
        self.points(name).iter().filter_map(Point::count).sum()
    }

    /// The sum over all points of the metrics of this name; 0 if nothing was recorded. To wait for what comes and goes;
    /// [`sum`](Self::sum) tells a misspelt name.
    #[must_use]
    pub fn total(&self, name: &str) -> f64 {
        self.points(name).iter().map(Point::total).sum()
    }

    /// The sum over all points of the counter or up-down counter of this name.
    ///
    /// # Panics
    ///
    /// When there is no such metric, so that a misspelt name is not mistaken for 0, or when it is no counter.
    #[must_use]
    #[track_caller]
    pub fn sum(&self, name: &str) -> f64 {
        let metric = self.metric(name);
        if !matches!(metric.kind, MetricKind::Sum { .. }) {
            let (kind, found) = (with_article(kind_name(metric.kind)), list(std::slice::from_ref(&metric)));
            fail(&format!("the metric {name:?}: it is {kind}, expected a counter\n{found}"));
        }
        metric.total()
    }
}
