//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use otel_init::sampling::{SamplerHandle, Sampling};
use otel_init::{
    Control, DiskBuffer, EffectiveConfig, FlushError, FlushReport, Health, InstallError, OtlpDestination,
    Redaction, ShutdownError, ShutdownReport, Span, Telemetry, TelemetryBuilder, Tracer, TracerProvider,
    View,
};

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<Control>();
    is_thread_safe::<DiskBuffer>();
    is_thread_safe::<EffectiveConfig>();
    is_thread_safe::<FlushError>();
    is_thread_safe::<FlushReport>();
    is_thread_safe::<Health>();
    is_thread_safe::<InstallError>();
    is_thread_safe::<OtlpDestination>();
    is_thread_safe::<Redaction>();
    is_thread_safe::<SamplerHandle>();
    is_thread_safe::<Sampling>();
    is_thread_safe::<ShutdownError>();
    is_thread_safe::<ShutdownReport>();
    is_thread_safe::<Span>();
    is_thread_safe::<Telemetry>();
    is_thread_safe::<TelemetryBuilder>();
    is_thread_safe::<Tracer>();
    is_thread_safe::<TracerProvider>();
    is_thread_safe::<View>();
}
