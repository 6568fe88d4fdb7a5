#![doc = include_str!("docs/crate.md")]
#![doc = ""]
#![doc = include_str!("docs/variables.md")]
#![doc = ""]
#![doc = include_str!("docs/export.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod config;
mod control;
mod detectors;
mod diagnostics;
mod error;
mod export;
mod health;
mod install;
mod metrics;
mod open_spans;
mod panics;
mod pipeline;
mod safety;
pub mod sampling;
mod shutdown;
mod signal;
mod subscriber;
mod sync;
mod telemetry;
mod ticker;
mod traces;
mod wire;

pub use opentelemetry;
pub use opentelemetry_sdk;
pub use tracing_opentelemetry;
pub use tracing_subscriber::filter::LevelFilter;

pub use builder::{DiskBuffer, OnError, OtlpDestination, TelemetryBuilder};
pub use config::{EffectiveConfig, EffectiveSetting, Protocol, SettingSource};
pub use control::Control;
pub use error::{FlushError, InstallError, ShutdownError, SignalFailure};
pub use export::CircuitState;
pub use health::{Health, SignalHealth};
pub use metrics::{ExemplarFilter, MeterProvider, View};
pub use open_spans::OpenSpan;
pub use pipeline::Queue;
pub use safety::{DropRule, Redact, RedactWith, Redaction, SpanSelector};
pub use shutdown::{FlushReport, ShutdownReport, shutdown_signal};
pub use signal::Signal;
pub use subscriber::ConsoleLogs;
pub use telemetry::Telemetry;
pub use traces::{Span, Tracer, TracerProvider};
