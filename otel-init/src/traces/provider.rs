//! [`TracerProvider`]: where tracers come from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::{RandomIdGenerator, Sampler, ShouldSample, SpanLimits};

use super::processor::ProcessSpans;
use super::tracer::Tracer;

/// Makes the tracers of an installation; the global provider is one of these, unless `OTEL_SDK_DISABLED` is set.
///
/// ```
/// use opentelemetry::trace::{Span, Tracer, TracerProvider};
/// use otel_init::opentelemetry;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = otel_init::Telemetry::builder()
///     .with_environment(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
///     .install()?;
/// let tracer = telemetry.tracer_provider().tracer("shop");
/// let span = tracer.start("order");
/// assert!(span.span_context().is_valid());
/// # telemetry.shutdown_blocking()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TracerProvider {
    shared: Arc<Shared>,
}

/// What all spans of a provider share.
pub(super) struct Shared {
    pub(super) sampler: Box<dyn ShouldSample>,
    pub(super) limits: SpanLimits,
    pub(super) ids: RandomIdGenerator,
    /// `None` where nobody wants spans: they have ids, and record nothing.
    pub(super) processor: Option<Box<dyn ProcessSpans>>,
    is_stopped: AtomicBool,
}

/// A span is shown with what it shares. Not with the spans of others, which may wait in the processor with their secrets.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

impl TracerProvider {
    pub(crate) fn new(
        sampler: impl ShouldSample + 'static,
        limits: SpanLimits,
        processor: Option<Box<dyn ProcessSpans>>,
    ) -> Self {
        let (sampler, ids) = (Box::new(sampler), RandomIdGenerator::default());
        let is_stopped = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { sampler, limits, ids, processor, is_stopped }) }
    }

    /// One that makes no spans: calls go on in their caller's trace.
    pub(crate) fn disabled() -> Self {
        let provider = Self::new(Sampler::AlwaysOff, SpanLimits::default(), None);
        provider.stop();
        provider
    }

    /// No further spans are made, and those that are running are not recorded.
    pub(crate) fn stop(&self) {
        let was_stopped = self.shared.is_stopped.swap(true, Ordering::AcqRel);
        if let Some(processor) = self.shared.processor.as_ref().filter(|_| !was_stopped) {
            processor.stop();
        }
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Tracer {
        Tracer::new(&scope, &self.shared)
    }
}
