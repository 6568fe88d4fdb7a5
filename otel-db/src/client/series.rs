//! The durations of statements that come again.
//!
//! An SDK hashes and compares the attributes of each measurement, which costs more than all else that a metric does. A
//! service's statements are few and come again, so each thread keeps, with each statement that it has read, the attributes and
//! the instrument bound to them, where the SDK is known to be able to. A call of a statement that is known builds no
//! attributes for metrics at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{BoundHistogram, Histogram};
use opentelemetry::{KeyValue, StringValue, Value};
use otel_core::Attributes;

use super::names::interned;
use crate::query_text::{Statement, keep_series};

/// One statement of one client.
#[derive(Debug)]
pub(crate) struct Series {
    /// The client's, see [`next_id`].
    pub(crate) client: u64,
    /// The instrument's that it is bound to, which is another one after another SDK was installed.
    instrument: u64,
    pub(crate) statement: Arc<Statement>,
    /// The statement's summary, unless too many were made static already.
    name: Option<&'static str>,
    of_span: Vec<Kept>,
    attributes: Vec<KeyValue>,
    bound: BoundHistogram<f64>,
}

/// An attribute of spans to come. A static text is copied without a count of references.
#[derive(Debug)]
enum Kept {
    Text(&'static str, &'static str),
    Other(KeyValue),
}

/// A statement that was read, and what is known of its calls by the client that asked.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It was read now, and may not come again, or other clients have all the room: nothing is kept of its calls.
    New(Arc<Statement>),
    Statement(Arc<Statement>),
    Series(Arc<Series>),
}

/// What the attributes of a call's metrics follow from.
#[derive(Debug, Default)]
pub(crate) enum Source {
    #[default]
    Request,
    /// From this statement of this client alone, but for those of a failure.
    Statement(u64, Arc<Statement>),
    /// They are these, and those of a failure.
    Series(Arc<Series>),
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Tells a client or an instrument from others in what a thread keeps.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl Known {
    pub(crate) fn statement(&self) -> &Arc<Statement> {
        match self {
            Self::New(statement) | Self::Statement(statement) => statement,
            Self::Series(series) => &series.statement,
        }
    }
}

impl Series {
    fn new(
        client: u64,
        instrument: &DurationSeries,
        statement: &Arc<Statement>,
        attributes: &[KeyValue],
    ) -> Self {
        let name = statement.summary().and_then(|summary| interned(summary));
        let text = statement.text().filter(|_| instrument.query_text);
        let text = text.map(|text| KeyValue::new("db.query.text", StringValue::from(Arc::clone(text))));
        let of_span = attributes.iter().cloned().chain(text).map(Kept::new).collect();
        let (attributes, bound) = (attributes.to_vec(), instrument.duration.bind(attributes));
        let (instrument, statement) = (instrument.id, Arc::clone(statement));
        Self { client, instrument, statement, name, of_span, attributes, bound }
    }

    /// The name of a span that is named by its summary.
    pub(crate) fn name(&self) -> Option<&'static str> {
        self.name
    }

    /// Writes all that the span starts with.
    pub(super) fn write_span(&self, attributes: &mut Attributes<'_>) {
        for kept in &self.of_span {
            match kept {
                Kept::Text(key, text) => attributes.span(*key, *text),
                Kept::Other(pair) => attributes.span(pair.key.clone(), pair.value.clone()),
            }
        }
    }

    /// Without those of a failure.
    fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }
}

impl Kept {
    fn new(pair: KeyValue) -> Self {
        let text = match &pair.value {
            Value::String(text) => interned(text.as_str()),
            _ => None,
        };
        match (interned(pair.key.as_str()), text) {
            (Some(key), Some(text)) => Self::Text(key, text),
            _ => Self::Other(pair),
        }
    }
}

impl Source {
    /// All attributes of a call that has `own` ones.
    pub(super) fn with<R>(&self, own: &[KeyValue], f: impl FnOnce(&[KeyValue]) -> R) -> R {
        match self {
            Self::Series(series) => f(&[series.attributes(), own].concat()),
            Self::Request | Self::Statement(..) => f(own),
        }
    }
}

#[derive(Debug)]
pub(crate) struct DurationSeries {
    id: u64,
    binds: bool,
    /// Whether spans have the statement's text.
    query_text: bool,
    duration: Histogram<f64>,
}

impl DurationSeries {
    /// `binds` says whether the instrument may be bound to attributes.
    pub(crate) fn new(duration: Histogram<f64>, binds: bool, query_text: bool) -> Self {
        Self { id: next_id(), binds, query_text, duration }
    }

    /// Records a call. `own` are the attributes that do not follow from `source`.
    pub(crate) fn record(&self, seconds: f64, source: &Source, own: &[KeyValue]) {
        match source {
            Source::Series(series) if own.is_empty() && series.instrument == self.id => {
                series.bound.record(seconds);
            }
            _ => source.with(own, |all| self.duration.record(seconds, all)),
        }
        if self.binds {
            self.learn(source, own);
        }
    }

    /// Binds the instrument for the next call of the statement.
    fn learn(&self, source: &Source, own: &[KeyValue]) {
        let (client, statement, attributes) = match source {
            Source::Statement(client, statement) => (*client, statement, own),
            Source::Series(series) if series.instrument != self.id => {
                (series.client, &series.statement, series.attributes())
            }
            _ => return,
        };
        let says_more =
            |pair: &KeyValue| matches!(pair.key.as_str(), "error.type" | "db.response.status_code");
        if !attributes.iter().any(says_more) {
            keep_series(statement, || Series::new(client, self, statement, attributes));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use opentelemetry::metrics::MeterProvider;
    use otel_testing::TestTelemetry;

    use super::*;
    use crate::query_text::{Dialect, QueryRules};

    fn count(telemetry: &TestTelemetry, attributes: &[KeyValue]) -> Option<u64> {
        let points = telemetry.points("duration");
        let is_it = |point: &&otel_testing::Point| {
            let has_error = attributes.iter().any(|pair| pair.key.as_str() == "error.type");
            attributes.iter().all(|pair| point.has(pair.key.as_str(), pair.value.clone()))
                && point.attribute("error.type").is_some() == has_error
        };
        points.iter().find(is_it)?.count()
    }

    /// As a call does it: `base` is what follows from the statement.
    fn call(series: &DurationSeries, client: u64, of: &str, base: &[KeyValue], more: &[KeyValue]) -> bool {
        match QueryRules::new(Dialect::Sqlite).known(of, client) {
            Known::Series(known) => {
                assert_eq!(known.attributes(), base);
                series.record(0.1, &Source::Series(known), more);
                true
            }
            Known::Statement(statement) => {
                let source = Source::Statement(client, statement);
                series.record(0.1, &source, &[base, more].concat());
                false
            }
            Known::New(_) => {
                series.record(0.1, &Source::Request, &[base, more].concat());
                false
            }
        }
    }

    /// As a call does that nobody records.
    fn read_once(of: &str) {
        QueryRules::new(Dialect::Sqlite).known(of, next_id());
    }

    #[test]
    fn nothing_is_kept_of_a_statement_before_it_comes_again() {
        let telemetry = TestTelemetry::new();
        let meter = telemetry.meter_provider().meter("test");
        let series = DurationSeries::new(meter.f64_histogram("duration").build(), true, true);
        let base = [KeyValue::new("db.query.summary", "SELECT artists")];
        let known = (0..3).map(|_| call(&series, 0, "SELECT id FROM artists", &base, &[]));
        assert_eq!(known.collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(count(&telemetry, &base), Some(3));
    }

    #[test]
    fn each_call_counts_in_its_series() {
        for binds in [true, false] {
            let telemetry = TestTelemetry::new();
            let histogram = || telemetry.meter_provider().meter("test").f64_histogram("duration").build();
            let series = DurationSeries::new(histogram(), binds, true);
            let read = "SELECT id FROM songs";
            read_once(read);
            let (client, other) = (next_id(), next_id());
            let fine = [KeyValue::new("db.query.summary", "SELECT songs")];
            let failed = [KeyValue::new("error.type", "1")];
            let elsewhere = [KeyValue::new("db.query.summary", "elsewhere")];
            assert!(!call(&series, client, read, &fine, &failed));
            assert!(!call(&series, client, read, &fine, &[]), "a failure is nothing to learn from");
            assert_eq!(call(&series, client, read, &fine, &[]), binds);
            assert_eq!(call(&series, client, read, &fine, &failed), binds);
            assert!(!call(&series, other, read, &elsewhere, &[]), "another client");
            series.record(0.1, &Source::Request, &elsewhere);
            assert_eq!(count(&telemetry, &fine), Some(2), "{binds}");
            assert_eq!(count(&telemetry, &[fine[0].clone(), failed[0].clone()]), Some(2), "{binds}");
            assert_eq!(count(&telemetry, &elsewhere), Some(2), "{binds}");
        }
    }

    #[test]
    fn an_instrument_that_was_taken_anew_gets_what_is_recorded() {
        let (first, second) = (TestTelemetry::new(), TestTelemetry::new());
        let [before, after] = [&first, &second].map(|telemetry| {
            let meter = telemetry.meter_provider().meter("test");
            DurationSeries::new(meter.f64_histogram("duration").build(), true, true)
        });
        let read = "SELECT id FROM albums";
        read_once(read);
        let (client, base) = (next_id(), [KeyValue::new("db.query.summary", "SELECT albums")]);
        assert!(!call(&before, client, read, &base, &[]));
        assert!((0..2).all(|_| call(&after, client, read, &base, &[])));
        let known = QueryRules::new(Dialect::Sqlite).known(read, client);
        assert!(matches!(known, Known::Series(series) if series.instrument == after.id));
        assert_eq!((count(&first, &base), count(&second, &base)), (Some(1), Some(2)));
    }

    /// To bind an instrument takes locks: whoever finds no room for what came of it does not try again with each call.
    #[test]
    fn a_client_for_which_there_is_no_room_binds_nothing() {
        let telemetry = TestTelemetry::new();
        let meter = telemetry.meter_provider().meter("test");
        let series = DurationSeries::new(meter.f64_histogram("duration").build(), true, true);
        let (read, base) = ("SELECT id FROM labels", [KeyValue::new("db.query.summary", "SELECT labels")]);
        read_once(read);
        let clients: Vec<_> = (0..65).map(|_| next_id()).collect();
        assert!(clients.iter().all(|client| !call(&series, *client, read, &base, &[])));
        let known = |client| QueryRules::new(Dialect::Sqlite).known(read, client);
        assert!(clients[..64].iter().all(|client| matches!(known(*client), Known::Series(_))));
        assert!(matches!(known(clients[64]), Known::New(_)));
        assert!(!call(&series, clients[64], read, &base, &[]));
        assert_eq!(count(&telemetry, &base), Some(66));
    }

    #[test]
    fn a_statement_that_no_cache_keeps_has_no_series() {
        let telemetry = TestTelemetry::new();
        let meter = telemetry.meter_provider().meter("test");
        let series = DurationSeries::new(meter.f64_histogram("duration").build(), true, true);
        let long = format!("SELECT {} FROM t", "a, ".repeat(4_000));
        let client = next_id();
        assert!((0..2).all(|_| !call(&series, client, &long, &[], &[])));
        assert_eq!(count(&telemetry, &[]), Some(2));
    }
}
