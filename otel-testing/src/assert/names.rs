//! Names that should have been emitted and were not.

use std::collections::BTreeSet;

use super::nearest_name;
use crate::Attributes;
use crate::captured::Captured;

/// Those of `names` that were not emitted, each with the closest one that was.
pub(super) fn missing<'n>(captured: &Captured, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let emitted = of(captured);
    let missing = names.into_iter().filter(|name| !emitted.contains(*name));
    missing
        .map(|name| {
            let nearest = nearest_name(emitted.iter().copied(), name);
            format!("{name} (the closest is {:?})", nearest.unwrap_or("nothing"))
        })
        .collect()
}

/// Every name that was emitted: metrics, attributes, events.
fn of(captured: &Captured) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for span in &captured.spans {
        names.extend(keys(&span.attributes));
        for event in &span.events {
            names.insert(event.name.as_str());
            names.extend(keys(&event.attributes));
        }
    }
    for metric in &captured.metrics {
        names.insert(&metric.name);
        names.extend(metric.points.iter().flat_map(|point| keys(&point.attributes)));
    }
    for log in &captured.logs {
        names.insert(&log.event_name);
        names.extend(keys(&log.attributes));
    }
    names.remove("");
    names
}

fn keys(attributes: &Attributes) -> impl Iterator<Item = &str> {
    attributes.iter().map(|(key, _)| key)
}
