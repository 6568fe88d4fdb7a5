//! Samplers that say how much they want, and may be combined before the decision is made.
//!
//! <https://opentelemetry.io/docs/specs/otel/trace/sdk/#compositesampler>

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue, Value};
use otel_core::propagation::{RemoteDecision, remote_decision};

use super::export_feedback::ExportFeedback;
use super::ot_state::OtState;
use super::threshold::{Randomness, Threshold};

/// A sampler that says with which threshold it would sample a span. Others may be built from it; the decision is made
/// once, in the end, by comparing the threshold with the randomness of the trace.
///
/// ```
/// use otel_init::sampling::{ComposableSampler, Intent, NewSpan, Probability, Sampling};
/// use opentelemetry::trace::SpanKind;
///
/// /// Requests with 10 %, everything that begins on its own with 1 %.
/// #[derive(Debug)]
/// struct RequestsFirst(Probability, Probability);
///
/// impl ComposableSampler for RequestsFirst {
///     fn intent(&self, span: &NewSpan<'_>) -> Intent {
///         if *span.kind() == SpanKind::Server { self.0.intent(span) } else { self.1.intent(span) }
///     }
///
///     fn reads_attributes(&self) -> bool {
///         false
///     }
/// }
///
/// let sampling = Sampling::new(RequestsFirst(Probability::new(0.1), Probability::new(0.01)));
/// # let _ = sampling;
/// ```
pub trait ComposableSampler: fmt::Debug + Send + Sync + 'static {
    /// What is wanted for this span. Called whenever a span starts that is not decided by its parent, so it must be quick
    /// and not block.
    fn intent(&self, span: &NewSpan<'_>) -> Intent;

    /// Whether [`NewSpan::attributes`] is looked at. When no sampler does, spans that are not sampled never build their
    /// attributes. Default: `true`.
    fn reads_attributes(&self) -> bool {
        true
    }

    /// For the line that tells the operator what is installed. Default: the type's `Debug`.
    fn description(&self) -> String {
        format!("{self:?}")
    }
}

impl<S: ComposableSampler + ?Sized> ComposableSampler for Arc<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        (**self).intent(span)
    }

    fn reads_attributes(&self) -> bool {
        (**self).reads_attributes()
    }

    fn description(&self) -> String {
        (**self).description()
    }
}

/// What a sampler wants for a span.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Intent {
    pub(crate) threshold: Option<Threshold>,
    pub(crate) is_reliable: bool,
    pub(crate) is_excluded: bool,
    pub(crate) attributes: Vec<KeyValue>,
}

impl Intent {
    /// The span is sampled when the randomness of its trace reaches `threshold`, and stands for as many as that says.
    pub fn sample(threshold: Threshold) -> Self {
        Self { threshold: Some(threshold), is_reliable: true, is_excluded: false, attributes: Vec::new() }
    }

    /// The span is sampled as with [`sample`](Self::sample), but nobody knows how many it stands for: no `th` is written.
    pub fn sample_uncounted(threshold: Threshold) -> Self {
        Self { is_reliable: false, ..Self::sample(threshold) }
    }

    /// The span is not sampled. It may be kept for an error nevertheless, where [`Keep`](super::Keep) is on.
    pub fn drop() -> Self {
        Self { threshold: None, ..Self::sample_uncounted(Threshold::NEVER) }
    }

    /// The span is not sampled and not kept for an error either: nobody wants to see it.
    pub fn exclude() -> Self {
        Self { is_excluded: true, ..Self::drop() }
    }

    /// Attributes that the span gets if it is sampled.
    pub fn with_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// The threshold; `None` when the span is not sampled whatever its randomness.
    #[must_use]
    pub fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    /// Whether the threshold tells how many spans this one stands for.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.is_reliable
    }

    /// Whether a trace of this randomness is sampled.
    #[must_use]
    pub fn samples(&self, randomness: Randomness) -> bool {
        self.threshold.is_some_and(|threshold| threshold.samples(randomness))
    }
}

/// A span that is about to start, as samplers see it.
#[derive(Clone, Copy, Debug)]
pub struct NewSpan<'a> {
    pub(crate) context: &'a Context,
    /// Valid, if there is one.
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) ot: OtState,
    pub(super) start: Start<'a>,
}

/// What the SDK tells of it, and how the export does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) trace_id: TraceId,
    pub(super) name: &'a str,
    pub(super) kind: &'a SpanKind,
    pub(super) attributes: &'a [KeyValue],
    pub(super) links: &'a [Link],
    pub(super) export: Option<&'a ExportFeedback>,
}

impl<'a> NewSpan<'a> {
    /// The context that the span starts in.
    #[must_use]
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// The parent; `None` for the root of a trace.
    #[must_use]
    pub fn parent(&self) -> Option<&'a SpanContext> {
        self.parent
    }

    /// Whether the span is the first of its trace in this process: a root, or the child of a remote parent.
    #[must_use]
    pub fn is_local_root(&self) -> bool {
        self.parent.is_none_or(SpanContext::is_remote)
    }

    /// What a remote parent said, more than its flags hold; see [`remote_decision`].
    #[must_use]
    pub fn remote_decision(&self) -> Option<RemoteDecision> {
        remote_decision(self.context)
    }

    /// The parent, unless it left the decision to us.
    pub(super) fn deciding_parent(&self) -> Option<&'a SpanContext> {
        let parent = self.parent?;
        // Only what came from elsewhere can leave anything open.
        let is_open = parent.is_remote() && self.remote_decision() == Some(RemoteDecision::Deferred);
        (!is_open).then_some(parent)
    }

    /// The threshold that the parent was sampled with, if it is known.
    #[must_use]
    pub fn parent_threshold(&self) -> Option<Threshold> {
        self.ot.threshold
    }

    /// What decides for the whole trace: the `rv` of the parent, or the trace id.
    #[must_use]
    pub fn randomness(&self) -> Randomness {
        self.ot.randomness.unwrap_or_else(|| Randomness::of_trace_id(self.start.trace_id))
    }

    /// The id of the trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.start.trace_id
    }

    /// The name that the span starts with.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.start.name
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'a SpanKind {
        self.start.kind
    }

    /// The attributes that the span starts with. Others that come later are not known yet.
    #[must_use]
    pub fn attributes(&self) -> &'a [KeyValue] {
        self.start.attributes
    }

    /// One of these attributes.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&'a Value> {
        // The last one wins, as it does when the span is exported.
        self.start
            .attributes
            .iter()
            .rev()
            .find(|attribute| attribute.key.as_str() == key)
            .map(|attribute| &attribute.value)
    }

    /// The links.
    #[must_use]
    pub fn links(&self) -> &'a [Link] {
        self.start.links
    }
}
