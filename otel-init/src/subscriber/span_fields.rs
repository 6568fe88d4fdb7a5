//! Fields of `tracing` spans on the log records of the events inside of them, and what caused an error.
//!
//! `otel-init` (`src/subscriber/span_fields.rs`) and `otel-testing` (`src/span_fields.rs`) have the same file, because neither
//! depends on the other, and a test reads in a record what a collector gets; CI compares them.
//!
//! Upstream's bridge can add fields behind an experimental feature, but keeps every value that a field ever had for as long as
//! the span lives. So the fields are kept here, each once, and handed to the log chain while the bridge emits the event on this
//! very thread.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Write};

use opentelemetry::logs::{AnyValue, LogRecord};
use opentelemetry_sdk::logs::SdkLogRecord;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Fields that tell the span what to be. `tracing-opentelemetry` reads them, and they are no attributes of the span either.
const FOR_THE_SPAN: [&str; 4] = ["otel.name", "otel.kind", "otel.status_code", "otel.status_description"];

/// "A stacktrace as a string in the natural representation for the language runtime": for an error that is its chain.
/// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>
const STACKTRACE: &str = "exception.stacktrace";

/// No chain is this long, but for one that leads back to itself.
const LONGEST: usize = 32;

thread_local! {
    /// The fields of the spans around the event that this thread emits at the moment.
    static CURRENT: RefCell<Vec<(&'static str, AnyValue)>> = const { RefCell::new(Vec::new()) };
}

/// Adds the fields, and what caused an error, to a record that this thread emits, but for what the event has itself.
pub(crate) fn add_to(record: &mut SdkLogRecord) {
    CURRENT.with_borrow_mut(|fields| {
        for (name, value) in fields.drain(..) {
            if record.attributes_iter().all(|(key, _)| key.as_str() != name) {
                record.add_attribute(name, value);
            }
        }
    });
}

/// A bridge to logs that knows the fields of the spans around an event.
pub(crate) struct WithSpanFields<L> {
    pub(crate) bridge: L,
    /// Adds what else there is to say of an event.
    pub(crate) add_more: fn(&Event<'_>, &mut Fields),
}

/// The fields of spans, the last value of each. Their number is bounded by that of the fields in the code.
#[derive(Default)]
pub(crate) struct Fields(Vec<(&'static str, AnyValue)>);

impl<S, L> Layer<S> for WithSpanFields<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if fields.0.is_empty() {
            return;
        }
        if let Some(span) = context.span(id) {
            // Another bridge on the same registry may have been faster, with the same.
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Fields>() {
            Some(fields) => values.record(fields),
            None => {
                let mut fields = Fields::default();
                values.record(&mut fields);
                extensions.insert(fields);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut around = Fields::default();
        // The innermost wins, as it does on the console.
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                fields.0.iter().for_each(|(name, value)| around.set(name, value.clone()));
            }
        }
        if let Some(causes) = causes(event) {
            around.set(STACKTRACE, causes.into());
        }
        (self.add_more)(event, &mut around);
        CURRENT.set(around.0);
        self.bridge.on_event(event, context);
        // What nobody took, because the record was filtered out.
        CURRENT.with_borrow_mut(Vec::clear);
    }
}

impl Fields {
    pub(crate) fn set(&mut self, name: &'static str, value: AnyValue) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if !FOR_THE_SPAN.contains(&name) {
            self.0.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), AnyValue::Double(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), AnyValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).map_or_else(|_| value.to_string().into(), AnyValue::Int);
        self.set(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), AnyValue::Boolean(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

/// The last error of the event and all that caused it, a line each; none without an error, or a cause. Upstream's bridge keeps
/// the error's own text alone, as `exception.message`. That is mostly the least of it: "order not placed", and not which
/// connection was refused.
fn causes(event: &Event<'_>) -> Option<String> {
    let mut causes = Causes(None);
    event.record(&mut causes);
    causes.0
}

struct Causes(Option<String>);

impl Visit for Causes {
    fn record_error(&mut self, _field: &Field, error: &(dyn Error + 'static)) {
        let mut cause = error.source();
        self.0 = cause.is_some().then(|| error.to_string());
        for _ in 0..LONGEST {
            let (Some(chain), Some(next)) = (&mut self.0, cause) else { return };
            // Writing to a text does not fail.
            let _ = write!(chain, "\nCaused by: {next}");
            cause = next.source();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn Debug) {}
}
