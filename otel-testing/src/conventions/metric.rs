//! Metrics beside what the conventions say of them.

use super::ViolationKind;
use super::checker::{Checker, hint};
use crate::assert::{kind_name, with_article};
use crate::{Metric, MetricKind, Number};

pub(super) fn check(checker: &mut Checker<'_>, metric: &Metric) {
    let place = format!("metric {}", metric.name);
    for point in &metric.points {
        checker.attributes(&place, &point.attributes);
    }
    if checker.conventions.allows(&metric.name) {
        return;
    }
    let Some(known) = checker.registry.metrics.get(metric.name.as_str()) else {
        let hint = hint(&metric.name, checker.registry.metrics.keys());
        let message = format!("it is not in the conventions{hint}; allow its namespace if it is your own");
        return checker.report(&place, ViolationKind::UnknownMetric, message);
    };
    if let Some(advice) = known.deprecated {
        checker.report(&place, ViolationKind::DeprecatedMetric, format!("it is deprecated: {advice}"));
    }
    if metric.unit != known.unit {
        let message = format!("its unit is {:?}, expected {:?}", metric.unit, known.unit);
        checker.report(&place, ViolationKind::WrongUnit, message);
    }
    if instrument(metric.kind) != known.instrument {
        let expected = known.instrument.replace("updowncounter", "up-down counter");
        let message =
            format!("it is {}, expected {}", with_article(kind_name(metric.kind)), with_article(&expected));
        checker.report(&place, ViolationKind::WrongInstrument, message);
    } else if let Some(found) =
        number(metric).filter(|found| !known.number.is_empty() && *found != known.number)
    {
        let message = format!("its numbers are of type {found}, expected {}", known.number);
        checker.report(&place, ViolationKind::WrongInstrument, message);
    }
    for point in &metric.points {
        checker.required(&place, "its points", &known.required, &point.attributes);
    }
}

fn instrument(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Sum { monotonic: true } => "counter",
        MetricKind::Sum { monotonic: false } => "updowncounter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram | MetricKind::ExponentialHistogram => "histogram",
        MetricKind::Summary | MetricKind::Empty => "",
    }
}

/// A histogram does not tell what was recorded.
fn number(metric: &Metric) -> Option<&'static str> {
    metric.points.iter().find_map(|point| point.number()).map(|number| match number {
        Number::I64(_) | Number::U64(_) => "int",
        Number::F64(_) => "double",
    })
}
