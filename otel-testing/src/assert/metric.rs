//! Assertions about one metric.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use opentelemetry::KeyValue;

use super::attribute_conditions::AttributeConditions;
use super::closest::{closest, indented, nearest_name};
use super::{PointAssertion, fail};
use crate::captured::Captured;
use crate::{Attributes, Metric, MetricKind, Number, Point};

/// Assertions about one metric, made by [`AssertTelemetry::assert_metric`](crate::AssertTelemetry::assert_metric). Each
/// returns the assertion itself or fails with the points that are there.
///
/// ```
/// use opentelemetry::KeyValue;
/// use opentelemetry::metrics::MeterProvider;
/// use otel_testing::{AssertTelemetry, TestTelemetry};
///
/// let telemetry = TestTelemetry::new();
/// let duration = telemetry.meter_provider().meter("shop").f64_histogram("duration").with_unit("s").build();
/// duration.record(0.2, &[KeyValue::new("http.route", "/cart")]);
///
/// telemetry
///     .assert_metric("duration")
///     .is_histogram()
///     .has_unit("s")
///     .has_at_most_series(1)
///     .point([KeyValue::new("http.route", "/cart")])
///     .has_count(1)
///     .has_sum(0.2);
/// ```
#[derive(Clone, Debug)]
pub struct MetricAssertion {
    metric: Metric,
}

#[expect(clippy::must_use_candidate, reason = "each is an assertion of its own; the value serves to go on")]
impl MetricAssertion {
    #[track_caller]
    pub(super) fn new(captured: &Captured, name: &str) -> Self {
        let named: Vec<&Metric> = captured.metrics.iter().filter(|metric| metric.name == name).collect();
        match named.as_slice() {
            [metric] => Self { metric: (*metric).clone() },
            [] => fail(&missing(name, &captured.metrics)),
            several => fail(&format!(
                "expected one metric {name:?}, there are {}\n{}{}",
                several.len(),
                services(captured, name),
                list(&captured.metrics)
            )),
        }
    }

    /// The metric, to look at what no assertion here is about.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// A counter: a sum that can only grow.
    #[track_caller]
    pub fn is_counter(&self) -> &Self {
        self.is_kind(MetricKind::Sum { monotonic: true })
    }

    /// An up-down counter: a sum that can shrink.
    #[track_caller]
    pub fn is_up_down_counter(&self) -> &Self {
        self.is_kind(MetricKind::Sum { monotonic: false })
    }

    /// A histogram with explicit bounds.
    #[track_caller]
    pub fn is_histogram(&self) -> &Self {
        self.is_kind(MetricKind::Histogram)
    }

    /// A gauge.
    #[track_caller]
    pub fn is_gauge(&self) -> &Self {
        self.is_kind(MetricKind::Gauge)
    }

    /// Of this unit; the empty text is no unit.
    #[track_caller]
    pub fn has_unit(&self, unit: &str) -> &Self {
        self.require(self.metric.unit == unit, || {
            format!("its unit is {:?}, expected {unit:?}", self.metric.unit)
        })
    }

    /// Made by the instrumentation of this name.
    #[track_caller]
    pub fn has_scope(&self, scope: &str) -> &Self {
        let found = &self.metric.scope.name;
        self.require(found == scope, || format!("its scope is {found:?}, expected {scope:?}"))
    }

    /// With exactly this many series, which are sets of attributes.
    #[track_caller]
    pub fn has_series(&self, count: usize) -> &Self {
        let found = self.metric.points.len();
        self.require(found == count, || format!("it has {found} series, expected {count}"))
    }

    /// With no more series than this: what a metric costs.
    #[track_caller]
    pub fn has_at_most_series(&self, bound: usize) -> &Self {
        let found = self.metric.points.len();
        self.require(found <= bound, || format!("it has {found} series, expected at most {bound}"))
    }

    /// Every point has exactly these attribute keys.
    #[track_caller]
    pub fn has_only_attributes(&self, keys: impl IntoIterator<Item = &'static str>) -> &Self {
        let mut expected: Vec<&str> = keys.into_iter().collect();
        expected.sort_unstable();
        let other = self.metric.points.iter().find(|point| point.attributes.keys() != expected);
        self.require(other.is_none(), || {
            let found = other.map(|point| point.attributes.keys()).unwrap_or_default();
            format!("the attributes of a point are {found:?}, expected {expected:?}")
        })
    }

    /// The sum of all series of a counter, up-down counter or gauge, or of all values of the histograms.
    #[track_caller]
    pub fn has_total(&self, total: impl Into<Number>) -> &Self {
        let total = total.into();
        let number = |point: &Point| point.number()?.as_integer();
        let whole: Option<i128> = self.metric.points.iter().map(number).sum();
        if let Some((found, total)) = whole.zip(total.as_integer()) {
            return self.require(found == total, || format!("its total is {found}, expected {total}"));
        }
        let (found, total) = (self.metric.total(), total.as_f64());
        self.require(is_close(found, total), || format!("its total is {found:?}, expected {total:?}"))
    }

    /// The one point that has these attributes, and maybe others.
    #[track_caller]
    pub fn point(&self, attributes: impl IntoIterator<Item = KeyValue>) -> PointAssertion {
        let expected: Vec<KeyValue> = attributes.into_iter().collect();
        let expected: Attributes = expected.iter().collect();
        let has_all =
            |point: &&Point| expected.iter().all(|(key, value)| point.attributes.get(key) == Some(value));
        let found: Vec<&Point> = self.metric.points.iter().filter(has_all).collect();
        match found.as_slice() {
            [point] => PointAssertion::new(&self.metric.name, (*point).clone()),
            [] => self.fail(&format!("it has no point with {expected}{}", self.describe_closest(&expected))),
            several => self.fail(&format!("{} points have {expected}, expected one", several.len())),
        }
    }

    fn describe_closest(&self, expected: &Attributes) -> String {
        let mut conditions = AttributeConditions::default();
        expected.iter().for_each(|(key, value)| conditions.has(key, value.clone().into()));
        let differences = |point: &Point| conditions.all_differences(&point.attributes);
        // A value under another key is a key that is misspelt.
        let has_not = |point: &Point, value| point.attributes.iter().all(|(_, other)| other != value);
        let missing = |point: &Point| expected.iter().filter(|(_, value)| has_not(point, *value)).count();
        // Sorted as they are shown: the SDK has them in an order of chance.
        let mut points: Vec<&Point> = self.metric.points.iter().collect();
        points.sort_by_cached_key(|point| point.attributes.sorted().to_string());
        match closest(points, |point| differences(point), |point| missing(point)) {
            Some((point, differences)) => {
                let lines = indented(&differences);
                format!("\nthe closest is {}:\n{}", point.attributes.sorted(), lines.trim_end())
            }
            None => String::new(),
        }
    }

    #[track_caller]
    fn is_kind(&self, kind: MetricKind) -> &Self {
        self.require(self.metric.kind == kind, || {
            let (found, expected) = (kind_name(self.metric.kind), kind_name(kind));
            format!("it is {}, expected {}", with_article(found), with_article(expected))
        })
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
            "the metric {:?}: {message}\n{}",
            self.metric.name,
            list(std::slice::from_ref(&self.metric))
        ))
    }
}

pub(crate) fn kind_name(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Sum { monotonic: true } => "counter",
        MetricKind::Sum { monotonic: false } => "up-down counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
        MetricKind::ExponentialHistogram => "exponential histogram",
        MetricKind::Summary => "summary",
        MetricKind::Empty => "metric without data",
    }
}

pub(crate) fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['e', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// The message when no metric has this name.
pub(super) fn missing(name: &str, metrics: &[Metric]) -> String {
    let nearest = nearest_name(metrics.iter().map(|metric| metric.name.as_str()), name);
    let nearest = nearest.map(|nearest| format!("the closest is {nearest:?}\n")).unwrap_or_default();
    format!("expected the metric {name:?}, there is none\n{nearest}{}", list(metrics))
}

/// Who sent the metric, if several did: they are the reason why there are several.
fn services(captured: &Captured, name: &str) -> String {
    let named = captured.exports.iter().filter(|export| export.name() == name);
    let services: BTreeSet<&str> = named.map(|export| export.service()).collect();
    if services.len() < 2 {
        return String::new();
    }
    let services: Vec<String> = services.iter().map(|service| format!("{service:?}")).collect();
    format!("of the services {}: Captured::of_service chooses one\n", services.join(", "))
}

/// Metrics and their points as lines.
pub(crate) fn list(metrics: &[Metric]) -> String {
    if metrics.is_empty() {
        return "no metric has points\n".to_owned();
    }
    let mut text = String::new();
    // The SDK keeps scopes and points in hash maps.
    let mut metrics: Vec<&Metric> = metrics.iter().collect();
    metrics.sort_by_key(|metric| (&metric.name, &metric.scope.name));
    for metric in metrics {
        let unit = if metric.unit.is_empty() { "" } else { " " };
        let kind = kind_name(metric.kind);
        let _ = writeln!(text, "metric {} {kind}{unit}{} ({})", metric.name, metric.unit, metric.scope.name);
        let mut points: Vec<String> = metric
            .points
            .iter()
            .map(|point| format!("  {} {}", point.attributes.sorted(), point.value))
            .collect();
        points.sort_unstable();
        for point in points {
            let _ = writeln!(text, "{point}");
        }
    }
    text
}

/// Sums of floating point numbers depend on the order in which they are added. Of what adds up to 0 nobody knows how large
/// the parts were; anything else is compared by its own size: a cost may be a billionth of a dollar.
pub(super) fn is_close(found: f64, expected: f64) -> bool {
    let size = if expected == 0.0 { 1.0 } else { expected.abs() };
    found == expected || (expected.is_finite() && (found - expected).abs() <= size * 1e-9)
}
