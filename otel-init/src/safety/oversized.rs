//! What alone is larger than a request may be: it is sent with its texts cut, for otherwise all of it would be lost.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::logs::AnyValue;
use opentelemetry::trace::Status;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::SpanData;

use super::value::SafeValue;
use crate::diagnostics;

/// Characters: as many attributes as a span has by default fit into a request then.
const LONGEST: usize = 8 * 1024;

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The same span, with its texts cut.
#[cold]
pub(crate) fn cut_span(mut span: SpanData) -> SpanData {
    tell(&format!("the span {} of trace {}", span.span_context.span_id(), span.span_context.trace_id()));
    span.name = cut_text(&span.name).unwrap_or(span.name);
    if let Status::Error { description } = &span.status
        && let Some(cut) = cut_text(description)
    {
        span.status = Status::Error { description: cut };
    }
    cut_attributes(&mut span.attributes);
    span.events.events.iter_mut().for_each(|event| cut_attributes(&mut event.attributes));
    span.links.links.iter_mut().for_each(|link| cut_attributes(&mut link.attributes));
    span
}

/// The same for a value of a log record, its body too.
pub(crate) fn cut_value(value: &AnyValue) -> Option<AnyValue> {
    value.shortened(LONGEST)
}

#[cold]
pub(crate) fn tell_of_log(record: &SdkLogRecord) {
    tell(&format!("a log record of {}", record.target().map_or("an unknown target", |target| target)));
}

fn cut_attributes(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if let Some(cut) = attribute.value.shortened(LONGEST) {
            attribute.value = cut;
        }
    }
}

fn cut_text(text: &str) -> Option<std::borrow::Cow<'static, str>> {
    let (end, _) = text.char_indices().nth(LONGEST)?;
    Some(text[..end].to_owned().into())
}

fn tell(what: &str) {
    if !IS_TOLD.swap(true, Ordering::Relaxed) {
        diagnostics::warn(&format!(
            "{what} is larger than a request may be: texts in it are cut to {LONGEST} characters, so that it can be sent. \
             OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts those of attributes before. This is told once"
        ));
    }
}
