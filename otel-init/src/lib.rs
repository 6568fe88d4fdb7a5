#![doc = include_str!("docs/crate.md")]
#![doc = ""]
#![doc = include_str!("docs/variables.md")]
#![doc = ""]
#![doc = include_str!("docs/export.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod caught;
mod causes;
mod completion;
mod config;
mod console;
mod control;
mod destination;
mod detectors;
mod diagnostics;
mod disk_buffer;
mod effective;
mod error;
mod export;
mod health;
mod install;
mod late;
mod levels;
mod logfmt;
mod metrics;
mod on_error;
mod outlet;
mod panic_hook;
mod panic_log;
mod pipeline;
mod protocol;
mod queue;
mod registry;
mod runtime_metrics;
mod safety;
pub mod sampling;
mod self_metrics;
mod shards;
mod shutdown;
mod shutdown_signal;
mod signal;
mod span_fields;
mod subscriber;
mod sync;
mod telemetry;
mod traces;
mod wire;

pub use opentelemetry;
pub use opentelemetry_sdk;
pub use tracing_opentelemetry;
pub use tracing_subscriber::filter::LevelFilter;

pub use builder::TelemetryBuilder;
pub use console::ConsoleLogs;
pub use control::Control;
pub use destination::OtlpDestination;
pub use disk_buffer::DiskBuffer;
pub use effective::{EffectiveConfig, EffectiveSetting, SettingSource};
pub use error::{FlushError, FlushReport, InstallError, ShutdownError, ShutdownReport, SignalFailure};
pub use export::CircuitState;
pub use health::{Health, SignalHealth};
pub use metrics::{ExemplarFilter, MeterProvider, View};
pub use on_error::OnError;
pub use protocol::Protocol;
pub use queue::Queue;
pub use safety::{DropRule, Redact, RedactWith, Redaction, SpanSelector};
pub use shutdown_signal::shutdown_signal;
pub use signal::Signal;
pub use telemetry::Telemetry;
pub use traces::{Span, Tracer, TracerProvider};
