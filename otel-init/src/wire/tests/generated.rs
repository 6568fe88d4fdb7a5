//! Spans and log records of every shape.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use proptest::collection::vec;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    // Lengths around those at which a length takes one byte more.
    let long = (16_370..16_390_usize).prop_map(|len| "n".repeat(len));
    prop_oneof![40 => "[a-z.é😀]{0,12}", 4 => "[a-z.é]{120,132}", 1 => long, 4 => Just(String::new())]
}

fn short() -> impl Strategy<Value = String> {
    prop_oneof![20 => ".{0,12}", 1 => "[a-z.é]{120,132}"]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
        text().prop_map(|text| Value::String(text.into())),
        vec(any::<bool>(), 0..4).prop_map(|values| Value::Array(Array::Bool(values))),
        vec(any::<i64>(), 0..40).prop_map(|values| Value::Array(Array::I64(values))),
        vec(any::<f64>(), 0..4).prop_map(|values| Value::Array(Array::F64(values))),
        vec(short(), 0..9).prop_map(|texts| {
            Value::Array(Array::String(texts.into_iter().map(StringValue::from).collect()))
        }),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((short(), value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..8)
}

fn time() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        Just(UNIX_EPOCH),
        Just(UNIX_EPOCH - Duration::from_secs(1)),
        (0..4_000_000_000_u64, 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanos)| UNIX_EPOCH + Duration::new(seconds, nanos)),
    ]
}

fn span_context() -> impl Strategy<Value = SpanContext> {
    let state = prop_oneof![
        Just(TraceState::default()),
        vec(("[a-z]{1,8}", "[a-z0-9]{1,20}"), 1..4)
            .prop_map(|entries| TraceState::from_key_value(entries).unwrap_or_default()),
    ];
    (any::<u128>(), any::<u64>(), any::<u8>(), any::<bool>(), state).prop_map(
        |(trace, span, flags, remote, state)| {
            SpanContext::new(TraceId::from(trace), SpanId::from(span), TraceFlags::new(flags), remote, state)
        },
    )
}

pub(super) fn scope() -> impl Strategy<Value = InstrumentationScope> {
    ("[a-c]{0,1}", proptest::option::of("[0-1]"), proptest::option::of("[x-y]"), attributes()).prop_map(
        |(name, version, schema_url, attributes)| {
            let mut scope = InstrumentationScope::builder(name);
            if let Some(version) = version {
                scope = scope.with_version(version);
            }
            if let Some(url) = schema_url {
                scope = scope.with_schema_url(url);
            }
            scope.with_attributes(attributes.into_iter().take(2)).build()
        },
    )
}

pub(super) fn resource() -> impl Strategy<Value = Resource> {
    (attributes(), any::<bool>()).prop_map(|(attributes, has_schema)| {
        let builder = Resource::builder_empty();
        match has_schema {
            true => builder.with_schema_url(attributes, "https://example.test/schema").build(),
            false => builder.with_attributes(attributes).build(),
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    (text(), time(), attributes(), 0..3_u32)
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped))
}

fn link() -> impl Strategy<Value = Link> {
    (span_context(), attributes(), 0..300_u32)
        .prop_map(|(context, attributes, dropped)| Link::new(context, attributes, dropped))
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), text().prop_map(Status::error)]
}

fn kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ]
}

pub(super) fn span() -> impl Strategy<Value = SpanData> {
    let identity = (span_context(), prop_oneof![Just(0), any::<u64>()], any::<bool>(), kind());
    let content = (text(), time(), time(), attributes(), any::<u32>());
    let lists = (vec(event(), 0..4), 0..200_u32, vec(link(), 0..3), 0..200_u32);
    (identity, content, lists, status(), scope()).prop_map(|(identity, content, lists, status, scope)| {
        let (span_context, parent, parent_span_is_remote, span_kind) = identity;
        let (name, start_time, end_time, attributes, dropped_attributes_count) = content;
        let (mut events, mut links) = (SpanEvents::default(), SpanLinks::default());
        (events.events, events.dropped_count, links.links, links.dropped_count) = lists;
        SpanData {
            span_context,
            parent_span_id: SpanId::from(parent),
            parent_span_is_remote,
            span_kind,
            name: Cow::Owned(name),
            start_time,
            end_time,
            attributes,
            dropped_attributes_count,
            events,
            links,
            status,
            instrumentation_scope: scope,
        }
    })
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AnyValue::Boolean),
        any::<i64>().prop_map(AnyValue::Int),
        any::<f64>().prop_map(AnyValue::Double),
        text().prop_map(|text| AnyValue::String(text.into())),
        vec(any::<u8>(), 0..140).prop_map(|bytes| AnyValue::Bytes(Box::new(bytes))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AnyValue::ListAny(Box::new(values))),
            // One entry: the order of more is that of a hash map.
            (short(), inner).prop_map(|(key, value)| AnyValue::Map(Box::new(
                [(Key::from(key), value)].into_iter().collect()
            ))),
        ]
    })
}

/// What a log record is made of: [`record`] makes it.
#[derive(Debug, Clone)]
pub(super) struct LogParts {
    pub(super) scope: InstrumentationScope,
    target: Option<String>,
    times: (Option<SystemTime>, SystemTime),
    severity: Option<bool>,
    body: Option<AnyValue>,
    attributes: Vec<(String, AnyValue)>,
    context: Option<(u128, u64, Option<u8>)>,
    has_event_name: bool,
}

pub(super) fn log() -> impl Strategy<Value = LogParts> {
    let context = (1..u128::MAX, 1..u64::MAX, proptest::option::of(any::<u8>()));
    (
        (scope(), proptest::option::of("[m-n]{0,1}")),
        (proptest::option::of(time()), time()),
        proptest::option::of(any::<bool>()),
        proptest::option::of(any_value()),
        vec((short(), any_value()), 0..8),
        proptest::option::of(context),
        any::<bool>(),
    )
        .prop_map(|((scope, target), times, severity, body, attributes, context, has_event_name)| {
            LogParts { scope, target, times, severity, body, attributes, context, has_event_name }
        })
}

pub(super) fn record(parts: &LogParts) -> SdkLogRecord {
    let provider = SdkLoggerProvider::builder().with_resource(Resource::builder_empty().build()).build();
    let mut record = provider.logger_with_scope(parts.scope.clone()).create_log_record();
    if let Some(target) = &parts.target {
        record.set_target(target.clone());
    }
    if let Some(time) = parts.times.0 {
        record.set_timestamp(time);
    }
    record.set_observed_timestamp(parts.times.1);
    if let Some(is_fatal) = parts.severity {
        record.set_severity_number(if is_fatal { Severity::Fatal4 } else { Severity::Trace });
        record.set_severity_text(if is_fatal { "FATAL" } else { "" });
    }
    if let Some(body) = &parts.body {
        record.set_body(body.clone());
    }
    for (key, value) in &parts.attributes {
        record.add_attribute(key.clone(), value.clone());
    }
    if let Some((trace, span, flags)) = parts.context {
        let flags = flags.map(TraceFlags::new);
        record.set_trace_context(TraceId::from(trace), SpanId::from(span), flags);
    }
    if parts.has_event_name {
        record.set_event_name("order.placed");
    }
    record
}
