//! A user's function that sees spans, away from the hot path.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use opentelemetry::Context;
use opentelemetry_sdk::trace::SpanData;

use super::drop_rule::{DropRule, DropRules};
use crate::diagnostics;
use crate::panics::{Once, caught};

/// No more spans than this wait for the function.
const QUEUE: usize = 1000;

/// Chooses spans: [`TelemetryBuilder::with_audit_hook`](crate::TelemetryBuilder::with_audit_hook).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSelector(Vec<DropRule>);

impl SpanSelector {
    /// Spans whose name the glob fits: `*` stands for any characters, `?` for one, case does not matter.
    pub fn name(glob: impl Into<String>) -> Self {
        Self(vec![DropRule::span_name(glob)])
    }

    /// Spans with this attribute, if the glob fits its value as text.
    pub fn attribute(key: impl Into<String>, glob: impl Into<String>) -> Self {
        Self(vec![DropRule::attribute(key, glob)])
    }

    /// Spans that this or the other chooses.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

pub(crate) type AuditFunction = Arc<dyn Fn(&SpanData) + Send + Sync>;

/// What the code said.
#[derive(Clone)]
pub(crate) struct AuditSettings {
    pub(crate) selector: SpanSelector,
    pub(crate) function: AuditFunction,
}

impl fmt::Debug for AuditSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selector.fmt(formatter)
    }
}

/// One hook at work. Its thread ends with it.
#[derive(Debug)]
pub(super) struct Audit {
    rules: DropRules,
    queue: Option<SyncSender<SpanData>>,
    missed: AtomicU64,
}

impl Audit {
    pub(super) fn start(settings: &AuditSettings) -> Result<Self, regex::Error> {
        let rules = DropRules::new(&settings.selector.0)?;
        let (queue, waiting) = sync_channel::<SpanData>(QUEUE);
        let function = Arc::clone(&settings.function);
        let spawned = thread::Builder::new().name("otel-init-audit".to_owned()).spawn(move || {
            // Spans that the function makes would come back to it.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            let told = Once::default();
            while let Ok(span) = waiting.recv() {
                if caught(|| function(&span)).is_err() {
                    told.warn("an audit hook panicked; it is called again for the next span");
                }
            }
        });
        if let Err(error) = &spawned {
            diagnostics::warn(&format!("an audit hook cannot be started: {error}"));
        }
        Ok(Self { rules, queue: spawned.is_ok().then_some(queue), missed: AtomicU64::new(0) })
    }

    /// Hands a copy over, if the span is chosen and there is room.
    pub(super) fn see(&self, span: &SpanData) {
        if !self.rules.drops_span(span) {
            return;
        }
        let is_taken = self.queue.as_ref().is_some_and(|queue| queue.try_send(span.clone()).is_ok());
        if !is_taken {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}
