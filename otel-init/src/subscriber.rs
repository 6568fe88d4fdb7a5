//! The `tracing` subscriber: console lines, spans to traces, events to logs.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::config::SubscriberConfig;
use crate::pipeline::Pipeline;
use crate::span_fields::WithSpanFields;
use crate::{ConsoleLogs, console, diagnostics};

/// Crates that exporting runs through. What they log is never exported, at any level: each export would make the next.
/// `tower` is not `tower_http`, whose events belong to the application.
const EXPORT_CRATES: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
    diagnostics::TARGET,
];

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sets the global subscriber. Gives back what the operator should know.
pub(crate) fn set_global(
    config: &SubscriberConfig,
    pipeline: Option<&Pipeline>,
) -> Result<Option<String>, SetGlobalDefaultError> {
    let mut layers: Vec<BoxedLayer> = Vec::new();
    let mut warning = None;
    if config.console != ConsoleLogs::Off {
        let (layer, problem) =
            console::layer(config.console, config.console_filter.as_deref(), config.own_level);
        warning = problem;
        layers.push(layer);
    }
    if let Some(pipeline) = pipeline {
        layers.push(Box::new(spans(&pipeline.tracer_provider, config.telemetry_level)));
        layers.push(Box::new(events(pipeline, config.telemetry_level)));
    }
    tracing::subscriber::set_global_default(Registry::default().with(layers))?;
    // What speaks through the `log` crate becomes an event; a logger that somebody set before stays.
    if tracing_log::LogTracer::init().is_err() {
        warning.get_or_insert_with(|| {
            "a logger of the `log` crate is set already, its records are not exported".into()
        });
    }
    Ok(warning)
}

/// Spans and events of `tracing` as spans and log records, for a subscriber that somebody else sets.
pub(crate) fn export_layer<S>(pipeline: &Pipeline, level: LevelFilter) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let layers: Vec<Box<dyn Layer<S> + Send + Sync>> =
        vec![Box::new(spans(&pipeline.tracer_provider, level)), Box::new(events(pipeline, level))];
    layers
}

/// `tracing` spans become spans. Context activation, the default, makes them nest with native spans both ways.
///
/// Events stay out: they are exported as log records, not a second time as span events, and a handled error that was
/// logged does not fail the span.
fn spans<S>(provider: &SdkTracerProvider, level: LevelFilter) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tracing"))
        .with_context_activation(true)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(
            filter_fn(move |metadata| metadata.is_span() && is_exported(metadata, level))
                .with_max_level_hint(level),
        )
}

/// `tracing` events become log records, with the fields of the spans around them.
fn events<S>(pipeline: &Pipeline, level: LevelFilter) -> impl Layer<S> + Send + Sync + 'static + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let bridge = OpenTelemetryTracingBridge::new(&pipeline.logger_provider);
    let has_span_fields = pipeline.has_span_fields;
    let filter =
        filter_fn(move |metadata| (has_span_fields || metadata.is_event()) && is_exported(metadata, level));
    WithSpanFields(bridge).with_filter(filter.with_max_level_hint(level))
}

fn is_exported(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    *metadata.level() <= level && !belongs_to_export(metadata.target())
}

fn belongs_to_export(target: &str) -> bool {
    let krate = target.split("::").next().unwrap_or(target);
    // Upstream's targets are package names, some with a hyphen: `opentelemetry_sdk`, `opentelemetry-otlp`.
    EXPORT_CRATES.contains(&krate) || krate.starts_with("opentelemetry")
}

#[cfg(test)]
mod tests {
    use super::belongs_to_export;

    #[test]
    fn the_crates_of_the_export_are_kept_out_and_the_applications_are_not() {
        for target in [
            "h2::codec::framed_read",
            "hyper_util::client::legacy::pool",
            "tower::buffer::worker",
            "tonic::transport",
            "opentelemetry_sdk",
            "opentelemetry-otlp",
            "otel_init",
        ] {
            assert!(belongs_to_export(target), "{target}");
        }
        for target in ["shop", "tower_http::trace::on_response", "h2o", "sqlx::query", ""] {
            assert!(!belongs_to_export(target), "{target}");
        }
    }
}
