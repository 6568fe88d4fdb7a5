//! What instrumentations must know of the installed SDK, without depending on it: that something was installed,
//! and whether its sampler looks at start attributes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);
static SAMPLER_READS_ATTRIBUTES: AtomicBool = AtomicBool::new(true);

/// Tells every instrumentation in the process that the global providers have changed.
///
/// Instruments and tracers taken from a global provider before it was set stay without effect for ever, so an
/// [`Instrumenter`](crate::Instrumenter) takes them anew when this was called. `otel-init` calls it; whoever sets
/// the global providers by hand after the first request was served calls it too.
///
/// `sampler_reads_attributes` says whether the sampler looks at the attributes a span starts with. When it does not,
/// an unsampled operation builds none that only the span would carry.
///
/// ```
/// // after opentelemetry::global::set_tracer_provider(..) and set_meter_provider(..)
/// otel_core::announce_install(false);
/// assert!(otel_core::install_generation() > 0);
/// ```
pub fn announce_install(sampler_reads_attributes: bool) {
    crate::Install::new().with_sampler_reads_attributes(sampler_reads_attributes).announce();
}

pub(crate) fn announce(sampler_reads_attributes: bool) {
    SAMPLER_READS_ATTRIBUTES.store(sampler_reads_attributes, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Release);
}

/// Tells every instrumentation in the process that the installed sampler looks at start attributes from now on, or no
/// longer does, because its rules were changed while it runs.
pub fn announce_sampler(reads_attributes: bool) {
    SAMPLER_READS_ATTRIBUTES.store(reads_attributes, Ordering::Relaxed);
}

/// How many times [`announce_install`] was called in this process: 0 means that nothing was installed.
#[must_use]
pub fn install_generation() -> u64 {
    // Relaxed is enough on the hot path: a stale value delays the new providers by an operation, no more. The lock in
    // `opentelemetry::global` orders the providers themselves.
    GENERATION.load(Ordering::Relaxed)
}

/// Whether the installed sampler looks at start attributes; `true` until an install said otherwise.
#[must_use]
pub fn sampler_reads_attributes() -> bool {
    SAMPLER_READS_ATTRIBUTES.load(Ordering::Relaxed)
}
