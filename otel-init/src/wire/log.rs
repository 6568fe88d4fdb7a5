//! Log records: `LogRecord` of `logs.proto`, as one entry of `ScopeLogs`.

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::SdkLogRecord;

use super::protobuf::{bytes, fixed32, fixed64, long_message, message, uint};
use super::span::{ENTRY, unix_nanos};
use super::value::{any_value, key_value};

/// `cut` makes another value of one that is to be shorter.
pub(super) fn log(out: &mut Vec<u8>, record: &SdkLogRecord, cut: impl Fn(&AnyValue) -> Option<AnyValue>) {
    let write = |out: &mut Vec<u8>, value: &AnyValue| match cut(value) {
        Some(cut) => any_value(out, &cut),
        None => any_value(out, value),
    };
    long_message(out, ENTRY, |out| {
        fixed64(out, 1, record.timestamp().map(unix_nanos).unwrap_or_default());
        uint(out, 2, record.severity_number().map_or(0, |severity| severity as u64));
        bytes(out, 3, record.severity_text().unwrap_or_default().as_bytes());
        if let Some(body) = record.body() {
            message(out, 5, |out| write(out, body));
        }
        for (key, value) in record.attributes_iter() {
            key_value(out, 6, key.as_str(), |out| write(out, value));
        }
        if let Some(context) = record.trace_context() {
            fixed32(out, 8, context.trace_flags.map_or(0, |flags| flags.to_u8().into()));
            bytes(out, 9, &context.trace_id.to_bytes());
            bytes(out, 10, &context.span_id.to_bytes());
        }
        fixed64(out, 11, record.observed_timestamp().map(unix_nanos).unwrap_or_default());
        bytes(out, 12, record.event_name().unwrap_or_default().as_bytes());
    });
}
