//! The check: what was captured, beside what the conventions say of it.

use std::collections::BTreeSet;

use super::registry::{Attribute, Registry, registry};
use super::{Conventions, Violation, ViolationKind, metric, span_group};
use crate::assert::{name_distance, type_name};
use crate::captured::Captured;
use crate::tree::kind_name;
use crate::{AttributeValue, Attributes, ReceivedLog, ReceivedSpan};

/// A name that is farther from the one that was written is no hint.
const FARTHEST_HINT: usize = 4;

pub(super) struct Checker<'a> {
    pub(super) conventions: &'a Conventions,
    pub(super) registry: &'static Registry,
    violations: BTreeSet<Violation>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(conventions: &'a Conventions) -> Self {
        Self { conventions, registry: registry(), violations: BTreeSet::new() }
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.violations.into_iter().collect()
    }

    pub(super) fn check(&mut self, captured: &Captured) {
        // With what they come from, which thousands share.
        let mut sources: Vec<(&Attributes, &Attributes)> = Vec::new();
        for span in &captured.spans {
            self.span(span);
            sources.push((&span.resource.attributes, &span.scope.attributes));
        }
        for one in captured.metrics_and_exports() {
            metric::check(self, one);
        }
        for export in &captured.exports {
            sources.push((&export.resource.attributes, &export.metric.scope.attributes));
        }
        for log in &captured.logs {
            self.log(log);
            sources.push((&log.resource.attributes, &log.scope.attributes));
        }
        sources.dedup_by(|left, right| std::ptr::eq(left.0, right.0) && std::ptr::eq(left.1, right.1));
        for (resource, scope) in sources {
            self.attributes("resource", resource);
            self.attributes("scope", scope);
        }
    }

    fn span(&mut self, span: &ReceivedSpan) {
        let place = format!("span {:?}", span.name);
        self.attributes(&place, &span.attributes);
        for event in &span.events {
            self.event(&format!("event {:?} of {place}", event.name), &event.name, &event.attributes);
            self.attributes(&format!("event {:?} of {place}", event.name), &event.attributes);
        }
        for link in &span.links {
            self.attributes(&format!("link of {place}"), &link.attributes);
        }
        let Some(group) = span_group::of(self.registry, span) else { return };
        let kind = kind_name(&span.kind);
        if !group.kinds.contains(&kind) {
            let message =
                format!("a span of {} is {kind}, expected {}", group.name, group.kinds.join(" or "));
            self.report(&place, ViolationKind::WrongSpanKind, message);
        }
        self.required(&place, &format!("{} {kind} spans", group.name), &group.required, &span.attributes);
    }

    fn log(&mut self, log: &ReceivedLog) {
        let place = format!("log {:?}", log.message());
        self.event(&place, &log.event_name, &log.attributes);
        for (key, value) in log.attributes.iter() {
            // The fields of an event of `tracing` are the application's own, unless they claim to be more.
            let namespace = key.split('.').next().unwrap_or(key);
            let is_claimed = key.contains('.') && self.registry.is_namespace(namespace);
            if is_claimed || self.registry.attribute(key).is_some() {
                self.attribute(&place, key, value);
            }
        }
    }

    fn event(&mut self, place: &str, name: &str, attributes: &Attributes) {
        let Some(event) = self.registry.events.get(name) else { return };
        if let Some(advice) = event.deprecated.filter(|_| !self.conventions.allows(name)) {
            self.report(
                place,
                ViolationKind::DeprecatedEvent,
                format!("the event {name} is deprecated: {advice}"),
            );
        }
        self.required(place, &format!("{name} events"), &event.required, attributes);
    }

    pub(super) fn attributes(&mut self, place: &str, attributes: &Attributes) {
        for (key, value) in attributes.iter() {
            self.attribute(place, key, value);
        }
    }

    pub(super) fn required(&mut self, place: &str, of: &str, keys: &[&str], attributes: &Attributes) {
        for key in keys.iter().filter(|key| !attributes.contains_key(key)) {
            self.report(place, ViolationKind::MissingAttribute, format!("{key} is missing, {of} require it"));
        }
    }

    pub(super) fn report(&mut self, place: &str, kind: ViolationKind, message: String) {
        self.violations.insert(Violation { place: place.to_owned(), kind, message });
    }

    fn attribute(&mut self, place: &str, key: &str, value: &AttributeValue) {
        if self.conventions.allows(key) {
            return;
        }
        let Some(attribute) = self.registry.attribute(key) else {
            let hint = hint(key, self.registry.attributes.keys());
            let message =
                format!("{key} is not in the conventions{hint}; allow its namespace if it is your own");
            return self.report(place, ViolationKind::UnknownAttribute, message);
        };
        if let Some(advice) = attribute.deprecated {
            self.report(place, ViolationKind::DeprecatedAttribute, format!("{key} is deprecated: {advice}"));
        }
        if !has_type(attribute.value_type, value) {
            let message =
                format!("{key} is the {} {value}, expected {}", type_name(value), attribute.value_type);
            self.report(place, ViolationKind::WrongType, message);
        } else if let Some(message) = self.wrong_value(key, attribute, value) {
            self.report(place, ViolationKind::WrongValue, message);
        }
    }

    fn wrong_value(&self, key: &str, attribute: &Attribute, value: &AttributeValue) -> Option<String> {
        let text = match value {
            AttributeValue::String(text) => text.clone(),
            AttributeValue::Int(number) => number.to_string(),
            _ => return None,
        };
        let is_listed = attribute.values.is_empty() || attribute.values.contains(&text.as_str());
        (!is_listed && !self.conventions.is_open(key)).then(|| {
            let same = attribute.values.iter().find(|listed| listed.eq_ignore_ascii_case(&text));
            let hint = match same {
                Some(listed) => format!(" (did you mean {listed:?}?)"),
                None => hint(&text, attribute.values.iter()),
            };
            format!("{key} is {value}, which the conventions do not list{hint}")
        })
    }
}

/// ` (did you mean "http.route"?)`, or nothing.
pub(super) fn hint<'a>(name: &str, known: impl Iterator<Item = &'a &'static str>) -> String {
    let nearest = known.map(|known| (name_distance(known, name), *known)).min();
    match nearest {
        Some((distance, known)) if distance <= FARTHEST_HINT.min(name.len() / 3) => {
            format!(" (did you mean {known:?}?)")
        }
        _ => String::new(),
    }
}

fn has_type(expected: &str, value: &AttributeValue) -> bool {
    match (expected, value) {
        ("any", _)
        | ("string", AttributeValue::String(_))
        | ("int", AttributeValue::Int(_))
        | ("double", AttributeValue::Double(_))
        | ("boolean", AttributeValue::Bool(_)) => true,
        (expected, AttributeValue::Array(values)) => expected
            .strip_suffix("[]")
            .is_some_and(|element| values.iter().all(|value| has_type(element, value))),
        _ => false,
    }
}
