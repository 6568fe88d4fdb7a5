//! Log records: the fields of the spans around them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use otel_init::LevelFilter;
use otel_testing::{OtlpReceiver, ReceivedLog};

use crate::child;
use crate::patient;

fn records(test: &str, has_fields: bool) {
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let builder = patient().with_endpoint(receiver.http_endpoint());
    let builder = if has_fields { builder } else { builder.without_span_fields_on_logs() };
    let telemetry = builder.install().unwrap();
    let outer = tracing::info_span!("outer", order = 7_i64, tenant = "acme", late = tracing::field::Empty);
    outer.in_scope(|| {
        let inner = tracing::info_span!("inner", tenant = "globex", password = "hunter2");
        outer.record("late", true);
        (0..100).for_each(|_| {
            outer.record("late", false);
        });
        inner.in_scope(|| tracing::info!(order = 8_i64, "one"));
        tracing::info!("two");
    });
    tracing::info!("three");
    telemetry.shutdown_blocking().unwrap();
    let logs = receiver.logs();
    let attributes = |message: &str| {
        let log = logs.iter().find(|log| log.message() == message).unwrap_or_else(|| panic!("{logs:?}"));
        let mut all: Vec<_> = log.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.sort();
        all
    };
    if has_fields {
        assert_eq!(
            attributes("one"),
            ["late=false", "order=8", "password=\"REDACTED\"", "tenant=\"globex\""]
        );
        assert_eq!(attributes("two"), ["late=false", "order=7", "tenant=\"acme\""]);
    } else {
        assert_eq!(attributes("one"), ["order=8"]);
        assert_eq!(attributes("two"), Vec::<String>::new());
    }
    assert_eq!(attributes("three"), Vec::<String>::new());
    // Those of the span: sampled, of a trace whose id is random.
    let flags = |message: &str| logs.iter().find(|log| log.message() == message).map(|log| log.flags);
    assert_eq!([flags("one"), flags("two"), flags("three")], [Some(3), Some(3), Some(0)]);
}

#[test]
fn records_have_the_fields_of_the_spans_around_them() {
    records("logs::records_have_the_fields_of_the_spans_around_them", true);
}

#[test]
fn the_fields_of_spans_can_be_left_off() {
    records("logs::the_fields_of_spans_can_be_left_off", false);
}

/// Two events, a record of the `log` crate, and what the collector has of each.
fn told(test: &str, check: impl FnOnce(&[Arc<ReceivedLog>])) {
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let span = tracing::info_span!(
        "work",
        otel.name = "renamed",
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        otel.status_description = tracing::field::Empty,
        otel.scope = "theirs",
    );
    span.in_scope(|| {
        span.record("otel.status_code", "error").record("otel.status_description", "it broke");
        tracing::info!("unnamed");
        tracing::info!(name: "order.placed", "named");
    });
    log::warn!(target: "legacy::store", "logged");
    telemetry.shutdown_blocking().unwrap();
    check(&receiver.logs());
}

fn of<'a>(logs: &'a [Arc<ReceivedLog>], message: &str) -> &'a ReceivedLog {
    logs.iter().find(|log| log.message() == message).unwrap_or_else(|| panic!("{logs:?}"))
}

#[test]
fn a_record_has_an_event_name_when_the_application_gave_one() {
    told("logs::a_record_has_an_event_name_when_the_application_gave_one", |logs| {
        assert_eq!(of(logs, "unnamed").event_name, "", "where it stands is no name");
        assert_eq!(of(logs, "named").event_name, "order.placed");
        assert_eq!(of(logs, "logged").event_name, "");
    });
}

#[test]
fn a_record_of_the_log_crate_is_like_an_event() {
    told("logs::a_record_of_the_log_crate_is_like_an_event", |logs| {
        let logged = of(logs, "logged");
        assert_eq!(logged.scope.name, "legacy::store");
        assert!(logged.attributes.is_empty(), "{logged:?}");
    });
}

#[test]
fn fields_that_are_meant_for_the_span_are_not_on_records() {
    told("logs::fields_that_are_meant_for_the_span_are_not_on_records", |logs| {
        let attributes = &of(logs, "unnamed").attributes;
        assert_eq!(attributes.len(), 1, "{attributes:?}");
        assert!(attributes.has("otel.scope", "theirs"), "{attributes:?}");
    });
}

/// What an error says, and what caused it.
#[derive(Debug)]
struct Failed(&'static str, Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

fn errors(test: &str, has_fields: bool) {
    child::alone(test, || {
        let receiver = OtlpReceiver::start().unwrap();
        let builder = patient().with_endpoint(receiver.http_endpoint());
        let builder = if has_fields { builder } else { builder.without_span_fields_on_logs() };
        let telemetry = builder.install().unwrap();
        let refused = Failed("password=hunter2 refused", None);
        let unreachable = Failed("database unreachable", Some(Box::new(refused)));
        let chain = Failed("order not placed", Some(Box::new(unreachable)));
        tracing::info_span!("order").in_scope(|| {
            tracing::error!(error = &chain as &dyn Error, "chain");
            tracing::error!(error = &Failed("alone", None) as &dyn Error, "single");
            tracing::error!(error = &chain as &dyn Error, exception.stacktrace = "mine", "own");
            tracing::error!("none");
        });
        telemetry.shutdown_blocking().unwrap();
        let logs = receiver.logs();
        let causes =
            |message| of(&logs, message).attributes.get("exception.stacktrace").map(ToString::to_string);
        assert!(of(&logs, "chain").attributes.has("exception.message", "order not placed"));
        let expected =
            "order not placed\\nCaused by: database unreachable\\nCaused by: password=REDACTED refused";
        assert_eq!(causes("chain"), Some(format!("\"{expected}\"")));
        assert_eq!(causes("single"), None, "the message has it all");
        assert_eq!(causes("own"), Some("\"mine\"".to_owned()));
        assert_eq!(causes("none"), None);
    });
}

#[test]
fn a_record_of_an_error_tells_what_caused_it() {
    errors("logs::a_record_of_an_error_tells_what_caused_it", true);
}

#[test]
fn a_record_of_an_error_tells_what_caused_it_without_fields_of_spans() {
    errors("logs::a_record_of_an_error_tells_what_caused_it_without_fields_of_spans", false);
}

#[test]
fn some_targets_have_a_level_of_their_own() {
    let test = "logs::some_targets_have_a_level_of_their_own";
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error"), ("OTEL_INIT_TELEMETRY_LEVEL", "warn,noisy=off,shop=info")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let builder = patient().with_endpoint(receiver.http_endpoint());
    let telemetry = builder.with_target_level("shop", LevelFilter::DEBUG).install().unwrap();
    tracing::debug_span!(target: "shop::orders", "exported").in_scope(|| {
        tracing::debug!(target: "shop::orders", "exported");
        tracing::trace!(target: "shop::orders", "left out");
    });
    tracing::info_span!("left out").in_scope(|| tracing::info!("left out"));
    tracing::error!(target: "noisy", "left out");
    log::error!(target: "noisy::old", "left out");
    tracing::warn!(target: "noisy_but_not_it", "exported");
    telemetry.control().set_level(LevelFilter::OFF);
    tracing::error!(target: "shop::orders", "left out");
    telemetry.shutdown_blocking().unwrap();
    assert_eq!(receiver.logs().iter().map(|log| log.message()).collect::<Vec<_>>(), ["exported"; 2]);
    assert_eq!(receiver.spans().iter().map(|span| span.name.clone()).collect::<Vec<_>>(), ["exported"]);
}

#[test]
fn places_in_the_code_are_told_on_request() {
    child::alone("logs::places_in_the_code_are_told_on_request", || {
        let receiver = OtlpReceiver::start().unwrap();
        let builder = patient().with_endpoint(receiver.http_endpoint());
        let telemetry = builder.with_code_locations().install().unwrap();
        let line = i64::from(line!()) + 1;
        tracing::info_span!("work").in_scope(|| tracing::info!("event"));
        log::warn!(target: "legacy::store", "logged");
        telemetry.shutdown_blocking().unwrap();
        let (logs, spans) = (receiver.logs(), receiver.spans());
        let (event, logged) = (of(&logs, "event"), of(&logs, "logged"));
        for (attributes, line) in
            [(&event.attributes, line), (&logged.attributes, line + 1), (&spans[0].attributes, line)]
        {
            assert!(attributes.has("code.file.path", file!()), "{attributes:?}");
            assert!(attributes.has("code.line.number", line), "{attributes:?}");
        }
        assert_eq!(logged.scope.name, "legacy::store");
    });
}
