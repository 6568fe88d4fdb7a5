//! `tracing` as these tests see it.

use opentelemetry::logs::{Logger, LoggerProvider};
use opentelemetry::trace::Tracer;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::span_fields::WithSpanFields;

/// Spans of `tracing` become spans of `tracer`, events become records of `loggers`.
pub(crate) fn subscriber<T, P, L>(
    tracer: T,
    loggers: &P,
) -> impl tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static + use<T, P, L>
where
    T: Tracer<Span: Send + Sync> + Send + Sync + 'static,
    P: LoggerProvider<Logger = L> + Send + Sync + 'static,
    L: Logger + Send + Sync + 'static,
{
    // Internal events would feed the pipeline with itself; a client's wire noise is no one's expectation.
    let wire = ["h2", "hyper", "reqwest", "rustls", "tonic", "tower"].map(|name| (name, LevelFilter::WARN));
    let targets = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_target("opentelemetry", LevelFilter::OFF)
        .with_targets(wire)
        // Begins like `tower`; what it says belongs to the application.
        .with_target("tower_http", LevelFilter::TRACE);
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(true)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Events are logs; as span events they would be there twice, and errors would set the span's status.
        .with_filter(filter_fn(|metadata| metadata.is_span()));
    let logs = WithSpanFields { bridge: OpenTelemetryTracingBridge::new(loggers), add_more: |_, _| {} };
    tracing_subscriber::registry().with(targets).with(spans).with(logs)
}
