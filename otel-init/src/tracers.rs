//! Tracers for many threads.
//!
//! Each span of the SDK counts two references, to its provider and to its scope, that all threads share: with every thread
//! they become slower for all. So threads are divided among providers, which have all else in common.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanBuilder, Tracer};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor, TracerProviderBuilder,
};

use crate::shards::Shards;

/// Makes tracers whose spans the SDK makes, and which many threads can use at the same time.
///
/// The global provider is one of these, unless `OTEL_SDK_DISABLED` is set.
#[derive(Debug, Clone)]
pub struct TracerProvider {
    shards: Arc<Shards<SdkTracerProvider>>,
}

impl TracerProvider {
    /// `builder` makes providers that are alike, without a processor; all of them get this one.
    pub(crate) fn new<P>(
        builder: impl Fn() -> TracerProviderBuilder,
        resource: &Resource,
        mut processor: P,
    ) -> Self
    where
        P: SpanProcessor + 'static,
    {
        processor.set_resource(resource);
        let shared = SharedProcessor(Arc::new(processor));
        let make = || {
            let builder = builder().with_resource(resource.clone());
            builder.with_span_processor(shared.clone()).build()
        };
        Self { shards: Arc::new(Shards::new(make)) }
    }

    /// That of the SDK which makes the spans of this thread, for what wants no other type. Its tracers work on all threads,
    /// and are slower where many use them at the same time. Its shutdown would end the export of all threads:
    /// [`Telemetry::shutdown`](crate::Telemetry::shutdown) is for that.
    #[must_use]
    pub fn sdk(&self) -> &SdkTracerProvider {
        self.shards.own()
    }

    /// No further spans are made.
    pub(crate) fn stop(&self) {
        for provider in self.shards.iter() {
            // There is nothing to do but to remember it, and nobody minds if it was told before.
            let _ = provider.shutdown_with_timeout(Duration::ZERO);
        }
    }
}

impl From<SdkTracerProvider> for TracerProvider {
    fn from(provider: SdkTracerProvider) -> Self {
        Self { shards: Arc::new(Shards::new(|| provider.clone())) }
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = ThreadTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> ThreadTracer {
        let mut providers = self.shards.iter();
        let make = || providers.next().unwrap_or_else(|| self.sdk()).tracer_with_scope(scope.clone());
        ThreadTracer { shards: Arc::new(Shards::new(make)) }
    }
}

/// A tracer of a [`TracerProvider`].
#[derive(Debug, Clone)]
pub struct ThreadTracer {
    shards: Arc<Shards<SdkTracer>>,
}

impl Tracer for ThreadTracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        self.shards.own().build_with_context(builder, parent)
    }
}

/// The one processor of all providers, which knows the resource already.
#[derive(Debug)]
struct SharedProcessor<P>(Arc<P>);

impl<P> Clone for SharedProcessor<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: SpanProcessor> SpanProcessor for SharedProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use opentelemetry::trace::{Span as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor};

    use super::*;

    fn installed(exporter: &InMemorySpanExporter) -> TracerProvider {
        let resource = Resource::builder_empty().with_service_name("shop").build();
        let processor = SimpleSpanProcessor::new(exporter.clone());
        TracerProvider::new(SdkTracerProvider::builder, &resource, processor)
    }

    #[test]
    fn spans_of_all_threads_reach_the_one_processor_wherever_they_end() {
        let exporter = InMemorySpanExporter::default();
        let provider = installed(&exporter);
        let tracer = provider.tracer("shop");
        let (started, ending) = mpsc::channel::<Span>();
        thread::scope(|scope| {
            for _ in 0..20 {
                let started = started.clone();
                scope.spawn(|| {
                    tracer.start("ends here").end();
                    let started = started;
                    started.send(tracer.start("ends elsewhere")).unwrap();
                });
            }
        });
        drop(started);
        ending.iter().for_each(|mut span| span.end());
        let spans = exporter.get_finished_spans().unwrap();
        assert_eq!(spans.len(), 40);
        assert!(spans.iter().all(|span| span.instrumentation_scope.name() == "shop"));
    }

    #[test]
    fn after_a_stop_no_thread_records() {
        let exporter = InMemorySpanExporter::default();
        let provider = installed(&exporter);
        let tracers = [provider.tracer("before"), {
            provider.stop();
            provider.tracer("after")
        }];
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert!(tracers.iter().all(|tracer| !tracer.start("late").is_recording())));
            }
        });
    }

    #[test]
    fn one_provider_of_the_sdk_serves_all_threads() {
        let exporter = InMemorySpanExporter::default();
        let sdk = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let provider = TracerProvider::from(sdk);
        provider.tracer("shop").start("span").end();
        provider.sdk().force_flush().unwrap();
        assert_eq!(exporter.get_finished_spans().unwrap().len(), 1);
    }
}
