//! Providers for each version of OpenTelemetry that is compared.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use tracing_subscriber::layer::SubscriberExt;

static SAMPLED: AtomicBool = AtomicBool::new(true);

/// Whether spans are sampled from now on.
pub fn sample(sampled: bool) {
    SAMPLED.store(sampled, Ordering::Relaxed);
}

#[derive(Clone, Debug)]
struct Switch;

impl ShouldSample for Switch {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let decision = match SAMPLED.load(Ordering::Relaxed) {
            true => SamplingDecision::RecordAndSample,
            false => SamplingDecision::Drop,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
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

/// Installs all of them.
pub fn install() -> (SdkTracerProvider, SdkMeterProvider) {
    let tracer_provider =
        SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
    let meter_provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    global::set_tracer_provider(tracer_provider.clone());
    global::set_meter_provider(meter_provider.clone());
    let layer = tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("bench"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).expect("the first");
    // As otel-init does it.
    otel_core::Install::new()
        .with_tracer_provider(tracer_provider.clone())
        .with_sampler_reads_attributes(false)
        .with_bound_instruments(true)
        .announce();
    of_sqlx_otel::install();
    (tracer_provider, meter_provider)
}

/// The same for sqlx-otel, which is behind by a version.
mod of_sqlx_otel {
    use std::hint::black_box;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use opentelemetry_0_32::trace::{Link, SpanKind, TraceId, TraceState};
    use opentelemetry_0_32::{Context, KeyValue, global};
    use opentelemetry_sdk_0_32::error::OTelSdkResult;
    use opentelemetry_sdk_0_32::metrics::{ManualReader, SdkMeterProvider};
    use opentelemetry_sdk_0_32::trace::{
        SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
    };

    use super::SAMPLED;

    #[derive(Clone, Debug)]
    struct Switch;

    impl ShouldSample for Switch {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let decision = match SAMPLED.load(Ordering::Relaxed) {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            };
            SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
        }
    }

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

    pub(crate) fn install() {
        let tracer_provider =
            SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
        let reader = ManualReader::builder().build();
        global::set_tracer_provider(tracer_provider);
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    }
}
