//! The composable samplers that the specification names, and two for services in the middle of a trace.

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanContext;

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::threshold::Threshold;

/// Samples every span: `th:0`.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composablealwayson>
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysOn;

impl ComposableSampler for AlwaysOn {
    fn intent(&self, _: &NewSpan<'_>) -> Intent {
        Intent::sample(Threshold::ALWAYS)
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        "always_on".to_owned()
    }
}

/// Samples no span, and keeps none for its error either.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composablealwaysoff>
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysOff;

impl ComposableSampler for AlwaysOff {
    fn intent(&self, _: &NewSpan<'_>) -> Intent {
        Intent::exclude()
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        "always_off".to_owned()
    }
}

/// Samples a share of the traces, the same ones wherever the same or a higher probability is asked for.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composableprobability>
#[derive(Clone, Copy, Debug)]
pub struct Probability {
    threshold: Threshold,
}

impl Probability {
    /// A share from 0 to 1. Below and above count as 0 and 1; 0 samples nothing and may keep errors.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self { threshold: Threshold::from_probability(ratio) }
    }
}

impl ComposableSampler for Probability {
    fn intent(&self, _: &NewSpan<'_>) -> Intent {
        if self.threshold == Threshold::NEVER { Intent::drop() } else { Intent::sample(self.threshold) }
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        format!("probability {}", percent(self.threshold.probability()))
    }
}

/// A share in per cent, to three significant digits.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent <= 0.0 { 0 } else { (2 - percent.log10().floor() as i32).clamp(0, 12) };
    let text = format!("{percent:.*}", usize::try_from(digits).unwrap_or(0));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// Goes on with the threshold of the parent; without a parent, `root` decides.
///
/// A parent without threshold is followed by its flag, and how many its spans stand for stays unknown; so is a sampled one
/// with a threshold by which it would not have been. One that left the decision to us, as B3 may, counts as none.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composableparentthreshold>
#[derive(Clone, Debug)]
pub struct ParentThreshold<S> {
    root: S,
}

impl<S: ComposableSampler> ParentThreshold<S> {
    /// `root` decides for traces that begin here.
    #[must_use]
    pub fn new(root: S) -> Self {
        Self { root }
    }
}

impl<S: ComposableSampler> ComposableSampler for ParentThreshold<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        match span.deciding_parent() {
            Some(parent) => of_parent(parent, span),
            None => self.root.intent(span),
        }
    }

    fn reads_attributes(&self) -> bool {
        self.root.reads_attributes()
    }

    fn description(&self) -> String {
        format!("parent_threshold, root {}", self.root.description())
    }
}

/// What the parent was sampled with.
///
/// "If a sampled incoming threshold is apparently inconsistent, erase it": a trace that its caller sampled goes on, by whatever
/// the threshold says that it should not have been.
pub(super) fn of_parent(parent: &SpanContext, span: &NewSpan<'_>) -> Intent {
    let is_sampled = parent.is_sampled();
    match span.parent_threshold().filter(|known| !is_sampled || known.samples(span.randomness())) {
        Some(threshold) => Intent::sample(threshold),
        None if is_sampled => Intent::sample_uncounted(Threshold::ALWAYS),
        None => Intent::drop(),
    }
}

/// Adds attributes to the spans that another sampler samples.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composableannotating>
#[derive(Clone, Debug)]
pub struct Annotating<S> {
    inner: S,
    attributes: Vec<KeyValue>,
}

impl<S: ComposableSampler> Annotating<S> {
    /// `inner` decides.
    #[must_use]
    pub fn new(inner: S, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        Self { inner, attributes: attributes.into_iter().collect() }
    }
}

impl<S: ComposableSampler> ComposableSampler for Annotating<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        let intent = self.inner.intent(span);
        // Attributes of a span that is not sampled would be cloned for nothing.
        if intent.samples(span.randomness()) {
            intent.with_attributes(self.attributes.iter().cloned())
        } else {
            intent
        }
    }

    fn reads_attributes(&self) -> bool {
        self.inner.reads_attributes()
    }

    fn description(&self) -> String {
        format!("{}, annotated", self.inner.description())
    }
}

/// Samples a share of all traces, less of those that a caller sampled with a lower share already: for a service that gets
/// more sampled traces than it wants.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/#downstream-samplers>
#[derive(Clone, Copy, Debug)]
pub struct Equalizing {
    threshold: Threshold,
}

impl Equalizing {
    /// The share of all traces, 0 to 1.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self { threshold: Threshold::from_probability(ratio) }
    }
}

impl ComposableSampler for Equalizing {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        narrowed(span, |known| known.max(self.threshold))
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        format!("equalizing to {}", percent(self.threshold.probability()))
    }
}

/// Samples a share of what the caller sampled; of traces that begin here, that share.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/#downstream-samplers>
#[derive(Clone, Copy, Debug)]
pub struct Proportional {
    share: f64,
}

impl Proportional {
    /// The share of the sampled traces, 0 to 1.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { share: if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) } }
    }
}

impl ComposableSampler for Proportional {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        narrowed(span, |known| known.scaled(self.share))
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        format!("proportional {}", percent(self.share))
    }
}

/// What the parent was sampled with, sharpened. A parent of unknown probability counts as one of certainty, and the
/// result is as unknown as that was.
fn narrowed(span: &NewSpan<'_>, sharpen: impl Fn(Threshold) -> Threshold) -> Intent {
    let known = match span.deciding_parent() {
        Some(parent) => of_parent(parent, span),
        None => Intent::sample(Threshold::ALWAYS),
    };
    let threshold = known.threshold.map(sharpen).filter(|threshold| *threshold != Threshold::NEVER);
    Intent { threshold, ..known }
}
