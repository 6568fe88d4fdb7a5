//! The spans of one trace that wait.

use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::SpanData;

/// The spans of one trace in this process.
#[derive(Debug)]
pub(super) struct LocalTrace {
    /// When its requests began that are under way; without any, when it was first seen.
    pub(super) opened: Instant,
    pub(super) open: usize,
    pub(super) open_roots: usize,
    /// When the last of its requests had ended.
    pub(super) roots_ended: Option<Instant>,
    pub(super) fate: Fate,
    pub(super) spans: Vec<SpanData>,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Undecided,
    /// All its spans are exported, those to come too.
    Kept,
    /// There was no room, or no time, to wait: the head sampler's word holds.
    LeftToHead,
}

impl LocalTrace {
    /// A trace that is first seen with a span below another was over before. Such spans are recorded only where the head
    /// sampled their trace, so they go by its word, and an error stands for those that nobody saw.
    pub(super) fn new(opened: Instant, has_request: bool) -> Self {
        let (spans, bytes) = (Vec::new(), 0);
        let fate = if has_request { Fate::Undecided } else { Fate::LeftToHead };
        Self { opened, open: 0, open_roots: 0, roots_ended: None, fate, spans, bytes }
    }

    /// Since the end of its requests; without any, since it was first seen.
    pub(super) fn has_lingered(&self, now: Instant, linger: Duration) -> bool {
        now.saturating_duration_since(self.roots_ended.unwrap_or(self.opened)) >= linger
    }
}

/// About how many bytes a span takes: the texts, and the lists they are in.
pub(super) fn size(span: &SpanData) -> usize {
    use opentelemetry::KeyValue;
    let of = |attributes: &[KeyValue]| -> usize {
        attributes
            .iter()
            .map(|attribute| {
                size_of::<KeyValue>() + attribute.key.as_str().len() + size_of_value(&attribute.value)
            })
            .sum()
    };
    let events: usize = span.events.iter().map(|event| 64 + event.name.len() + of(&event.attributes)).sum();
    let links: usize = span.links.iter().map(|link| 96 + of(&link.attributes)).sum();
    size_of::<SpanData>() + span.name.len() + of(&span.attributes) + events + links
}

fn size_of_value(value: &opentelemetry::Value) -> usize {
    use opentelemetry::{Array, Value};
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| 24 + text.as_str().len()).sum(),
        Value::Array(Array::I64(list)) => 8 * list.len(),
        Value::Array(Array::F64(list)) => 8 * list.len(),
        Value::Array(Array::Bool(list)) => list.len(),
        _ => 0,
    }
}
