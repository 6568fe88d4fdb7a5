//! What instrumentations must know of the installed SDK, without depending on it, as its installer says it: that something
//! was installed, whether its sampler looks at start attributes, and what saves time.

use std::fmt;
use std::sync::Arc;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};

use crate::HttpHeaders;
use crate::installed::{self, Facts, switch_name};

/// What is known of the SDK behind the global providers, for whoever installs it.
///
/// [`announce_install`] says the least; `otel-init` says all of this. What is not said is assumed
/// not to be so, and costs time, never telemetry.
///
/// ```
/// use opentelemetry::trace::noop::NoopTracerProvider;
/// use otel_core::Install;
///
/// let provider = NoopTracerProvider::new();
/// // after opentelemetry::global::set_tracer_provider(provider.clone()) and set_meter_provider(..)
/// Install::new().with_tracer_provider(provider).with_sampler_reads_attributes(false).announce();
/// ```
#[derive(Default)]
#[must_use = "nothing is said before `announce`"]
pub struct Install {
    facts: Facts,
}

impl Install {
    /// An SDK of which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The provider that was made the global one. Spans that are made by it directly are boxed once less.
    pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.facts.tracer_provider = Some(Arc::new(provider));
        self
    }

    /// The propagator that was made the global one: it is then used without the lock of the global one, which every request
    /// of every thread would write to. Whoever makes another one the global one says so here, too.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.facts.propagator = Some(Arc::new(propagator));
        self
    }

    /// Whether the propagator that was [named](Self::with_propagator) reads no headers but `traceparent`, `tracestate` and
    /// `baggage`: it is then not asked about requests that have none of them. Default: `false`.
    pub fn with_propagator_reads_only_w3c(mut self, only_w3c: bool) -> Self {
        self.facts.propagator_reads_only_w3c = only_w3c;
        self
    }

    /// Whether the sampler looks at the attributes that a span starts with. Default: `true`.
    pub fn with_sampler_reads_attributes(mut self, reads: bool) -> Self {
        self.facts.sampler_ignores_attributes = !reads;
        self
    }

    /// Whether instruments of the global meter provider can be bound to their attributes.
    ///
    /// An SDK that was built without `experimental_metrics_bound_instruments` takes what a bound instrument records and
    /// forgets it. So instrumentations bind only where this was said. Default: `false`.
    pub fn with_bound_instruments(mut self, binds: bool) -> Self {
        self.facts.binds_instruments = binds;
        self
    }

    /// Whether instruments of the global meter provider keep exemplars: instrumentations then measure with the context of
    /// the operation's span current, so that its ids are those of the exemplar. Default: `false`.
    pub fn with_exemplars(mut self, keeps: bool) -> Self {
        self.facts.keeps_exemplars = keeps;
        self
    }

    /// Whether exemplars may lead to spans that are not sampled when something is measured, because their trace may be
    /// exported all the same. Counts only [with exemplars](Self::with_exemplars). Default: `false`.
    pub fn with_exemplars_of_unsampled(mut self, keeps: bool) -> Self {
        self.facts.keeps_exemplars_of_unsampled = keeps;
        self
    }

    /// Switches instrumentations off by the names of their scopes, `otel-http`, or what comes after the `otel-`: those that
    /// use global providers record nothing. Case does not matter, and `_` stands for `-`, as variables need it
    /// (`OTEL_INSTRUMENTATION_HTTP_ENABLED`). Context still passes through them. Default: none.
    pub fn with_disabled_instrumentations<N: AsRef<str>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.facts.disabled.extend(names.into_iter().map(|name| switch_name(name.as_ref())));
        self
    }

    /// Leaves requests to these paths out of what a server instrumentation observes, as its filter would: they pass without
    /// span and metrics, and their caller's context goes on. `*` in a path stands for any text, `?` for one character, case
    /// does not matter. The instrumentation is named as in
    /// [`with_disabled_instrumentations`](Self::with_disabled_instrumentations), and asks
    /// [`is_path_excluded`](crate::is_path_excluded). Default: none.
    pub fn with_excluded_paths<P: Into<String>>(
        mut self,
        instrumentation: &str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        self.facts.excluded_paths.push((switch_name(instrumentation), paths));
        self
    }

    /// Records these headers on the spans of every HTTP layer, besides those that the layers name, by the rules of
    /// [`HeaderCapture::add`](crate::HeaderCapture::add): a name with `!` in either list is left out, and secrets are
    /// recorded as `REDACTED`. Instrumentations ask by
    /// [`HeaderCapture::capture_with_installed`](crate::HeaderCapture::capture_with_installed). Default: none.
    pub fn with_captured_headers<N: Into<String>>(
        mut self,
        of: HttpHeaders,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.facts.captured_headers[of as usize].add(names);
        self
    }

    /// Tells every instrumentation in the process; they take their tracers and instruments anew.
    pub fn announce(self) {
        installed::set(self.facts);
    }
}

impl fmt::Debug for Install {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Install")
            .field("sampler_reads_attributes", &!self.facts.sampler_ignores_attributes)
            .field("propagator_reads_only_w3c", &self.facts.propagator_reads_only_w3c)
            .field("keeps_exemplars", &self.facts.keeps_exemplars)
            .field("keeps_exemplars_of_unsampled", &self.facts.keeps_exemplars_of_unsampled)
            .field("has_tracer_provider", &self.facts.tracer_provider.is_some())
            .field("propagator", &self.facts.propagator)
            .field("binds_instruments", &self.facts.binds_instruments)
            .field("disabled", &self.facts.disabled)
            .field("excluded_paths", &self.facts.excluded_paths)
            .field("captured_headers", &self.facts.captured_headers)
            .finish()
    }
}

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
    Install::new().with_sampler_reads_attributes(sampler_reads_attributes).announce();
}

/// Tells every instrumentation in the process that the installed sampler looks at start attributes from now on, or no
/// longer does, because its rules were changed while it runs.
pub fn announce_sampler(reads_attributes: bool) {
    installed::set_sampler_reads_attributes(reads_attributes);
}
