//! What is said of one span: in words, and how a span differs from it.

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
        let status = |holds: bool, expected: String| {
            unless(holds, format!("its status is {}, expected {expected}", describe_status(&span.status)))
        };
        let is_error = matches!(span.status, Status::Error { .. });
        let parent = |holds: bool, expected: String| {
            unless(holds, format!("its parent is {}, expected {expected}", describe_parent(span, captured)))
        };
        let has_parent = span.parent_span_id.is_some();
        match self {
            Self::Kind(kind) => unless(
                span.kind == *kind,
                format!("its kind is {}, expected {}", kind_name(&span.kind), kind_name(kind)),
            ),
            Self::Status(expected) => status(span.status == *expected, describe_status(expected)),
            Self::Failed => status(is_error, "an error".to_owned()),
            Self::NotFailed => status(!is_error, "no error".to_owned()),
            Self::Root => parent(!has_parent, "none".to_owned()),
            Self::NotRoot => unless(has_parent, "it has no parent, expected one".to_owned()),
            Self::RemoteParent => parent(has_parent && span.parent_is_remote(), "a remote one".to_owned()),
            Self::ChildOf(name) => parent(captured.parent_name(span) == Some(name), format!("{name:?}")),
            Self::Event(name, attributes) => event_difference(span, name, attributes),
            Self::Events(count) => {
                let found = span.events.len();
                unless(found == *count, format!("it has {found} events, expected {count}"))
            }
            Self::LinkedTo(name) => link_difference(span, captured, name),
            Self::Links(count) => {
                let found = span.links.len();
                unless(found == *count, format!("it has {found} links, expected {count}"))
            }
            Self::Scope(name) => {
                let found = &span.scope.name;
                unless(found == name, format!("its scope is {found:?}, expected {name:?}"))
            }
            Self::ScopeVersion(version) => {
                let found = &span.scope.version;
                unless(
                    found == version,
                    format!("the version of its scope is {found:?}, expected {version:?}"),
                )
            }
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
