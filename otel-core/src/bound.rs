//! What an operation needs of its providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};

use crate::Convention;
use crate::providers::Propagates;
use crate::tracer::{NewSpan, StartSpan};

/// What was taken from the providers, and the convention: all that an operation needs.
pub(crate) struct Bound<C: Convention> {
    pub(crate) convention: Arc<C>,
    pub(crate) generation: u64,
    pub(crate) tracer: Box<dyn StartSpan>,
    /// Known after the first span.
    pub(crate) tracer_is_noop: AtomicBool,
    pub(crate) recorded_last_root: AtomicBool,
    pub(crate) metrics: Arc<C::Metrics>,
    pub(crate) meter_is_noop: bool,
    pub(crate) propagates: Propagates,
}

impl<C: Convention> Bound<C> {
    pub(crate) fn is_noop(&self) -> bool {
        self.meter_is_noop && !self.has_tracer()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.is_noop() && self.propagates == Propagates::Nothing
    }

    pub(crate) fn propagates_unknown_formats(&self) -> bool {
        self.propagates == Propagates::Other
    }

    /// Records the metrics of an ended operation.
    pub(crate) fn record(
        &self,
        elapsed: Duration,
        tally: &C::Tally,
        attributes: &[KeyValue],
        context: &Context,
    ) {
        self.convention.record(&self.metrics, elapsed, tally, attributes, context);
    }

    /// `true` until a span has shown otherwise.
    pub(crate) fn has_tracer(&self) -> bool {
        !self.tracer_is_noop.load(Ordering::Relaxed)
    }

    /// Learns from a span what the tracer does.
    pub(crate) fn note_effect(&self, span: &NewSpan, parent: &Context) {
        if span.is_noop {
            self.tracer_is_noop.store(true, Ordering::Relaxed);
        }
        let is_root = !parent.span().span_context().is_valid();
        // Stored only when it changes: a line that all threads write would be slower than the attributes it saves.
        if is_root && self.recorded_last_root.load(Ordering::Relaxed) != span.is_recording {
            self.recorded_last_root.store(span.is_recording, Ordering::Relaxed);
        }
    }
}
