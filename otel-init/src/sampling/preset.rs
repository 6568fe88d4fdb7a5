//! What is sampled in four situations.

use std::time::Duration;

use super::keep::Keep;
use super::rate_limit::RateLimit;
use super::sampling::{Sampling, Variables};

/// Its name, its probability, and how it is made with another one.
type Preset = (&'static str, f64, fn(f64) -> Sampling);

const PRESETS: [Preset; 4] = [
    ("development", 1.0, Sampling::development_with),
    ("staging", 0.5, Sampling::staging_with),
    ("production", 0.05, Sampling::production_with),
    ("emergency", 0.1, Sampling::emergency_with),
];

impl Sampling {
    /// Everything, for a developer's machine, where every trace is of interest and there are few.
    ///
    /// Spans are exported after half a second instead of five, and metrics every five seconds instead of sixty: who has just
    /// made a request wants to see it. `OTEL_TRACES_SAMPLER` wins over a preset, and so does any variable over what a preset
    /// says about the export.
    pub fn development() -> Self {
        Self::development_with(1.0)
    }

    /// Every second trace: enough load on the collector to notice what production will do to it, and any request that is
    /// tried twice or thrice is there.
    pub fn staging() -> Self {
        Self::staging_with(0.5)
    }

    /// 5 % of the traces, 1,000 of them a minute for each route at most, and every trace with an error or a request that
    /// takes a second or longer.
    ///
    /// One in twenty shows what is usual: of a route with a request a second, 4,300 traces a day. The limit keeps one busy
    /// route from taking the room of all others: it begins to count above 330 requests a second. A second is what a caller
    /// notices.
    pub fn production() -> Self {
        Self::production_with(0.05)
    }

    /// 10 % of the traces, 100 a second at most: for a process under attack or in an incident, whose telemetry must stay
    /// small and come soon.
    ///
    /// Spans are exported after a second instead of five, so that what led to a crash has left; a request to the collector
    /// may take a second, so that a slow collector costs no more than that; the queue holds 2,048 spans, which bounds the
    /// memory. 100 traces a second of 20 spans each are what such a queue takes in a second.
    pub fn emergency() -> Self {
        Self::emergency_with(0.1)
    }

    /// One of the presets by its name, with another probability than its own; `None` if there is none of that name.
    pub(crate) fn preset(name: &str, ratio: Option<f64>) -> Option<Self> {
        let (_, own, make) = PRESETS.iter().find(|(known, ..)| *known == name)?;
        Some(make(ratio.unwrap_or(*own)))
    }

    /// The probability that a preset has by itself.
    pub(crate) fn preset_ratio(name: &str) -> Option<f64> {
        PRESETS.iter().find(|(known, ..)| *known == name).map(|(_, own, _)| *own)
    }

    fn development_with(ratio: f64) -> Self {
        const VARIABLES: Variables =
            &[("OTEL_BSP_SCHEDULE_DELAY", "500"), ("OTEL_METRIC_EXPORT_INTERVAL", "5000")];
        Self { variables: VARIABLES, ..Self::probability(ratio).named("development") }
    }

    fn staging_with(ratio: f64) -> Self {
        Self::probability(ratio).named("staging")
    }

    fn production_with(ratio: f64) -> Self {
        let keep = Keep::errors().with_slower_than(Duration::from_secs(1));
        let limit = RateLimit::per_minute(1000.0).for_each_route();
        Self::probability(ratio).with_rate_limit(limit).with_keep(keep).named("production")
    }

    fn emergency_with(ratio: f64) -> Self {
        const VARIABLES: Variables = &[
            ("OTEL_BSP_SCHEDULE_DELAY", "1000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "1000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "2048"),
        ];
        // "10 % at most": who wants more chooses another preset.
        let sampling = Self::probability(ratio.min(0.1)).with_rate_limit(RateLimit::per_second(100.0));
        Self { variables: VARIABLES, ..sampling.named("emergency") }
    }

    fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }
}
