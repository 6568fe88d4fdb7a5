//! The whole chain with the SDK's providers around it and a collector of what comes out.

mod forms;

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider};
use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, TraceContextExt, TraceFlags, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider, SimpleLogProcessor};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SpanData, SpanLimits};

use super::caps::Caps;
use super::{
    AttributeLimits, DropRule, GuardedSampler, Intake, Lane, Lanes, Limits, Redact, Redaction,
    SafeLogProcessor, SafeSpanProcessor, Safety, SafetySettings, counted,
};
use crate::export::Tally;
use crate::pipeline::Processed;
use crate::sampling::{Keep, Sampling, SamplingControl};
use crate::traces::{self, Exporting};

const UNLIMITED: Limits = limits(128, None);

const fn limits(count: usize, value_length: Option<usize>) -> Limits {
    let all = AttributeLimits { count, value_length };
    Limits { span: all, event: all, link: all, log: all }
}

/// One lane that ends in this processor.
fn lanes<P>(tally: &Arc<Tally>, processor: P) -> Lanes<P> {
    let metrics = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    let intake = Intake::new(Arc::clone(tally), Arc::new(Processed::new(&metrics, crate::Signal::Traces, 0)));
    Lanes::new(vec![Lane { intake, processor: Arc::new(processor) }], Arc::default())
}

fn safety(redaction: Redaction, limits: Limits) -> Arc<Safety> {
    let settings = SafetySettings { redaction, ..SafetySettings::default() };
    Arc::new(Safety::new(&settings, limits).unwrap())
}

/// One span with these attributes, as it comes out.
fn span_through(safety: &Arc<Safety>, attributes: Vec<KeyValue>) -> Option<SpanData> {
    spans_through(safety, |tracer| {
        let mut span = tracer.start("span");
        attributes.into_iter().for_each(|attribute| span.set_attribute(attribute));
        span.end();
    })
    .pop()
}

fn spans_through(safety: &Arc<Safety>, work: impl FnOnce(&traces::Tracer)) -> Vec<SpanData> {
    spans_counted(safety, &Arc::default(), work)
}

fn spans_counted(
    safety: &Arc<Safety>,
    tally: &Arc<Tally>,
    work: impl FnOnce(&traces::Tracer),
) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let processor = SafeSpanProcessor::new(Arc::clone(safety), lanes(tally, Exporting(exporter.clone())));
    let provider =
        traces::TracerProvider::new(Sampler::AlwaysOn, SpanLimits::default(), Some(Box::new(processor)));
    work(&provider.tracer("test"));
    exporter.get_finished_spans().unwrap()
}

/// A provider with these caps whose sampler samples this share, and which may keep the others.
fn capped(settings: &SafetySettings, share: f64) -> (traces::TracerProvider, Arc<Caps>) {
    let safety = Arc::new(Safety::new(settings, UNLIMITED).unwrap());
    let control = SamplingControl::new(&Sampling::probability(share).with_keep(Keep::errors()), None);
    let exporter = InMemorySpanExporter::default();
    let next = SafeSpanProcessor::new(Arc::clone(&safety), lanes(&Arc::default(), Exporting(exporter)));
    let caps = safety.caps.clone();
    let sampler =
        GuardedSampler { inner: control.sampler(), live: Arc::default(), caps, told: Arc::default() };
    let processor = counted(safety.caps.as_ref(), control.processor(next));
    let provider = traces::TracerProvider::new(sampler, SpanLimits::default(), Some(processor));
    (provider, safety.caps.clone().unwrap())
}

#[test]
fn a_span_that_is_not_kept_is_no_more_one_of_its_trace() {
    let settings = SafetySettings { max_spans_per_trace: Some(2), ..SafetySettings::default() };
    let (provider, caps) = capped(&settings, 0.0);
    let caller = SpanContext::new(7.into(), 8.into(), TraceFlags::default(), true, TraceState::NONE);
    let caller = Context::new().with_remote_span_context(caller);
    for request in 0..5 {
        let span = provider.tracer("test").start_with_context("request", &caller);
        assert!(span.is_recording(), "request {request}: the others have ended");
    }
    assert_eq!(caps.cut(), 0);
}

#[test]
fn what_is_below_a_cut_span_is_not_recorded_where_traces_may_be_kept() {
    let settings = SafetySettings { max_span_depth: Some(3), ..SafetySettings::default() };
    for share in [0.0, 1.0] {
        let (provider, caps) = capped(&settings, share);
        let mut levels = vec![Context::new()];
        for level in 1..=12 {
            let above = levels.last().unwrap();
            let span = provider.tracer("test").start_with_context("level", above);
            assert_eq!(span.is_recording(), level <= 3, "level {level}, {share} sampled");
            levels.push(above.with_span(span));
        }
        assert_eq!(caps.cut(), 1, "what is below is not asked for");
        assert!(provider.tracer("test").start_with_context("beside", &levels[1]).is_recording());
    }
}

#[test]
fn counts_that_somebody_else_made_do_not_overflow() {
    let safety = safety(Redaction::default(), limits(1, None));
    let two = || vec![KeyValue::new("a", 1), KeyValue::new("b", 1)];
    let events = vec![Event::new("event", std::time::SystemTime::now(), two(), u32::MAX)];
    let other = SpanContext::new(7.into(), 8.into(), TraceFlags::default(), true, TraceState::NONE);
    let links = vec![Link::new(other, two(), u32::MAX)];
    let spans = spans_through(&safety, |tracer| {
        drop(tracer.span_builder("span").with_events(events).with_links(links).start(tracer));
    });
    assert_eq!(spans[0].events[0].dropped_attributes_count, u32::MAX);
    assert_eq!(spans[0].links[0].dropped_attributes_count, u32::MAX);
}

fn log_through(safety: &Arc<Safety>, fill: impl FnOnce(&mut SdkLogRecord)) -> Option<SdkLogRecord> {
    log_counted(safety, &Arc::default(), fill)
}

fn log_counted(
    safety: &Arc<Safety>,
    tally: &Arc<Tally>,
    fill: impl FnOnce(&mut SdkLogRecord),
) -> Option<SdkLogRecord> {
    let exporter = InMemoryLogExporter::default();
    let lanes = lanes(tally, SimpleLogProcessor::new(exporter.clone()));
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(SafeLogProcessor::new(Arc::clone(safety), lanes))
        .build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    fill(&mut record);
    logger.emit(record);
    exporter.get_emitted_logs().unwrap().pop().map(|log| log.record)
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes.iter().map(|kv| (kv.key.to_string(), kv.value.to_string())).collect()
}

fn log_texts(record: &SdkLogRecord) -> Vec<(String, String)> {
    let text = |value: &AnyValue| match value {
        AnyValue::String(text) => text.to_string(),
        AnyValue::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    record.attributes_iter().map(|(key, value)| (key.to_string(), text(value))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_key_is_exported_once_with_its_last_value() {
    let safety = safety(Redaction::new(), UNLIMITED);
    let attributes = || vec![KeyValue::new("a", "1"), KeyValue::new("b", "2"), KeyValue::new("a", "3")];
    let span = span_through(&safety, attributes()).unwrap();
    assert_eq!(texts(&span.attributes), pairs(&[("a", "3"), ("b", "2")]));
    assert_eq!(span.dropped_attributes_count, 0);
    let many: Vec<_> = (0..100).map(|index| KeyValue::new(format!("key.{}", index % 20), index)).collect();
    let span = span_through(&safety, many).unwrap();
    assert_eq!(span.attributes.len(), 20);
    assert!(span.attributes.contains(&KeyValue::new("key.19", 99)));

    let record = log_through(&safety, |record| {
        record.add_attributes(attributes().into_iter().map(|kv| (kv.key, kv.value.to_string())));
        record.set_event_name("event");
        record.set_severity_text("WARN");
    })
    .unwrap();
    assert_eq!(log_texts(&record), pairs(&[("a", "3"), ("b", "2")]));
    assert_eq!((record.event_name(), record.severity_text()), (Some("event"), Some("WARN")));
    assert!(record.observed_timestamp().is_some());
}

#[test]
fn counts_and_lengths_are_limited_after_duplicates() {
    let safety = safety(Redaction::new(), limits(2, Some(3)));
    let attributes = || {
        vec![
            KeyValue::new("a", "once"),
            KeyValue::new("a", "éééé"),
            KeyValue::new("n", 123_456),
            KeyValue::new("c", "cut off"),
        ]
    };
    let span = span_through(&safety, attributes()).unwrap();
    assert_eq!(texts(&span.attributes), pairs(&[("a", "ééé"), ("n", "123456")]));
    assert_eq!(span.dropped_attributes_count, 1);
    let record = log_through(&safety, |record| {
        record.add_attributes(
            attributes().into_iter().map(|kv| (kv.key, AnyValue::from(kv.value.to_string()))),
        );
        record.set_body("a long body".into());
    })
    .unwrap();
    assert_eq!(log_texts(&record), pairs(&[("a", "ééé"), ("n", "123")]));
    // "the limits apply only to attribute collections": a body is none.
    assert_eq!(record.body(), Some(&AnyValue::from("a long body")));

    let spans = spans_through(&safety, |tracer| {
        let mut span = tracer.start("span");
        span.add_event("event", attributes());
        span.add_link(SpanContext::NONE, attributes());
        span.end();
    });
    let event: &Event = &spans[0].events[0];
    assert_eq!(texts(&event.attributes), pairs(&[("a", "ééé"), ("n", "123456")]));
    assert_eq!(event.dropped_attributes_count, 1);
    let link = &spans[0].links[0];
    assert_eq!((texts(&link.attributes).len(), link.dropped_attributes_count), (2, 1));
}

#[test]
fn a_secret_at_the_edge_of_the_limit_is_not_cut_into_something_else() {
    let safety = safety(Redaction::new(), limits(8, Some(12)));
    let span = span_through(&safety, vec![KeyValue::new("note", "see AKIAIOSFODNN7EXAMPLE")]).unwrap();
    assert_eq!(texts(&span.attributes), pairs(&[("note", "see REDACTED")]));
    let long = format!("{} AKIAIOSFODNN7EXAMPLE", "x".repeat(1_000_000));
    let span = span_through(&safety, vec![KeyValue::new("note", long)]).unwrap();
    assert_eq!(texts(&span.attributes), pairs(&[("note", "xxxxxxxxxxxx")]));
}

#[test]
fn a_secret_that_was_cut_does_not_come_within_the_limit_by_what_was_redacted_before_it() {
    let safety = safety(Redaction::new(), limits(8, Some(64)));
    // 4096 characters more than the limit are looked through at first: up to the 2.
    let long = format!("Bearer {} redis://user:hunter2hunter2@cache", "x1".repeat(2066));
    let span = span_through(&safety, vec![KeyValue::new("note", long)]).unwrap();
    assert_eq!(texts(&span.attributes), pairs(&[("note", "Bearer REDACTED redis://REDACTED@cache")]));
}

#[test]
fn secrets_in_bytes_that_are_no_text_are_found() {
    let safety = safety(Redaction::new(), limits(8, Some(64)));
    // What is looked through ends within the last character.
    let long = format!("password=hunter2 {}é", "x".repeat(4142));
    let record = log_through(&safety, |record| {
        record.set_body(AnyValue::Bytes(Box::new(b"\xff password=hunter2 \xfe".to_vec())));
        record.add_attribute("long", AnyValue::Bytes(Box::new(long.into_bytes())));
        record.add_attribute("picture", AnyValue::Bytes(Box::new(vec![0xff; 10])));
    })
    .unwrap();
    let text = |value: &AnyValue| match value {
        AnyValue::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(record.body().unwrap()), "\u{fffd} password=REDACTED \u{fffd}");
    let attributes: Vec<_> = record.attributes_iter().collect();
    assert!(text(&attributes[0].1).starts_with("password=REDACTED xxx"), "{attributes:?}");
    assert_eq!(attributes[1].1, AnyValue::Bytes(Box::new(vec![0xff; 10])));
}

#[test]
fn rules_apply_in_order_and_come_before_the_presets() {
    let redaction = Redaction::new()
        .with_key("app.page_token", Redact::Keep)
        .with_key("app.card", Redact::KeepLast4)
        .with_key("app.*", Redact::Mask)
        .with_key("gone.*", Redact::Drop)
        .with_key("client.address", Redact::TruncateIp)
        .with_key("broken", Redact::with(|_| panic!("a rule with a mistake")))
        .with_value(r"\b(CUST)-(\d+)", Redact::replace("$1-***"))
        .with_value("DROPME", Redact::Drop)
        .with_value("BREAK", Redact::with(|_| panic!("a rule with a mistake")));
    let safety = safety(redaction, UNLIMITED);
    let span = span_through(
        &safety,
        vec![
            KeyValue::new("app.page_token", "next"),
            KeyValue::new("app.card", "4111111111111111"),
            KeyValue::new("app.number", 7),
            KeyValue::new("gone.field", "x"),
            KeyValue::new("client.address", "192.0.2.33"),
            KeyValue::new("broken", "value"),
            KeyValue::new("note", "CUST-1234 and CUST-5"),
            KeyValue::new("drop", "please DROPME"),
            KeyValue::new("break", "please BREAK"),
            KeyValue::new("db.password", "hunter2"),
            KeyValue::new("plain", "value"),
        ],
    )
    .unwrap();
    assert_eq!(
        texts(&span.attributes),
        pairs(&[
            ("app.page_token", "next"),
            ("app.card", "****1111"),
            ("app.number", "REDACTED"),
            ("client.address", "192.0.2.0"),
            ("note", "CUST-*** and CUST-***"),
            ("db.password", "REDACTED"),
            ("plain", "value"),
        ])
    );
    assert_eq!(safety.redacted(), 9);
}

#[test]
fn with_a_list_of_allowed_keys_nothing_else_is_exported() {
    let redaction = Redaction::new().with_allowed_keys(["http.*", "order.id"]).with_allowed_keys(["token"]);
    let safety = safety(redaction, UNLIMITED);
    let attributes = ["http.route", "order.id", "token", "user.note"].map(|key| KeyValue::new(key, "value"));
    let span = span_through(&safety, attributes.to_vec()).unwrap();
    assert_eq!(
        texts(&span.attributes),
        pairs(&[("http.route", "value"), ("order.id", "value"), ("token", "REDACTED")])
    );
    let resource = opentelemetry_sdk::Resource::builder_empty()
        .with_attributes([KeyValue::new("service.name", "shop"), KeyValue::new("db.password", "hunter2")])
        .build();
    let protected = safety.protected_resource(&resource);
    assert_eq!(protected.get(&"service.name".into()), Some("shop".into()));
    assert_eq!(protected.get(&"db.password".into()), Some("REDACTED".into()));
}

#[test]
fn structures_in_logs_are_followed() {
    let safety = safety(Redaction::new(), UNLIMITED);
    let inner = HashMap::from([
        (Key::new("password"), AnyValue::from("hunter2")),
        (Key::new("list"), AnyValue::ListAny(Box::new(vec!["Bearer abc123DEF456".into(), "fine".into()]))),
    ]);
    let record = log_through(&safety, |record| {
        record.set_body(AnyValue::Map(Box::new(inner.clone())));
        record.add_attribute(
            "nested",
            AnyValue::Map(Box::new(HashMap::from([(Key::new("inner"), AnyValue::Map(Box::new(inner)))]))),
        );
        let mut deep = AnyValue::from("bottom");
        for _ in 0..100 {
            deep = AnyValue::ListAny(Box::new(vec![deep]));
        }
        record.add_attribute("deep", deep);
    })
    .unwrap();
    let shown = format!("{record:?}");
    for secret in ["hunter2", "abc123DEF456", "bottom"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("fine"));
}

#[test]
fn dropped_spans_and_records_are_counted_and_gone() {
    let settings = SafetySettings {
        drop_rules: vec![
            DropRule::span_name("GET /health*"),
            DropRule::attribute("url.path", "/ready*"),
            DropRule::attribute("http.response.status_code", "304"),
            DropRule::log_body("heartbeat*"),
        ],
        ..SafetySettings::default()
    };
    let safety = Arc::new(Safety::new(&settings, UNLIMITED).unwrap());
    let tally = Arc::default();
    let spans = spans_counted(&safety, &tally, |tracer| {
        tracer.start("GET /health/live").end();
        for (key, value) in [("url.path", "/ready"), ("url.path", "/orders")] {
            let mut span = tracer.start("GET");
            span.set_attribute(KeyValue::new(key, value));
            span.end();
        }
        let mut span = tracer.start("GET");
        span.set_attribute(KeyValue::new("http.response.status_code", 304));
        span.end();
    });
    assert_eq!(spans.len(), 1);
    assert_eq!(texts(&spans[0].attributes), pairs(&[("url.path", "/orders")]));
    let counts = tally.counts();
    assert_eq!((counts.created, counts.filtered, counts.queued), (4, 3, 1));
    let tally = Arc::default();
    assert!(log_counted(&safety, &tally, |record| record.set_body("heartbeat 7".into())).is_none());
    assert!(log_counted(&safety, &tally, |record| record.add_attribute("url.path", "/ready")).is_none());
    assert!(log_counted(&safety, &tally, |record| record.set_body("order placed".into())).is_some());
    let counts = tally.counts();
    assert_eq!((counts.created, counts.filtered, counts.queued), (3, 2, 1));
}

#[test]
fn baggage_becomes_attributes_by_permission_only() {
    let settings =
        SafetySettings { baggage_attributes: vec!["tenant.*".to_owned()], ..SafetySettings::default() };
    let safety = Arc::new(Safety::new(&settings, UNLIMITED).unwrap());
    let context = Context::new().with_baggage([
        KeyValue::new("tenant.id", "t1"),
        KeyValue::new("tenant.token", "secret-of-the-tenant"),
        KeyValue::new("user.id", "u1"),
    ]);
    let spans = spans_through(&safety, |tracer| tracer.start_with_context("span", &context).end());
    let mut attributes = texts(&spans[0].attributes);
    attributes.sort();
    assert_eq!(attributes, pairs(&[("tenant.id", "t1"), ("tenant.token", "REDACTED")]));
    let _attached = context.attach();
    let record = log_through(&safety, |record| record.set_body("body".into())).unwrap();
    let mut attributes = log_texts(&record);
    attributes.sort();
    assert_eq!(attributes, pairs(&[("tenant.id", "t1"), ("tenant.token", "REDACTED")]));
}

#[test]
fn a_pattern_that_cannot_be_read_is_an_error_that_shows_it() {
    let settings = SafetySettings {
        redaction: Redaction::new().with_value("(unclosed", Redact::Mask),
        ..SafetySettings::default()
    };
    let error = Safety::new(&settings, UNLIMITED).unwrap_err();
    assert!(error.is_invalid_configuration());
    assert!(error.to_string().contains("a redaction rule is \"(unclosed\""), "{error}");
}

#[test]
fn what_sqlx_logs_of_a_statement_is_exported_without_its_text() {
    let log = |redaction: Redaction, target: &'static str| {
        let record = log_through(&safety(redaction, UNLIMITED), |record| {
            record.set_target(target);
            record.set_body("slow statement: execution time exceeded alert threshold".into());
            record.add_attribute("summary", "SELECT 'canary' FROM songs …");
            record.add_attribute("db.statement", "SELECT 'canary' FROM songs WHERE id = 7");
            record.add_attribute("elapsed_secs", 2);
        });
        let record = record.unwrap();
        assert!(record.body().is_some());
        log_texts(&record).into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(log(Redaction::new(), "sqlx::query"), ["elapsed_secs"]);
    assert_eq!(log(Redaction::new(), "shop"), ["summary", "db.statement", "elapsed_secs"]);
    let all = ["summary", "db.statement", "elapsed_secs"];
    assert_eq!(log(Redaction::new().without_secrets(), "sqlx::query"), all);
}

/// As `tracing-log` and the bridge make it of a record of the `log` crate.
fn record_of_the_log_crate(record: &mut SdkLogRecord, target: &str) {
    record.set_event_name("log event");
    record.set_target("log");
    record.set_body("body".into());
    for (key, value) in [("log.target", target), ("log.file", "/builder/store.rs"), ("log.module_path", "m")]
    {
        record.add_attribute(key, value.to_owned());
    }
    record.add_attribute("log.line", 7);
    record.add_attribute("mine", "kept");
}

#[test]
fn a_record_of_the_log_crate_says_its_target_and_drop_rules_see_it_as_it_came() {
    let unnamed = safety(Redaction::new(), UNLIMITED);
    let record = log_through(&unnamed, |record| record_of_the_log_crate(record, "legacy::store")).unwrap();
    assert_eq!(record.target().map(|target| &**target), Some("legacy::store"));
    assert_eq!(log_texts(&record), pairs(&[("mine", "kept")]));
    let record = log_through(&unnamed, |record| record_of_the_log_crate(record, "password=hunter2")).unwrap();
    assert_eq!(record.target().map(|target| &**target), Some("password=REDACTED"));

    let settings = SafetySettings {
        drop_rules: vec![DropRule::attribute("log.target", "legacy::*")],
        ..SafetySettings::default()
    };
    let dropping = Arc::new(Safety::new(&settings, UNLIMITED).unwrap());
    assert!(log_through(&dropping, |record| record_of_the_log_crate(record, "legacy::store")).is_none());
    assert!(log_through(&dropping, |record| record_of_the_log_crate(record, "other")).is_some());
}
