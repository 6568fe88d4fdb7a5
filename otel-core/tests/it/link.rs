//! Links from message headers.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_core::carrier::{MapExtractor, MapInjector};
use otel_core::{Providers, link_from, links_from};
use otel_testing::TestTelemetry;

use crate::convention::{instrumenter, start};

fn providers() -> Providers {
    let mut providers = Providers::global();
    providers.set_propagator(TraceContextPropagator::new());
    providers
}

#[test]
fn a_consumer_links_to_the_producer_s_span() {
    let telemetry = TestTelemetry::new();
    let producer = start(&telemetry);
    let mut row = HashMap::new();
    providers().inject(producer.context(), &mut MapInjector::new(&mut row));
    let origin = producer.context().span().span_context().clone();
    producer.end();

    let links = links_from(
        &providers(),
        [&MapExtractor::new(&row), &MapExtractor::new(&HashMap::<String, String>::new())],
    );
    assert_eq!(links.len(), 1, "the message without a context has no link");
    instrumenter(&telemetry).start_with_links(&Context::new(), &"consume", links).end();

    let consumer = &telemetry.spans()[1];
    assert_eq!(consumer.links.links[0].span_context.span_id(), origin.span_id());
    assert_ne!(consumer.span_context.trace_id(), origin.trace_id());
}

#[test]
fn the_consumer_s_own_span_is_no_origin() {
    let telemetry = TestTelemetry::new();
    let _attached = start(&telemetry).context().clone().attach();
    assert!(link_from(&providers(), &HashMap::<String, String>::new()).is_none());
}
