//! Global providers that find the test in the context.

mod instruments;
mod logger;
mod tracer;

use std::sync::{Arc, LazyLock, Once, Weak};

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, global};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use crate::TestTelemetry;
use crate::subscriber::subscriber;
use crate::test_telemetry::Inner;

/// The value in the context that names the test. Weak: a context that outlives the test, in a task that was never ended,
/// must not keep its records.
#[derive(Debug, Clone)]
struct Route(Weak<Inner>);

/// Once per process; a provider that the application installs later takes its place.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        global::set_tracer_provider(tracer::RoutingTracerProvider::new());
        global::set_meter_provider(instruments::RoutingMeterProvider);
        if global::get_text_map_propagator(|set| set.fields().next().is_none()) {
            global::set_text_map_propagator(propagator());
        }
    });
}

/// Whether the global subscriber of `tracing` is this one.
pub(crate) fn route_tracing() -> bool {
    static ROUTED: LazyLock<bool> = LazyLock::new(|| {
        let tracer = tracer::RoutingTracerProvider::new().tracer("tracing");
        let routing = subscriber(tracer, &logger::RoutingLoggerProvider::new());
        tracing::subscriber::set_global_default(routing).is_ok()
    });
    *ROUTED
}

pub(crate) fn propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

fn routed(context: &Context) -> Option<Arc<Inner>> {
    context.get::<Route>()?.0.upgrade()
}

pub(crate) fn context(telemetry: &TestTelemetry) -> Context {
    install();
    Context::current().with_value(Route(Arc::downgrade(&telemetry.inner)))
}
