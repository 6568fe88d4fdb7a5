//! A limit on what one sampler samples.

use super::bucket::Admission;
use super::composable::{ComposableSampler, Intent, NewSpan};
use super::rate_limit::RateLimit;

/// What another sampler samples, up to a limit.
///
/// [`Sampling::with_rate_limit`](super::Sampling::with_rate_limit) limits everything that begins here, and counts what it
/// refuses in [`SamplingHealth`](super::SamplingHealth); this limits what one rule samples, and does not count.
#[derive(Clone, Debug)]
pub struct RateLimited<S> {
    inner: S,
    limit: RateLimit,
}

impl<S: ComposableSampler> RateLimited<S> {
    /// `inner` decides, within `limit`.
    #[must_use]
    pub fn new(inner: S, limit: RateLimit) -> Self {
        Self { inner, limit }
    }
}

impl<S: ComposableSampler> ComposableSampler for RateLimited<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        limited(self.inner.intent(span), &self.limit, span)
    }

    fn reads_attributes(&self) -> bool {
        self.inner.reads_attributes() || self.limit.reads_attributes()
    }

    fn description(&self) -> String {
        format!("{}, {}", self.inner.description(), self.limit.description())
    }
}

/// Takes a token for what would be sampled, and only for that.
pub(super) fn limited(intent: Intent, limit: &RateLimit, span: &NewSpan<'_>) -> Intent {
    if !intent.samples(span.randomness()) {
        return intent;
    }
    match limit.admit(span) {
        Admission::Admitted => intent,
        Admission::Uncounted => Intent { is_reliable: false, ..intent },
        Admission::Refused => Intent::drop(),
    }
}
