//! Global providers that find the test in the context.

mod instruments;
mod tracer;

use std::sync::{Arc, Once, Weak};

use opentelemetry::{Context, global};

use crate::TestTelemetry;
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
    });
}

fn routed(context: &Context) -> Option<Arc<Inner>> {
    context.get::<Route>()?.0.upgrade()
}

pub(crate) fn context(telemetry: &TestTelemetry) -> Context {
    install();
    Context::current().with_value(Route(Arc::downgrade(&telemetry.inner)))
}
