//! A span while it runs, and its end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, SpanContext, Status};
use opentelemetry_sdk::trace::{SpanData, SpanLimits};

use super::bounds::{add, cut};
use super::tracer::Scoped;

/// A span, made by a [`Tracer`](super::Tracer). It ends when it is dropped, if not before.
///
/// It is used through the trait of the API, [`opentelemetry::trace::Span`].
#[derive(Debug)]
pub struct Span {
    context: SpanContext,
    /// `None` when it records nothing, or has ended.
    recorded: Option<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    data: Box<SpanData>,
    scoped: Arc<Scoped>,
}

impl Span {
    pub(super) fn not_recording(context: SpanContext) -> Self {
        Self { context, recorded: None }
    }

    pub(super) fn recording(data: Box<SpanData>, scoped: Arc<Scoped>) -> Self {
        Self { context: data.span_context.clone(), recorded: Some(Recorded { data, scoped }) }
    }

    fn end_at(&mut self, end_time: impl FnOnce() -> SystemTime) {
        let Some(Recorded { mut data, scoped }) = self.recorded.take() else { return };
        let shared = &scoped.shared;
        if let Some(processor) = shared.processor.as_ref().filter(|_| !shared.is_stopped()) {
            // "It is expected that end_time >= start_time", also where the clock was set back meanwhile.
            // https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
            data.end_time = end_time().max(data.start_time);
            processor.on_end(data);
        }
    }
}

impl opentelemetry::trace::Span for Span {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(Recorded { data, scoped }) = &mut self.recorded {
            add_event(data, Event::new(name, timestamp, attributes, 0), &scoped.shared.limits);
        }
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.recorded.is_some()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if let Some(Recorded { data, scoped }) = &mut self.recorded {
            let limit = scoped.shared.limits.max_attributes_per_span as usize;
            data.dropped_attributes_count += add(&mut data.attributes, attribute, limit);
        }
    }

    fn set_status(&mut self, status: Status) {
        let Some(Recorded { data, .. }) = &mut self.recorded else { return };
        let (new, old) = (rank(&status), rank(&data.status));
        // Instrumentations end with an error that says no more: that takes nothing away from one that does.
        if new > old || (new == old && status != Status::error("")) {
            data.status = status;
        }
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(Recorded { data, .. }) = &mut self.recorded {
            data.name = name.into();
        }
    }

    fn add_link(&mut self, span_context: SpanContext, mut attributes: Vec<KeyValue>) {
        let Some(Recorded { data, scoped }) = &mut self.recorded else { return };
        let limits = &scoped.shared.limits;
        if data.links.links.len() < limits.max_links_per_span as usize {
            let dropped = cut(&mut attributes, limits.max_attributes_per_link as usize);
            data.links.links.push(Link::new(span_context, attributes, dropped));
        } else {
            data.links.dropped_count += 1;
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.end_at(|| timestamp);
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.end_at(SystemTime::now);
    }
}

/// "These values form a total order: `Ok > Error > Unset`", and of two errors "only the value of the last call will be
/// recorded". <https://opentelemetry.io/docs/specs/otel/trace/api/#set-status>
fn rank(status: &Status) -> u8 {
    match status {
        Status::Unset => 0,
        Status::Error { .. } => 1,
        Status::Ok => 2,
    }
}

pub(super) fn add_event(data: &mut SpanData, mut event: Event, limits: &SpanLimits) {
    if data.events.events.len() < limits.max_events_per_span as usize {
        let dropped = cut(&mut event.attributes, limits.max_attributes_per_event as usize);
        event.dropped_attributes_count = event.dropped_attributes_count.saturating_add(dropped);
        data.events.events.push(event);
    } else {
        data.events.dropped_count += 1;
    }
}
