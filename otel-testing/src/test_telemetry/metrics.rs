use super::TestTelemetry;
use crate::{Metric, MetricKind, Number, Point};

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
    #[expect(clippy::panic, reason = "this is a test assertion")]
    pub fn metric(&self, name: &str) -> Metric {
        let metrics = self.metrics();
        let mut found: Vec<Metric> = metrics.iter().filter(|metric| metric.name == name).cloned().collect();
        match (found.pop(), found.is_empty()) {
            (Some(metric), true) => metric,
            (None, _) => panic!("no metric is named {name:?}; there are {}", describe(&metrics)),
            (Some(_), false) => {
                panic!(
                    "{} metrics are named {name:?}, expected one; there are {}",
                    found.len() + 1,
                    describe(&metrics)
                )
            }
        }
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

    /// The sum over all points of the counter or up-down counter of this name.
    ///
    /// # Panics
    ///
    /// When there is no such metric, so that a misspelt name is not mistaken for 0, or when it is no counter.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "this is a test assertion")]
    pub fn sum(&self, name: &str) -> f64 {
        let metric = self.metric(name);
        if !matches!(metric.kind, MetricKind::Sum { .. }) {
            panic!("{name:?} is no counter: it is a {:?}", metric.kind);
        }
        metric.points.iter().filter_map(Point::number).map(Number::as_f64).sum()
    }
}

fn describe(metrics: &[Metric]) -> String {
    match metrics.is_empty() {
        true => "none".to_owned(),
        false => {
            let names: Vec<String> =
                metrics.iter().map(|metric| format!("{} ({})", metric.name, metric.scope.name)).collect();
            names.join(", ")
        }
    }
}
