//! The `tracing` subscriber: console lines, spans to traces, events to logs.

mod console;
mod late;
mod levels;
mod logfmt;
pub(crate) mod span_fields;

use std::sync::Arc;
use std::thread;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing::subscriber::{Interest, SetGlobalDefaultError};
use tracing::{Event, Metadata, Subscriber, dispatcher};
use tracing_log::NormalizeEvent;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

pub use console::ConsoleLogs;
pub(crate) use late::guard_dropped;
pub(crate) use levels::{Levels, level_of};

use self::late::Late;
use self::span_fields::{Fields, WithSpanFields};
use crate::config::SubscriberConfig;
use crate::control::Live;
use crate::diagnostics;
use crate::pipeline::Pipeline;

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

/// Whether there is a global subscriber. A thread that has just begun has none of its own.
pub(crate) fn has_global() -> bool {
    dispatcher::has_been_set()
        && thread::Builder::new()
            .spawn(diagnostics::has_subscriber)
            .is_ok_and(|asked| asked.join().is_ok_and(|is_some| is_some))
}

/// Sets the global subscriber. Gives back what the operator should know.
pub(crate) fn set_global(
    config: &SubscriberConfig,
    pipeline: Option<&Pipeline>,
) -> Result<Vec<String>, SetGlobalDefaultError> {
    let mut layers: Vec<BoxedLayer> = Vec::new();
    let mut warnings = Vec::new();
    if config.console != ConsoleLogs::Off {
        let (layer, problem) = console::layer(config);
        warnings.extend(problem);
        layers.push(layer);
    }
    if let Some(pipeline) = pipeline {
        layers.push(Box::new(spans(pipeline)));
        layers.push(Box::new(events(pipeline)));
    }
    tracing::subscriber::set_global_default(Registry::default().with(layers))?;
    // What speaks through the `log` crate becomes an event; a logger that somebody set before stays.
    if tracing_log::LogTracer::init().is_err() {
        let told = "a logger of the `log` crate is set already, so what is logged by that crate is not exported: remove it, \
                    or install the telemetry before";
        warnings.push(told.to_owned());
    }
    Ok(warnings)
}

/// Spans and events of `tracing` as spans and log records, for a subscriber that somebody else sets.
pub(crate) fn export_layer<S>(pipeline: &Pipeline) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let layers: Vec<Box<dyn Layer<S> + Send + Sync>> =
        vec![Box::new(spans(pipeline)), Box::new(events(pipeline))];
    layers
}

/// `tracing` spans become spans. Context activation, the default, makes them nest with native spans both ways.
///
/// Events stay out: they are exported as log records, not a second time as span events, and a handled error that was
/// logged does not fail the span.
fn spans<S>(pipeline: &Pipeline) -> impl Layer<S> + Send + Sync + 'static + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(pipeline.tracer_provider.tracer("tracing"))
        .with_context_activation(true)
        .with_location(pipeline.has_code_locations)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(ExportFilter { live: pipeline.live(), wants: |metadata| metadata.is_span() })
}

/// `tracing` events become log records, with the fields of the spans around them.
fn events<S>(pipeline: &Pipeline) -> impl Layer<S> + Send + Sync + 'static + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let bridge = OpenTelemetryTracingBridge::new(&pipeline.logger_provider);
    let wants: fn(&Metadata<'_>) -> bool =
        if pipeline.has_span_fields { |_| true } else { |metadata| metadata.is_event() };
    let add_more =
        if pipeline.has_code_locations { add_location } else { |_: &Event<'_>, _: &mut Fields| {} };
    WithSpanFields { bridge, add_more }
        .and_then(Late)
        .with_filter(ExportFilter { live: pipeline.live(), wants })
}

/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/>
fn add_location(event: &Event<'_>, fields: &mut Fields) {
    // Of a record of the `log` crate, the event's own place is in the bridge from there.
    let normalized = event.normalized_metadata();
    let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
    if let Some(file) = metadata.file() {
        fields.set("code.file.path", file.to_owned().into());
    }
    if let Some(line) = metadata.line() {
        fields.set("code.line.number", i64::from(line).into());
    }
}

/// What is exported: up to the level of the moment, and nothing of the export itself. `tracing` remembers the answer for each
/// place in the code; [`Live::change`](crate::control::Live) makes it ask again.
struct ExportFilter {
    live: Arc<Live>,
    wants: fn(&Metadata<'_>) -> bool,
}

impl ExportFilter {
    fn is_exported(&self, metadata: &Metadata<'_>) -> bool {
        (self.wants)(metadata)
            && self.live.admits(*metadata.level(), metadata.target())
            && !belongs_to_export(metadata.target())
    }
}

impl<S> Filter<S> for ExportFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.is_exported(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_exported(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.live.most_verbose())
    }
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
