//! The providers of spans and log records: a queue for each way out, and what comes before it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::outlet::{Outlet, Way};
use super::queue;
use super::self_metrics::Processed;
use crate::config::{BatchConfig, Config};
use crate::export::{RuntimeEntry, SignalExporter};
use crate::open_spans::{OpenSpans, registered};
use crate::safety::{
    GuardedSampler, Intake, Lane, Lanes, SafeLogProcessor, SafeSpanProcessor, Safety, counted,
};
use crate::sampling::SamplingControl;
use crate::traces::TracerProvider;

/// What the providers of spans and logs are made of.
pub(super) struct Providers<'a> {
    pub(super) config: &'a Config,
    pub(super) safety: &'a Arc<Safety>,
    pub(super) meters: &'a SdkMeterProvider,
    pub(super) is_ending: &'a Arc<AtomicBool>,
    pub(super) runtime: &'a RuntimeEntry,
}

impl Providers<'_> {
    pub(super) fn logs(
        &self,
        exporters: Vec<(SignalExporter, BatchConfig)>,
    ) -> (SdkLoggerProvider, Vec<Outlet>) {
        let builder = SdkLoggerProvider::builder().with_resource(self.config.resource.clone());
        if exporters.is_empty() {
            return (builder.build(), Vec::new());
        }
        let (mut lanes, mut outlets) = (Vec::new(), Vec::new());
        for (index, (exporter, batch)) in exporters.into_iter().enumerate() {
            let monitor = Arc::clone(&exporter.monitor);
            let (making, intake, _) = self.queue(&exporter, batch, index);
            let processor = Arc::new(making.logs(exporter));
            lanes.push(Lane { intake, processor: Arc::clone(&processor) });
            outlets.push(Outlet { way: Way::Logs(processor), monitor });
        }
        let lanes = Lanes::new(lanes, Arc::clone(self.is_ending));
        let processor = SafeLogProcessor::new(Arc::clone(self.safety), lanes);
        (builder.with_log_processor(processor).build(), outlets)
    }

    pub(super) fn traces(
        &self,
        exporters: Vec<(SignalExporter, BatchConfig)>,
        sampling: &SamplingControl,
        open_spans: Option<&Arc<OpenSpans>>,
    ) -> (TracerProvider, Vec<Outlet>) {
        let sampler = GuardedSampler {
            inner: sampling.sampler(),
            live: Arc::clone(&self.safety.live),
            caps: self.safety.caps.clone(),
            told: Arc::default(),
        };
        let limits = self.config.span_limits;
        if exporters.is_empty() {
            return (TracerProvider::new(sampler, limits, None), Vec::new());
        }
        let (mut lanes, mut outlets) = (Vec::new(), Vec::new());
        for (index, (exporter, batch)) in exporters.into_iter().enumerate() {
            let monitor = Arc::clone(&exporter.monitor);
            let (making, intake, most_entries) = self.queue(&exporter, batch, index);
            let processor = Arc::new(making.spans(exporter));
            lanes.push(Lane { intake, processor: Arc::clone(&processor) });
            sampling.connect(Arc::clone(&monitor.tally), most_entries);
            outlets.push(Outlet { way: Way::Spans(processor), monitor });
        }
        let lanes = Lanes::new(lanes, Arc::clone(self.is_ending));
        let processor = SafeSpanProcessor::new(Arc::clone(self.safety), lanes);
        let processor = counted(self.safety.caps.as_ref(), sampling.processor(processor));
        let processor = registered(open_spans, processor);
        (TracerProvider::new(sampler, limits, Some(processor)), outlets)
    }

    /// What the queue is made with, what comes before it, and the most entries that wait.
    fn queue(
        &self,
        exporter: &SignalExporter,
        batch: BatchConfig,
        index: usize,
    ) -> (queue::Making<'_>, Intake, usize) {
        let monitor = &exporter.monitor;
        let queue = self.config.queue.of(exporter);
        let most_entries = queue.most_entries(batch);
        let processed = Arc::new(Processed::new(self.meters, monitor.signal(), index));
        if queue.is_bounded_by_number(batch) {
            monitor.tally.bound(most_entries as u64);
        }
        let intake = Intake::new(Arc::clone(&monitor.tally), Arc::clone(&processed));
        let resource = &self.config.resource;
        let making = queue::Making { queue, resource, batch, processed, runtime: self.runtime };
        (making, intake, most_entries)
    }
}
