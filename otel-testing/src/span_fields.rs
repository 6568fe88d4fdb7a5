//! What otel-init's export adds to the record of an event: the fields of the spans around it, and what caused an error. A test
//! reads in a record what a collector gets.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Write};

use opentelemetry::logs::AnyValue;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// "A stacktrace as a string in the natural representation for the language runtime": for an error that is its chain.
/// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>
const STACKTRACE: &str = "exception.stacktrace";

/// No chain is this long, but for one that leads back to itself.
const LONGEST: usize = 32;

/// Fields that tell the span what to be. They are no attributes of the span either.
const FOR_THE_SPAN: [&str; 4] = ["otel.name", "otel.kind", "otel.status_code", "otel.status_description"];

thread_local! {
    /// What the record of the event gets that this thread emits at the moment.
    static CURRENT: RefCell<Vec<(&'static str, AnyValue)>> = const { RefCell::new(Vec::new()) };
}

/// What goes onto the record that this thread emits at the moment, unless it has it itself.
pub(crate) fn take() -> Vec<(&'static str, AnyValue)> {
    CURRENT.take()
}

/// A bridge to logs that knows the fields of the spans around an event.
pub(crate) struct WithSpanFields<L>(pub(crate) L);

/// The fields of one span, the last value of each. Their number is bounded by that of the fields in the code.
#[derive(Default)]
struct Fields(Vec<(&'static str, AnyValue)>);

impl<S, L> Layer<S> for WithSpanFields<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut around = Fields::default();
        // The innermost wins.
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                fields.0.iter().for_each(|(name, value)| around.set(name, value.clone()));
            }
        }
        let mut causes = Causes(None);
        event.record(&mut causes);
        if let Some(causes) = causes.0 {
            around.set(STACKTRACE, causes.into());
        }
        CURRENT.set(around.0);
        self.0.on_event(event, context);
        // What nobody took, because no test was there.
        CURRENT.take();
    }
}

impl Fields {
    fn set(&mut self, name: &'static str, value: AnyValue) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else if !FOR_THE_SPAN.contains(&name) {
            self.0.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), i64::try_from(value).map_or_else(|_| value.to_string().into(), AnyValue::Int));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

/// The last error of an event and all that caused it, a line each; none without an error, or a cause.
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
