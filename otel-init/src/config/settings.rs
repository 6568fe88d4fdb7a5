//! What the builder was told.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use otel_core::propagation::PropagatorRegistry;

use super::{HeaderProvider, Protocol};
use crate::builder::Registry;
use crate::metrics::MetricSettings;
use crate::safety::SafetySettings;
use crate::sampling::Sampling;
use crate::subscriber::Levels;
use crate::{ConsoleLogs, DiskBuffer, OtlpDestination, Queue, Signal};

/// What the code said. `None` leaves the choice to the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) service_name: Option<String>,
    pub(crate) service_version: Option<String>,
    pub(crate) resource_attributes: Vec<KeyValue>,
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) metric_export_interval: Option<Duration>,
    pub(crate) console_logs: Option<ConsoleLogs>,
    pub(crate) console_on_stdout: bool,
    pub(crate) telemetry_levels: Levels,
    pub(crate) without_tracing_subscriber: bool,
    pub(crate) safety: SafetySettings,
    pub(crate) propagators: PropagatorRegistry,
    pub(crate) sampling: Option<Sampling>,
    pub(crate) panic_hook: bool,
    pub(crate) registry: Registry,
    /// Instead of `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`.
    pub(crate) exporters: BTreeMap<Signal, Vec<String>>,
    pub(crate) destinations: Vec<OtlpDestination>,
    pub(crate) header_provider: Option<HeaderProvider>,
    pub(crate) temporality: Option<Temporality>,
    pub(crate) metrics: MetricSettings,
    pub(crate) without_span_fields: bool,
    pub(crate) code_locations: bool,
    pub(crate) disk: Option<DiskBuffer>,
    pub(crate) queue: Queue,
    pub(crate) config_file: Option<String>,
    /// Those that run; `None` for those that only look at this machine.
    pub(crate) detectors: Option<Vec<String>>,
    pub(crate) without_detectors: Vec<String>,
    pub(crate) detection_timeout: Option<Duration>,
}
