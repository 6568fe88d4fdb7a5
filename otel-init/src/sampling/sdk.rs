//! Samplers of the SDK among the composable ones.

use std::sync::Arc;

use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::threshold::Threshold;

/// A sampler of the SDK, or of another crate. It says neither with which probability it samples, nor what to do with errors.
#[derive(Clone, Debug)]
pub(crate) struct SdkSampler {
    sampler: Arc<dyn ShouldSample>,
    name: String,
    reads_attributes: bool,
    samples_all: bool,
}

impl SdkSampler {
    /// One of those that look at nothing but trace ids and parents.
    pub(crate) fn named(sampler: Sampler, name: String) -> Self {
        let samples_all = match sampler {
            Sampler::AlwaysOn => true,
            Sampler::TraceIdRatioBased(ratio) => ratio >= 1.0,
            _ => false,
        };
        Self { sampler: Arc::new(sampler), name, reads_attributes: false, samples_all }
    }

    pub(super) fn unknown(sampler: Box<dyn ShouldSample>) -> Self {
        let name = format!("{sampler:?}");
        Self { sampler: Arc::from(sampler), name, reads_attributes: true, samples_all: false }
    }

    /// Whether it is known to sample every span.
    pub(super) fn samples_all(&self) -> bool {
        self.samples_all
    }
}

impl ComposableSampler for SdkSampler {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        let NewSpan { context, trace_id, name, kind, attributes, links, .. } = *span;
        let result = self.sampler.should_sample(Some(context), trace_id, name, kind, attributes, links);
        match result.decision {
            SamplingDecision::RecordAndSample => {
                Intent::sample_uncounted(Threshold::ALWAYS).with_attributes(result.attributes)
            }
            SamplingDecision::Drop | SamplingDecision::RecordOnly => Intent::drop(),
        }
    }

    fn reads_attributes(&self) -> bool {
        self.reads_attributes
    }

    fn description(&self) -> String {
        self.name.clone()
    }
}
