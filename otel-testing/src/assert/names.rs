use std::collections::BTreeSet;

use crate::Attributes;
use crate::captured::Captured;

/// Every name that was emitted: metrics, attributes, events.
pub(super) fn of(captured: &Captured) -> BTreeSet<&str> {
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
