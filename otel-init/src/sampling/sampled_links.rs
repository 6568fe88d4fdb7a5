//! Consumers of messages from sampled traces.

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::threshold::Threshold;

/// Samples spans that link to a sampled one, such as a consumer's whose message was sent in a sampled trace; another sampler
/// decides about the rest. Without it a consumer that begins a trace of its own is sampled or not by chance, and few links
/// lead anywhere.
///
/// Nobody knows how many such a span stands for, so no `th` is written for it.
///
/// ```
/// use otel_init::sampling::{Probability, SampledLinks, Sampling};
///
/// let sampling = Sampling::new(SampledLinks::or(Probability::new(0.05)));
/// # let _ = sampling;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SampledLinks<S> {
    otherwise: S,
}

impl<S: ComposableSampler> SampledLinks<S> {
    /// `otherwise` decides about spans without a link to a sampled one.
    #[must_use]
    pub fn or(otherwise: S) -> Self {
        Self { otherwise }
    }
}

impl<S: ComposableSampler> ComposableSampler for SampledLinks<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        if span.links().iter().any(|link| link.span_context.is_sampled()) {
            Intent::sample_uncounted(Threshold::ALWAYS)
        } else {
            self.otherwise.intent(span)
        }
    }

    fn reads_attributes(&self) -> bool {
        self.otherwise.reads_attributes()
    }

    fn description(&self) -> String {
        format!("sampled links, otherwise {}", self.otherwise.description())
    }
}
