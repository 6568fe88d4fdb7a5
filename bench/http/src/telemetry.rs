//! What records: providers whose processor drops, and a sampler with a switch.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::propagation as upstream;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use otel_core::propagation::{BaggagePropagator, TraceContextPropagator};
use tracing_subscriber::layer::SubscriberExt;

static INSTALLED: AtomicBool = AtomicBool::new(false);
static SAMPLED: AtomicBool = AtomicBool::new(true);

/// Samples everything or nothing, as the switch says: the `tracing` subscriber of a process cannot be replaced.
#[derive(Clone, Debug)]
struct Switch;

impl ShouldSample for Switch {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let trace_state = match parent {
            Some(parent) if parent.has_active_span() => parent.span().span_context().trace_state().clone(),
            _ => TraceState::default(),
        };
        let decision = match SAMPLED.load(Ordering::Relaxed) {
            true => SamplingDecision::RecordAndSample,
            false => SamplingDecision::Drop,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}

/// Ends a span as cheaply as possible, so that the instrumentations are measured and not an exporter.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, span: SpanData) {
        black_box(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The providers of the process.
pub struct Installed {
    pub tracer_provider: SdkTracerProvider,
    pub meter_provider: SdkMeterProvider,
}

/// Sets the globals and the `tracing` subscriber, as `otel-init` does.
pub fn install() -> Installed {
    let tracer_provider =
        SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
    let meter_provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    global::set_tracer_provider(tracer_provider.clone());
    global::set_meter_provider(meter_provider.clone());
    INSTALLED.store(true, Ordering::Relaxed);
    propagate(true);
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("bench")));
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    announce(Some(&tracer_provider));
    Installed { tracer_provider, meter_provider }
}

/// Makes our propagators the global ones, or upstream's, which users of the other instrumentations have. None as long as
/// nothing is installed.
pub fn propagate(ours: bool) {
    if INSTALLED.load(Ordering::Relaxed) {
        global::set_text_map_propagator(match ours {
            true => our_propagator(),
            false => TextMapCompositePropagator::new(vec![
                Box::new(upstream::TraceContextPropagator::new()),
                Box::new(upstream::BaggagePropagator::new()),
            ]),
        });
    }
}

fn our_propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

/// Samples all spans from now on, or none.
pub fn sample(all: bool) {
    SAMPLED.store(all, Ordering::Relaxed);
}

/// Leaves metrics alone: for the instrumentations that take the global providers.
pub fn without_traces() {
    global::set_tracer_provider(opentelemetry::trace::noop::NoopTracerProvider::new());
    announce(None);
}

/// What `otel-init` says of its SDK. With `UNBOUND=1` in the environment, what an SDK without bound instruments allows.
fn announce(tracer_provider: Option<&SdkTracerProvider>) {
    let binds = std::env::var_os("UNBOUND").is_none();
    let install = otel_core::Install::new()
        .with_propagator(our_propagator())
        .with_propagator_reads_only_w3c(true)
        .with_sampler_reads_attributes(false)
        .with_bound_instruments(binds);
    match tracer_provider {
        Some(provider) => install.with_tracer_provider(provider.clone()).announce(),
        None => install.announce(),
    }
}

/// A subscriber with the OpenTelemetry that reqwest-tracing works with.
pub fn older_subscriber() -> tracing::Dispatch {
    let provider = opentelemetry_sdk_0_32::trace::SdkTracerProvider::builder().build();
    opentelemetry_0_32::global::set_text_map_propagator(
        opentelemetry_sdk_0_32::propagation::TraceContextPropagator::new(),
    );
    let tracer = opentelemetry_0_32::trace::TracerProvider::tracer(&provider, "bench");
    let layer = tracing_opentelemetry_0_33::layer().with_tracer(tracer);
    tracing::Dispatch::new(tracing_subscriber::registry().with(layer))
}
