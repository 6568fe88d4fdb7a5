//! Samplers of the SDK among the composable ones.

use std::sync::Arc;

use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};

use super::composable::{ComposableSampler, Intent, NewSpan, Start};
use super::threshold::Threshold;

/// A sampler of the SDK, or of another crate. It says neither with which probability it samples, nor what to do with errors.
#[derive(Clone, Debug)]
pub(crate) struct SdkSampler {
    sampler: Arc<dyn ShouldSample>,
    name: String,
    reads_attributes: bool,
}

impl SdkSampler {
    /// One of those that look at nothing but trace ids and parents.
    pub(crate) fn named(sampler: Sampler, name: String) -> Self {
        Self { sampler: Arc::new(sampler), name, reads_attributes: false }
    }

    pub(super) fn unknown(sampler: Box<dyn ShouldSample>) -> Self {
        let name = format!("{sampler:?}");
        Self { sampler: Arc::from(sampler), name, reads_attributes: true }
    }

    /// The attributes that it adds to a span that it samples.
    pub(super) fn sample(&self, context: &Context, start: Start<'_>) -> Option<Vec<KeyValue>> {
        let Start { trace_id, name, kind, attributes, links, .. } = start;
        let result = self.sampler.should_sample(Some(context), trace_id, name, kind, attributes, links);
        (result.decision == SamplingDecision::RecordAndSample).then_some(result.attributes)
    }
}

impl ComposableSampler for SdkSampler {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        match self.sample(span.context, span.start) {
            Some(attributes) => Intent::sample_uncounted(Threshold::ALWAYS).with_attributes(attributes),
            None => Intent::drop(),
        }
    }

    fn reads_attributes(&self) -> bool {
        self.reads_attributes
    }

    fn description(&self) -> String {
        self.name.clone()
    }
}
