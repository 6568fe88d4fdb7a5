//! What instrumentations ask of the installed SDK, as its installer [said](crate::Install) it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use opentelemetry::global;
use opentelemetry::propagation::TextMapPropagator;

use crate::tracer::MakeTracer;
use crate::{HeaderCapture, HttpHeaders, glob_matches};

/// What the installer says; what is not said is assumed not to be so.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) tracer_provider: Option<Arc<dyn MakeTracer>>,
    pub(crate) propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
    pub(crate) binds_instruments: bool,
    pub(crate) disabled: Vec<String>,
    pub(crate) excluded_paths: Vec<(String, Vec<String>)>,
    /// By [`HttpHeaders`].
    pub(crate) captured_headers: [HeaderCapture; 4],
    pub(crate) sampler_ignores_attributes: bool,
    pub(crate) propagator_reads_only_w3c: bool,
    pub(crate) keeps_exemplars: bool,
    pub(crate) keeps_exemplars_of_unsampled: bool,
}

static GENERATION: AtomicU64 = AtomicU64::new(0);
static SAMPLER_READS_ATTRIBUTES: AtomicBool = AtomicBool::new(true);
static INSTALLED: ArcSwapOption<Facts> = ArcSwapOption::const_empty();
/// Asked for each request: where nobody excludes paths, that is all it costs.
static EXCLUDES_PATHS: AtomicBool = AtomicBool::new(false);
/// Asked for each message whose span is recorded.
static CAPTURES_HEADERS: AtomicBool = AtomicBool::new(false);
/// Asked for each request, too.
static PROPAGATOR_READS_ONLY_W3C: AtomicBool = AtomicBool::new(false);
/// And when an operation ends.
static EXEMPLARS: AtomicU8 = AtomicU8::new(KeptExemplars::None as u8);

/// Takes effect for all instrumentations.
pub(crate) fn set(facts: Facts) {
    let excludes = facts.excluded_paths.iter().any(|(_, paths)| !paths.is_empty());
    EXCLUDES_PATHS.store(excludes, Ordering::Relaxed);
    let captures = facts.captured_headers.iter().any(|headers| !headers.is_off());
    CAPTURES_HEADERS.store(captures, Ordering::Relaxed);
    let reads_only_w3c = facts.propagator_reads_only_w3c && facts.propagator.is_some();
    PROPAGATOR_READS_ONLY_W3C.store(reads_only_w3c, Ordering::Relaxed);
    let exemplars = match (facts.keeps_exemplars, facts.keeps_exemplars_of_unsampled) {
        (false, _) => KeptExemplars::None,
        (true, false) => KeptExemplars::Sampled,
        (true, true) => KeptExemplars::Unsampled,
    };
    EXEMPLARS.store(exemplars as u8, Ordering::Relaxed);
    set_sampler_reads_attributes(!facts.sampler_ignores_attributes);
    INSTALLED.store(Some(Arc::new(facts)));
    GENERATION.fetch_add(1, Ordering::Release);
}

pub(crate) fn set_sampler_reads_attributes(reads: bool) {
    SAMPLER_READS_ATTRIBUTES.store(reads, Ordering::Relaxed);
}

/// How many times [`announce_install`](crate::announce_install) was called in this process: 0 means that nothing was
/// installed.
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

/// Whether instruments of the global meter provider can be bound to their attributes; see
/// [`Install::with_bound_instruments`](crate::Install::with_bound_instruments). Asked for when instruments are made.
#[must_use]
pub fn binds_instruments() -> bool {
    INSTALLED.load().as_ref().is_some_and(|facts| facts.binds_instruments)
}

/// What exemplars lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptExemplars {
    None,
    Sampled,
    Unsampled,
}

#[inline]
pub(crate) fn exemplars() -> KeptExemplars {
    match EXEMPLARS.load(Ordering::Relaxed) {
        0 => KeptExemplars::None,
        1 => KeptExemplars::Sampled,
        _ => KeptExemplars::Unsampled,
    }
}

/// Whether the installer leaves requests to this path out; see
/// [`Install::with_excluded_paths`](crate::Install::with_excluded_paths). The instrumentation is named by what comes after
/// its `otel-`, in lower case: `http`. One relaxed load where nothing is excluded.
#[must_use]
pub fn is_path_excluded(instrumentation: &str, path: &str) -> bool {
    EXCLUDES_PATHS.load(Ordering::Relaxed) && excludes(instrumentation, path)
}

#[cold]
fn excludes(instrumentation: &str, path: &str) -> bool {
    let facts = INSTALLED.load();
    let all = facts.as_ref().map_or(&[][..], |facts| &facts.excluded_paths);
    let mut own = all.iter().filter(|(name, _)| name == instrumentation).flat_map(|(_, paths)| paths);
    own.any(|excluded| glob_matches(excluded, path))
}

/// Whether the installer has any headers recorded.
#[inline]
pub(crate) fn captures_headers() -> bool {
    CAPTURES_HEADERS.load(Ordering::Relaxed)
}

/// Calls `f` with the headers that the installer has recorded of these messages.
#[cold]
pub(crate) fn with_captured_headers(of: HttpHeaders, f: impl FnOnce(&HeaderCapture)) {
    match INSTALLED.load().as_ref() {
        Some(facts) => f(&facts.captured_headers[of as usize]),
        None => f(&HeaderCapture::default()),
    }
}

/// Whether the installer switched this scope off. Asked for when tracers and instruments are taken, not for each operation.
pub(crate) fn is_disabled(scope: &str) -> bool {
    let facts = INSTALLED.load();
    let disabled = facts.as_ref().map_or(&[][..], |facts| &facts.disabled);
    !disabled.is_empty() && disabled.contains(&switch_name(scope))
}

pub(crate) fn switch_name(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name.strip_prefix("otel-").map_or(name.clone(), str::to_owned)
}

/// Calls `f` with the propagator that was named, or else with the global one.
pub(crate) fn with_propagator<R>(mut f: impl FnMut(&dyn TextMapPropagator) -> R) -> R {
    let facts = INSTALLED.load();
    match facts.as_ref().and_then(|facts| facts.propagator.as_deref()) {
        Some(propagator) => f(propagator),
        None => global::get_text_map_propagator(f),
    }
}

/// Whether a propagator was named, and reads nothing but W3C's headers.
pub(crate) fn propagator_reads_only_w3c() -> bool {
    PROPAGATOR_READS_ONLY_W3C.load(Ordering::Relaxed)
}

/// The provider behind the global one, if it was named.
pub(crate) fn tracer_provider() -> Option<Arc<dyn MakeTracer>> {
    INSTALLED.load().as_ref().and_then(|facts| facts.tracer_provider.clone())
}

#[cfg(test)]
mod tests {
    use super::switch_name;

    #[test]
    fn scopes_and_variables_name_the_same() {
        for name in ["otel-http", "HTTP", "http", "OTEL_HTTP"] {
            assert_eq!(switch_name(name), "http", "{name}");
        }
        assert_eq!(switch_name("MY_CLIENT"), switch_name("my-client"));
    }
}
