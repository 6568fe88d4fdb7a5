//! An instrumenter that was built and used before anything was installed.
//!
//! The only test of this binary that sets the global providers; the others bring their own.

use opentelemetry::{Context, InstrumentationScope, global};
use otel_core::{Instrumenter, Providers, announce_install};
use otel_testing::TestTelemetry;

use crate::convention::{DURATION, Job};

#[test]
fn everything_after_the_install_is_recorded() {
    let scope = InstrumentationScope::builder("jobs").build();
    let instrumenter = Instrumenter::new(scope, Providers::global(), Job);
    instrumenter.start(&Context::new(), &"before").end();

    let telemetry = TestTelemetry::new();
    global::set_meter_provider(telemetry.meter_provider());
    global::set_tracer_provider(telemetry.tracer_provider());
    // Set by hand and not announced: found by looking again from time to time.
    for _ in 0..64 {
        instrumenter.start(&Context::new(), &"unannounced").end();
    }
    assert!(!telemetry.spans().is_empty(), "looked for within 64 operations");
    let found = telemetry.spans().len();
    instrumenter.start(&Context::new(), &"found").end();
    assert_eq!(telemetry.spans().len(), found + 1, "{}", telemetry.tree());

    // A tracer of its own does not keep the instrumenter from finding a meter that is set later.
    let own = TestTelemetry::new();
    let mut providers = Providers::global();
    providers.set_tracer_provider(own.tracer_provider());
    global::set_meter_provider(opentelemetry::metrics::noop::NoopMeterProvider::new());
    let scope = InstrumentationScope::builder("jobs").build();
    let traced = Instrumenter::new(scope, providers, Job);
    traced.start(&Context::new(), &"traced").end();
    let metered = TestTelemetry::new();
    global::set_meter_provider(metered.meter_provider());
    for _ in 0..64 {
        traced.start(&Context::new(), &"unannounced").end();
    }
    assert!(metered.histogram_count(DURATION) > 0);
    assert_eq!(own.spans().len(), 65);

    let second = TestTelemetry::new();
    global::set_meter_provider(second.meter_provider());
    global::set_tracer_provider(second.tracer_provider());
    for sampler_reads_attributes in [true, false] {
        announce_install(sampler_reads_attributes);
        instrumenter.start(&Context::new(), &"after").end();
    }
    assert_eq!(second.spans().len(), 2);
    assert_eq!(second.histogram_count(DURATION), 2);
    let [early, late] = [&second.spans()[0].attributes, &second.spans()[1].attributes]
        .map(|attributes| attributes.iter().map(|attribute| attribute.key.to_string()).collect::<Vec<_>>());
    assert_eq!(early, late, "the attributes are the same, whether the sampler saw them or not");
}
