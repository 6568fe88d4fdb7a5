//! From the SDK's batches to the collector.
//!
//! Spans and log records come encoded (`encoded`) from the tasks of `crate::wire`; everything else comes from the SDK's batch
//! threads, through exporters (`exporter`) that encode each batch (`message`). Both hand it to a `sender`, which sends it
//! inside the private runtime (`runtime`) over one of two transports (`transport`), again if need be (`retry`), not at all
//! for a while after repeated failure (`breaker`), and counts every item once (`tally`). What could not be delivered waits, on
//! disk (`disk`) or in memory (`unsent`).
//!
//! Upstream's exporter is not used: it reads the variables of the process over what it is given, hides what a collector
//! rejected, and its transports depend on the features that other crates turn on.

mod advice;
mod any;
mod breaker;
mod build;
mod disk;
mod encoded;
mod exporter;
mod json;
mod message;
mod metrics;
mod monitor;
#[cfg(feature = "prometheus")]
mod prometheus;
mod retry;
mod runtime;
mod sender;
mod stdout;
mod tally;
mod transport;
mod unsent;
mod warnings;

pub use breaker::CircuitState;

pub(crate) use any::{AnyLogExporter, AnyMetricExporter, AnySpanExporter};
pub(crate) use build::{Exporters, build};
pub(crate) use exporter::SignalExporter;
pub(crate) use metrics::attributes_of_metric;
pub(crate) use monitor::Monitor;
#[cfg(feature = "prometheus")]
pub(crate) use prometheus::start as start_prometheus;
pub(crate) use runtime::{ExportRuntime, RuntimeEntry};
pub(crate) use sender::LARGEST_BODY;
pub(crate) use tally::Tally;
