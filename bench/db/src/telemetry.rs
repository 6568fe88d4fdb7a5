//! Providers for each version of OpenTelemetry that is compared.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;

static SAMPLED: AtomicBool = AtomicBool::new(true);

/// Whether spans are sampled from now on.
pub fn sample(sampled: bool) {
    SAMPLED.store(sampled, Ordering::Relaxed);
}

/// The same for each version: a switch as the sampler, and a processor that ends a span as cheaply as possible, so that the
/// instrumentations are measured and not an exporter.
macro_rules! providers_of {
    ($version:ident, $api:ident, $sdk:ident) => {
        mod $version {
            use std::hint::black_box;
            use std::sync::atomic::Ordering;
            use std::time::Duration;

            use $api::trace::{Link, SpanKind, TraceId, TraceState};
            use $api::{Context, KeyValue, global};
            use $sdk::error::OTelSdkResult;
            use $sdk::metrics::{ManualReader, SdkMeterProvider};
            use $sdk::trace::{
                SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData,
                SpanProcessor,
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

            /// Makes them the global ones.
            pub(super) fn install() -> (SdkTracerProvider, SdkMeterProvider) {
                let tracer_provider =
                    SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
                let reader = ManualReader::builder().build();
                let meter_provider = SdkMeterProvider::builder().with_reader(reader).build();
                global::set_tracer_provider(tracer_provider.clone());
                global::set_meter_provider(meter_provider.clone());
                (tracer_provider, meter_provider)
            }
        }
    };
}

providers_of!(current, opentelemetry, opentelemetry_sdk);
// sqlx-otel is behind by a version.
providers_of!(before, opentelemetry_0_32, opentelemetry_sdk_0_32);

/// Installs all of them.
pub fn install() -> (SdkTracerProvider, SdkMeterProvider) {
    before::install();
    let (tracer_provider, meter_provider) = current::install();
    let layer = tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("bench"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).expect("the first");
    // As otel-init does it.
    otel_core::Install::new()
        .with_tracer_provider(tracer_provider.clone())
        .with_sampler_reads_attributes(false)
        .with_bound_instruments(true)
        .announce();
    (tracer_provider, meter_provider)
}
