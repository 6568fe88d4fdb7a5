//! `grpc-timeout`: how long the caller is willing to wait.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName};

use crate::header::value_of;

static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The share of a deadline within which a cancellation counts as the deadline's doing, and its bound. The client's clock
/// started before the server's, and what it sends when its time is up arrives a little early or late.
const TOLERANCE: u32 = 10;
const MAX_TOLERANCE: Duration = Duration::from_millis(250);

/// When a call must have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    started: Instant,
    pub(crate) timeout: Duration,
}

impl Deadline {
    /// Starts now, if the caller has set one.
    pub(crate) fn start(headers: &HeaderMap) -> Option<Self> {
        let timeout = timeout_in(headers)?;
        Some(Self { started: Instant::now(), timeout })
    }

    /// The one of two that passes first.
    pub(crate) fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        [one, other].into_iter().flatten().min_by_key(Self::left)
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.started.elapsed())
    }

    /// Whether a call that is cancelled now is cancelled because its time is up.
    pub(crate) fn has_passed(&self) -> bool {
        let tolerance = (self.timeout / TOLERANCE).min(MAX_TOLERANCE);
        self.started.elapsed() + tolerance >= self.timeout
    }
}

/// What the caller says of its time.
pub(crate) fn timeout_in(headers: &HeaderMap) -> Option<Duration> {
    parse(value_of(headers, &GRPC_TIMEOUT)?.as_bytes())
}

/// "Timeout → `grpc-timeout` TimeoutValue TimeoutUnit; TimeoutValue → {positive integer as ASCII string of at most 8
/// digits}". <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value: u64, digit| value * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(value * 3600)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_units_of_the_protocol_and_nothing_else() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("100m", Some(Duration::from_millis(100))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("+1S", None),
            ("-1S", None),
            ("1.5S", None),
            ("123456789S", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_valid_is_read(value in 0_u64..100_000_000, unit in "[HMSmun]") {
            let text = format!("{value}{unit}");
            prop_assert!(parse(text.as_bytes()).is_some());
        }
    }
}
