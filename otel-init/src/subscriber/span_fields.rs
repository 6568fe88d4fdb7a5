//! Fields of `tracing` spans on the log records of the events inside of them.
//!
//! Upstream's bridge can do it behind an experimental feature, but keeps every value that a field ever had for as long as
//! the span lives. So the fields are kept here, each once, and handed to the log chain while the bridge emits the event on this
//! very thread.

use std::cell::RefCell;
use std::fmt::Debug;

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::SdkLogRecord;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::causes;

/// Fields that tell the span what to be. `tracing-opentelemetry` reads them, and they are no attributes of the span either.
const FOR_THE_SPAN: [&str; 4] = ["otel.name", "otel.kind", "otel.status_code", "otel.status_description"];

thread_local! {
    /// The fields of the spans around the event that this thread emits at the moment.
    static CURRENT: RefCell<Vec<(&'static str, AnyValue)>> = const { RefCell::new(Vec::new()) };
}

/// Adds the fields, and what caused an error, to a record that this thread emits, but for what the event has itself.
pub(crate) fn add_to(record: &mut SdkLogRecord) {
    use opentelemetry::logs::LogRecord;
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
    /// Whether records say where in the code they were made.
    pub(crate) has_code_locations: bool,
}

/// The fields of spans, the last value of each. Their number is bounded by that of the fields in the code.
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
        if let Some(causes) = causes::of(event) {
            around.0.push((causes::STACKTRACE, causes.into()));
        }
        if self.has_code_locations {
            around.0.extend(location(event));
        }
        CURRENT.set(around.0);
        self.bridge.on_event(event, context);
        // What nobody took, because the record was filtered out.
        CURRENT.with_borrow_mut(Vec::clear);
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/>
fn location(event: &Event<'_>) -> impl Iterator<Item = (&'static str, AnyValue)> {
    // Of a record of the `log` crate, the event's own place is in the bridge from there.
    let normalized = event.normalized_metadata();
    let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
    let file = metadata.file().map(|file| ("code.file.path", AnyValue::from(file.to_owned())));
    let line = metadata.line().map(|line| ("code.line.number", AnyValue::from(i64::from(line))));
    file.into_iter().chain(line)
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Stands for the bridge: keeps what a record would get.
    struct Reading(Arc<Mutex<Vec<(&'static str, AnyValue)>>>);

    impl<S: Subscriber> Layer<S> for Reading {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().extend(CURRENT.with_borrow(Clone::clone));
        }
    }

    #[test]
    fn each_field_is_there_once_and_none_is_crowded_out_by_those_of_outer_spans() {
        let read = Arc::<Mutex<Vec<_>>>::default();
        let layer = WithSpanFields { bridge: Reading(Arc::clone(&read)), has_code_locations: false };
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            // As many as a span can have.
            let outer = tracing::info_span!(
                "outer",
                a = 0,
                b = 0,
                c = 0,
                d = 0,
                e = 0,
                f = 0,
                g = 0,
                h = 0,
                i = 0,
                j = 0,
                k = 0,
                l = 0,
                m = 0,
                n = 0,
                o = 0,
                p = 0,
                q = 0,
                r = 0,
                s = 0,
                t = 0,
                u = 0,
                v = 0,
                w = 0,
                x = 0,
                y = 0,
                z = 0,
                aa = 0,
                bb = 0,
                cc = 0,
                dd = 0,
                ee = 0,
                round = -1_i64
            );
            let _outer = outer.enter();
            (0..1000_i64).for_each(|round| {
                outer.record("round", round);
            });
            let _inner = tracing::info_span!("inner", order = 7_i64, a = 1_i64).entered();
            tracing::info!("an event");
        });
        let read = read.lock().unwrap();
        let values =
            |name| read.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.clone());
        for (name, value) in [("order", 7), ("a", 1), ("round", 999)] {
            assert_eq!(Vec::from_iter(values(name)), [AnyValue::Int(value)], "{name}: {read:?}");
        }
    }
}
