//! From the SDK's batches to the collector.
//!
//! The SDK's batch threads drive the exporters; each poll happens inside the private runtime (`runtime`), through a
//! client or channel of our own (`http`, `grpc`), and every result passes a [`Monitor`].

mod exporter;
mod grpc;
mod http;
mod monitor;
mod runtime;
mod tls;

pub(crate) use exporter::{MonitoredLogExporter, MonitoredMetricExporter, MonitoredSpanExporter, build};
pub(crate) use monitor::Monitor;
pub(crate) use runtime::ExportRuntime;
