//! Spans as they were received.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_proto::tonic::trace::v1::{self as proto, ResourceSpans};

use super::convert::{attributes, hex, hex_if_valid, resource, scope};
use crate::{AttributeValue, Attributes, Scope};

/// Who sent the telemetry.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReceivedResource {
    /// Attributes such as `service.name`.
    pub attributes: Attributes,
    /// Schema URL; empty if none was sent.
    pub schema_url: String,
}

impl ReceivedResource {
    /// Whether it is the same sender. A sender keeps its attributes in no order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.schema_url == other.schema_url && self.attributes.is_same(&other.attributes)
    }

    /// `service.name`, or an empty text.
    #[must_use]
    pub fn service(&self) -> &str {
        self.attributes.get("service.name").and_then(AttributeValue::as_str).unwrap_or_default()
    }
}

/// A span as it was sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// Who sent it.
    pub resource: Arc<ReceivedResource>,
    /// Which instrumentation made it.
    pub scope: Arc<Scope>,
    /// Lower-case hex, 32 digits if the sender was right.
    pub trace_id: String,
    /// Lower-case hex, 16 digits if the sender was right.
    pub span_id: String,
    /// Lower-case hex; `None` for the root of a trace.
    pub parent_span_id: Option<String>,
    /// W3C `tracestate`; empty if none.
    pub trace_state: String,
    /// Trace flags in the lowest 8 bits; bits 8 and 9 tell whether the parent is remote.
    pub flags: u32,
    /// Name.
    pub name: String,
    /// Kind; one that was not given counts as internal, as the specification allows.
    pub kind: SpanKind,
    /// Nanoseconds since the Unix epoch.
    pub start_unix_nanos: u64,
    /// Nanoseconds since the Unix epoch.
    pub end_unix_nanos: u64,
    /// Attributes, with their types.
    pub attributes: Attributes,
    /// How many attributes the sender left out.
    pub dropped_attributes: u32,
    /// Events.
    pub events: Vec<ReceivedEvent>,
    /// Links.
    pub links: Vec<ReceivedLink>,
    /// Status.
    pub status: Status,
}

impl ReceivedSpan {
    /// `service.name` of the sender, or an empty text.
    #[must_use]
    pub fn service(&self) -> &str {
        self.resource.service()
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
        self.attributes.get(key)
    }

    /// Whether the attribute `key` has this value, of this type.
    #[must_use]
    pub fn has(&self, key: &str, value: impl Into<AttributeValue>) -> bool {
        self.attributes.has(key, value)
    }

    /// From start to end; zero if the end lies before the start.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_unix_nanos.saturating_sub(self.start_unix_nanos))
    }

    /// Whether the sender said that the parent is in another process.
    #[must_use]
    pub fn parent_is_remote(&self) -> bool {
        self.flags & proto::SpanFlags::ContextIsRemoteMask as u32 != 0
    }
}

/// An event of a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedEvent {
    /// Nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// Name.
    pub name: String,
    /// Attributes, with their types.
    pub attributes: Attributes,
}

/// A link of a span.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedLink {
    /// Lower-case hex.
    pub trace_id: String,
    /// Lower-case hex.
    pub span_id: String,
    /// W3C `tracestate`; empty if none.
    pub trace_state: String,
    /// Attributes, with their types.
    pub attributes: Attributes,
}

pub(super) fn flatten(spans: ResourceSpans, into: &mut Vec<Arc<ReceivedSpan>>) {
    let resource = resource(spans.resource, spans.schema_url);
    for scope_spans in spans.scope_spans {
        let scope = scope(scope_spans.scope, scope_spans.schema_url);
        into.extend(scope_spans.spans.into_iter().map(|span| Arc::new(received(&resource, &scope, span))));
    }
}

fn received(resource: &Arc<ReceivedResource>, scope: &Arc<Scope>, span: proto::Span) -> ReceivedSpan {
    ReceivedSpan {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: hex_if_valid(&span.parent_span_id),
        trace_state: span.trace_state,
        flags: span.flags,
        name: span.name,
        kind: kind(span.kind),
        start_unix_nanos: span.start_time_unix_nano,
        end_unix_nanos: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        dropped_attributes: span.dropped_attributes_count,
        events: span.events.into_iter().map(event).collect(),
        links: span.links.into_iter().map(link).collect(),
        status: status(span.status),
    }
}

fn event(event: proto::span::Event) -> ReceivedEvent {
    ReceivedEvent {
        unix_nanos: event.time_unix_nano,
        name: event.name,
        attributes: attributes(event.attributes),
    }
}

fn link(link: proto::span::Link) -> ReceivedLink {
    ReceivedLink {
        trace_id: hex(&link.trace_id),
        span_id: hex(&link.span_id),
        trace_state: link.trace_state,
        attributes: attributes(link.attributes),
    }
}

fn kind(kind: i32) -> SpanKind {
    use proto::span::SpanKind as Proto;
    match Proto::try_from(kind) {
        Ok(Proto::Server) => SpanKind::Server,
        Ok(Proto::Client) => SpanKind::Client,
        Ok(Proto::Producer) => SpanKind::Producer,
        Ok(Proto::Consumer) => SpanKind::Consumer,
        Ok(Proto::Internal | Proto::Unspecified) | Err(_) => SpanKind::Internal,
    }
}

fn status(status: Option<proto::Status>) -> Status {
    let Some(status) = status else { return Status::Unset };
    match proto::status::StatusCode::try_from(status.code) {
        Ok(proto::status::StatusCode::Ok) => Status::Ok,
        Ok(proto::status::StatusCode::Error) => Status::error(status.message),
        Ok(proto::status::StatusCode::Unset) | Err(_) => Status::Unset,
    }
}
