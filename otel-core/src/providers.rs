//! Where tracers, instruments and the propagator come from: given by the user, or global.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use opentelemetry::global;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};

use crate::carrier::{HeaderExtractor, HeaderInjector};
use crate::installed;
use crate::tracer::{MakeTracer, StartSpan};

/// What a propagator reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagates {
    Nothing,
    /// Parents and baggage, in the formats of this crate.
    Known,
    /// Perhaps values of its own.
    Other,
}

/// The beginnings of the fields of W3C, B3, Jaeger, X-Ray and OpenTracing.
const KNOWN_FIELDS: [&str; 8] =
    ["traceparent", "tracestate", "baggage", "b3", "x-b3-", "uber", "x-amzn-trace-id", "ot-tracer-"];

impl Propagates {
    fn by(propagator: &dyn TextMapPropagator) -> Self {
        let is_known = |field: &str| {
            let field = field.to_ascii_lowercase();
            KNOWN_FIELDS.iter().any(|known| field.starts_with(known))
        };
        match propagator.fields().next() {
            None => Self::Nothing,
            Some(_) if propagator.fields().all(is_known) => Self::Known,
            Some(_) => Self::Other,
        }
    }
}

/// The providers an instrumentation uses: those it was given, and the global ones for the rest.
///
/// Layers hold one of these in their builders, so that tests can hand every layer providers of their own.
#[derive(Clone, Default)]
pub struct Providers {
    tracer: Option<Arc<dyn MakeTracer>>,
    meter: Option<Arc<dyn MeterProvider + Send + Sync>>,
    propagator: Option<Arc<dyn TextMapPropagator + Send + Sync>>,
}

impl Providers {
    /// The global providers and the global propagator, whatever they are when an operation starts.
    #[must_use]
    pub fn global() -> Self {
        Self::default()
    }

    /// Takes spans from this provider instead of the global one.
    pub fn set_tracer_provider<P>(&mut self, provider: P)
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.tracer = Some(Arc::new(provider));
    }

    /// Takes instruments from this provider instead of the global one.
    pub fn set_meter_provider(&mut self, provider: impl MeterProvider + Send + Sync + 'static) {
        self.meter = Some(Arc::new(provider));
    }

    /// Reads and writes the context of other processes with this propagator instead of the global one.
    pub fn set_propagator(&mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) {
        self.propagator = Some(Arc::new(propagator));
    }

    /// `parent` with what the carrier says of the caller: its span, its baggage.
    #[must_use]
    pub fn extract(&self, parent: &Context, carrier: &dyn Extractor) -> Context {
        match &self.propagator {
            Some(propagator) => propagator.extract_with_context(parent, carrier),
            None => installed::with_propagator(|global| global.extract_with_context(parent, carrier)),
        }
    }

    /// Like [`extract`](Self::extract), but hands headers that hold nothing to no propagator: each would count references to
    /// the context, in memory that all threads write to.
    pub(crate) fn extract_headers(&self, parent: Context, headers: &HeaderExtractor<'_>) -> Context {
        let reads_only_w3c = self.propagator.is_none() && installed::propagator_reads_only_w3c();
        match reads_only_w3c && !headers.has_w3c_headers() {
            true => parent,
            false => self.extract(&parent, headers),
        }
    }

    /// Writes `context` into the carrier for the process that is called.
    pub fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        match &self.propagator {
            Some(propagator) => propagator.inject_context(context, carrier),
            None => installed::with_propagator(|global| global.inject_context(context, carrier)),
        }
    }

    /// Writes `context` into the headers of a request. Baggage that is in them already, of a request that is forwarded, goes
    /// also where the context has none, if the propagator is one of baggage: "If your carrier is reused, you should delete
    /// the fields". <https://opentelemetry.io/docs/specs/otel/context/api-propagators/#fields>
    pub fn inject_headers(&self, context: &Context, headers: &mut HeaderMap) {
        let mut injector = HeaderInjector::new(headers);
        self.inject(context, &mut injector);
        if injector.has_old_baggage() && self.writes_baggage() {
            injector.remove_baggage();
        }
    }

    #[cold]
    fn writes_baggage(&self) -> bool {
        let writes = |propagator: &dyn TextMapPropagator| propagator.fields().any(|field| field == "baggage");
        match &self.propagator {
            Some(propagator) => writes(&**propagator),
            None => installed::with_propagator(writes),
        }
    }

    /// Whether instruments come from a provider that was given by hand, of which nothing is known.
    #[must_use]
    pub fn has_own_meter_provider(&self) -> bool {
        self.meter.is_some()
    }

    /// What there is to read and to write.
    pub(crate) fn propagates(&self) -> Propagates {
        match &self.propagator {
            Some(propagator) => Propagates::by(&**propagator),
            None => installed::with_propagator(|global| Propagates::by(global)),
        }
    }

    pub(crate) fn tracer(&self, scope: InstrumentationScope) -> Box<dyn StartSpan> {
        match &self.tracer {
            Some(provider) => provider.tracer(scope),
            None if installed::is_disabled(scope.name()) => {
                MakeTracer::tracer(&NoopTracerProvider::new(), scope)
            }
            None => match installed::tracer_provider() {
                Some(provider) => provider.tracer(scope),
                None => Box::new(global::tracer_with_scope(scope)),
            },
        }
    }

    pub(crate) fn meter(&self, scope: InstrumentationScope) -> Meter {
        match &self.meter {
            Some(provider) => provider.meter_with_scope(scope),
            None if installed::is_disabled(scope.name()) => {
                opentelemetry::metrics::NoopMeterProvider::new().meter_with_scope(scope)
            }
            None => global::meter_with_scope(scope),
        }
    }

    /// Whether instruments have no effect because no global provider is set. The API's no-op provider has no state, and
    /// so no size; a provider that was given by hand always counts.
    pub(crate) fn meter_is_noop(&self) -> bool {
        self.meter.is_none() && size_of_val(&*global::meter_provider()) == 0
    }

    /// A provider given by hand is used by a sampler nobody told us about.
    pub(crate) fn has_own_tracer_provider(&self) -> bool {
        self.tracer.is_some()
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = |own: bool| if own { "own" } else { "global" };
        f.debug_struct("Providers")
            .field("tracer", &source(self.tracer.is_some()))
            .field("meter", &source(self.meter.is_some()))
            .field("propagator", &source(self.propagator.is_some()))
            .finish()
    }
}
