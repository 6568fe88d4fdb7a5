//! What is said about the process.

use std::time::Duration;

use super::TelemetryBuilder;

impl TelemetryBuilder {
    /// Sets which detectors of resource attributes run, by name: `service`, `process`, `host`, `os`, `container`, `k8s`,
    /// with their features `aws`, `gcp`, `azure`, and those added by
    /// [`with_resource_detector`](Self::with_resource_detector). It wins over `OTEL_INIT_RESOURCE_DETECTORS`. The default
    /// is all but those of the clouds, which ask a server; unknown names are passed over.
    pub fn with_resource_detectors<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.into().to_ascii_lowercase());
        self.settings.detectors = Some(names.collect());
        self
    }

    /// Switches one detector of resource attributes off.
    pub fn without_resource_detector(mut self, name: &str) -> Self {
        self.settings.without_detectors.push(name.to_ascii_lowercase());
        self
    }

    /// Bounds the time that all detectors of resource attributes together may take. The default is 2 seconds, the most a
    /// day. What a late one finds is missing, and a warning says so.
    pub fn with_detection_timeout(mut self, timeout: Duration) -> Self {
        self.settings.detection_timeout = Some(timeout);
        self
    }
}
