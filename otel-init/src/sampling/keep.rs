//! What is kept although the head sampler did not want it: the settings.

use std::time::Duration;

use opentelemetry::Value;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

/// The attribute that an instrumentation sets to say that a span was slow by a threshold of its own, as `otel-db` does for
/// queries.
const SLOW: &str = "otel_db.slow";

/// Which local traces are exported whole although they were not sampled: those with errors, those that are slow.
///
/// This is tail sampling, of the part of a trace that is in this process: a local trace. Until it is known to be kept, its spans
/// wait in a bounded buffer. Spans that are not sampled are recorded all the same, so each costs about as much as a sampled one.
///
/// A kept trace leaves with `th:0`, sampled by the head or not: it stands for itself alone, because all of its kind are
/// kept. What other services were told about the trace cannot be taken back: they were told that it is not sampled.
///
/// ```
/// use std::time::Duration;
/// use otel_init::sampling::{Keep, Sampling};
///
/// let keep = Keep::errors().with_slower_than(Duration::from_secs(1)).with_memory(64 << 20);
/// let sampling = Sampling::probability(0.01).with_keep(keep);
/// # let _ = sampling;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Keep {
    errors: Errors,
    pub(super) slower_than: Option<Duration>,
    attributes: Vec<String>,
    pub(super) memory: usize,
    pub(super) linger: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Errors {
    None,
    OfRequests,
    All,
}

impl Keep {
    /// Keeps traces in which a span has the status error.
    pub fn errors() -> Self {
        Self {
            errors: Errors::All,
            slower_than: None,
            attributes: vec![SLOW.to_owned()],
            memory: 32 << 20,
            linger: Duration::from_secs(10),
        }
    }

    /// Keeps traces whose first local span, the request, has the status error: not those which got over an error on the
    /// way, such as a call that was tried again.
    pub fn failed_requests() -> Self {
        Self { errors: Errors::OfRequests, ..Self::errors() }
    }

    /// Keeps traces whose first local span, the request, takes so long or longer.
    pub fn slower_than(duration: Duration) -> Self {
        Self { errors: Errors::None, ..Self::errors() }.with_slower_than(duration)
    }

    /// And those whose first local span, the request, takes so long or longer.
    pub fn with_slower_than(mut self, duration: Duration) -> Self {
        self.slower_than = Some(duration);
        self
    }

    /// And those with a span that has this attribute, unless its value is `false`. `otel_db.slow`, which `otel-db` sets on
    /// queries above its threshold, is always among them.
    pub fn with_attribute(mut self, key: impl Into<String>) -> Self {
        self.attributes.push(key.into());
        self
    }

    /// How many bytes may wait, about; 32 MiB by default. When they are full, a trace that waits is no longer watched:
    /// what the head sampled of it is exported with its own threshold, the rest is dropped and counted.
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// How long a trace may wait for spans that are still open after its request has ended; 10 seconds by default.
    pub fn with_linger(mut self, duration: Duration) -> Self {
        self.linger = duration;
        self
    }

    /// Whether this span is a reason to keep its trace. `has_open_root`: whether the request is still under way.
    pub(super) fn wants(&self, span: &SpanData, is_local_root: bool, has_open_root: bool) -> bool {
        let is_error = matches!(span.status, Status::Error { .. });
        let by_error = match self.errors {
            Errors::None => false,
            Errors::OfRequests => is_error && is_local_root,
            Errors::All => is_error,
        };
        by_error || self.is_slow(span, is_local_root, has_open_root) || self.has_attribute(span)
    }

    /// A request that waits for a slow span is slow itself, so nobody needs to wait for its end.
    fn is_slow(&self, span: &SpanData, is_local_root: bool, has_open_root: bool) -> bool {
        let Some(least) = self.slower_than.filter(|_| is_local_root || has_open_root) else { return false };
        span.end_time.duration_since(span.start_time).is_ok_and(|duration| duration >= least)
    }

    fn has_attribute(&self, span: &SpanData) -> bool {
        span.attributes.iter().any(|attribute| {
            attribute.value != Value::Bool(false)
                && self.attributes.iter().any(|wanted| wanted == attribute.key.as_str())
        })
    }

    pub(super) fn description(&self) -> String {
        let errors = match self.errors {
            Errors::None => None,
            Errors::OfRequests => Some("failed requests".to_owned()),
            Errors::All => Some("errors".to_owned()),
        };
        let slow = self.slower_than.map(|least| format!("slower than {least:?}"));
        let reasons: Vec<_> = errors.into_iter().chain(slow).collect();
        format!(
            "keeping {}",
            if reasons.is_empty() { self.attributes.join(", ") } else { reasons.join(" and ") }
        )
    }
}
