use opentelemetry::trace::{SpanKind, Status};

use super::Expected;
use super::attribute_conditions::AttributeConditions;
use crate::captured::Captured;
use crate::tree::kind_name;
use crate::{ReceivedLink, ReceivedSpan};

/// One thing that is said of an [`ExpectedSpan`](super::ExpectedSpan).
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Kind(SpanKind),
    Status(Status),
    Failed,
    NotFailed,
    Root,
    NotRoot,
    RemoteParent,
    ChildOf(String),
    Event(String, AttributeConditions),
    Events(usize),
    LinkedTo(String),
    Links(usize),
    Scope(String),
    ScopeVersion(String),
    Resource(String, Expected),
}

impl Condition {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Kind(kind) => format!("kind {}", kind_name(kind)),
            Self::Status(status) => format!("status {}", describe_status(status)),
            Self::Failed => "failed".to_owned(),
            Self::NotFailed => "not failed".to_owned(),
            Self::Root => "root".to_owned(),
            Self::NotRoot => "not root".to_owned(),
            Self::RemoteParent => "with a remote parent".to_owned(),
            Self::ChildOf(parent) => format!("child of {parent:?}"),
            Self::Event(name, attributes) => {
                let mut parts = Vec::new();
                attributes.describe(&mut parts);
                match parts.is_empty() {
                    true => format!("event {name:?}"),
                    false => format!("event {name:?} ({})", parts.join(", ")),
                }
            }
            Self::Events(count) => format!("events: {count}"),
            Self::LinkedTo(name) => format!("linked to {name:?}"),
            Self::Links(count) => format!("links: {count}"),
            Self::Scope(name) => format!("scope {name:?}"),
            Self::ScopeVersion(version) => format!("scope version {version:?}"),
            Self::Resource(key, value) => format!("resource {key} = {value}"),
        }
    }

    pub(super) fn difference(&self, span: &ReceivedSpan, captured: &Captured) -> Option<String> {
        let unless = |holds: bool, text: String| (!holds).then_some(text);
        match self {
            Self::Kind(kind) => unless(
                span.kind == *kind,
                format!("its kind is {}, expected {}", kind_name(&span.kind), kind_name(kind)),
            ),
            Self::Status(status) => unless(
                span.status == *status,
                format!(
                    "its status is {}, expected {}",
                    describe_status(&span.status),
                    describe_status(status)
                ),
            ),
            Self::Failed => unless(
                matches!(span.status, Status::Error { .. }),
                format!("its status is {}, expected an error", describe_status(&span.status)),
            ),
            Self::NotFailed => unless(
                !matches!(span.status, Status::Error { .. }),
                format!("its status is {}, expected no error", describe_status(&span.status)),
            ),
            Self::Root => unless(
                span.parent_span_id.is_none(),
                format!("its parent is {}, expected none", describe_parent(span, captured)),
            ),
            Self::NotRoot => {
                unless(span.parent_span_id.is_some(), "it has no parent, expected one".to_owned())
            }
            Self::RemoteParent => unless(
                span.parent_is_remote() && span.parent_span_id.is_some(),
                format!("its parent is {}, expected a remote one", describe_parent(span, captured)),
            ),
            Self::ChildOf(name) => unless(
                captured.parent_name(span) == Some(name),
                format!("its parent is {}, expected {name:?}", describe_parent(span, captured)),
            ),
            Self::Event(name, attributes) => event_difference(span, name, attributes),
            Self::Events(count) => unless(
                span.events.len() == *count,
                format!("it has {} events, expected {count}", span.events.len()),
            ),
            Self::LinkedTo(name) => link_difference(span, captured, name),
            Self::Links(count) => unless(
                span.links.len() == *count,
                format!("it has {} links, expected {count}", span.links.len()),
            ),
            Self::Scope(name) => unless(
                span.scope.name == *name,
                format!("its scope is {:?}, expected {name:?}", span.scope.name),
            ),
            Self::ScopeVersion(version) => unless(
                span.scope.version == *version,
                format!("the version of its scope is {:?}, expected {version:?}", span.scope.version),
            ),
            Self::Resource(key, value) => {
                value.difference(&format!("resource {key}"), span.resource.attributes.get(key))
            }
        }
    }
}

fn event_difference(span: &ReceivedSpan, name: &str, attributes: &AttributeConditions) -> Option<String> {
    let mut nearest: Option<Vec<String>> = None;
    for event in span.events.iter().filter(|event| event.name == name) {
        let differences = attributes.all_differences(&event.attributes);
        if nearest.as_ref().is_none_or(|known| differences.len() < known.len()) {
            nearest = Some(differences);
        }
    }
    match nearest {
        Some(differences) if differences.is_empty() => None,
        Some(differences) => Some(format!("of its event {name:?}, {}", differences.join(", "))),
        None => {
            let names: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
            Some(format!("its events are {names:?}, expected one named {name:?}"))
        }
    }
}

fn link_difference(span: &ReceivedSpan, captured: &Captured, name: &str) -> Option<String> {
    let linked = |link: &ReceivedLink| {
        captured.spans.iter().find(|other| other.span_id == link.span_id && other.trace_id == link.trace_id)
    };
    let names: Vec<&str> =
        span.links.iter().map(|link| linked(link).map_or("a span elsewhere", |span| &span.name)).collect();
    (!names.contains(&name)).then(|| format!("it links to {names:?}, expected {name:?}"))
}

fn describe_parent(span: &ReceivedSpan, captured: &Captured) -> String {
    match (captured.parent_name(span), &span.parent_span_id) {
        (Some(parent), _) => format!("{parent:?}"),
        (None, Some(_)) if span.parent_is_remote() => "in another process".to_owned(),
        (None, Some(_)) => "missing".to_owned(),
        (None, None) => "none".to_owned(),
    }
}

fn describe_status(status: &Status) -> String {
    match status {
        Status::Unset => "unset".to_owned(),
        Status::Ok => "ok".to_owned(),
        Status::Error { description } => format!("error({description:?})"),
    }
}
