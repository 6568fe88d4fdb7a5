//! Tracers of the global tracer provider: each span goes to the test of its context.

use std::borrow::Cow;

use opentelemetry::trace::{SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanLimits};

use super::routed;

#[derive(Debug)]
pub(super) struct RoutingTracerProvider {
    /// For code outside of any test: spans that are not recorded.
    nowhere: SdkTracerProvider,
}

impl RoutingTracerProvider {
    pub(super) fn new() -> Self {
        let nowhere = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOff)
            .with_span_limits(SpanLimits::default())
            .with_resource(Resource::builder_empty().build())
            .build();
        Self { nowhere }
    }
}

impl TracerProvider for RoutingTracerProvider {
    type Tracer = RoutingTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> RoutingTracer {
        RoutingTracer { nowhere: self.nowhere.tracer_with_scope(scope.clone()), scope }
    }
}

/// Looks the test up for every span, so that a tracer may be kept in a static.
#[derive(Debug)]
pub(super) struct RoutingTracer {
    scope: InstrumentationScope,
    nowhere: SdkTracer,
}

impl Tracer for RoutingTracer {
    type Span = Span;

    fn start_with_context<T>(&self, name: T, parent: &Context) -> Span
    where
        T: Into<Cow<'static, str>>,
    {
        self.build_with_context(SpanBuilder::from_name(name), parent)
    }

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        // A parent that was extracted from a request has no route; the task that runs the code has.
        match routed(parent).or_else(|| routed(&Context::current())) {
            Some(test) => {
                test.tracer_provider.tracer_with_scope(self.scope.clone()).build_with_context(builder, parent)
            }
            None => self.nowhere.build_with_context(builder, parent),
        }
    }
}
