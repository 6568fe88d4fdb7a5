//! What is sampled, as one value: head, limits, what is kept, who may ask for more.

use std::fmt;
use std::sync::Arc;

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry_sdk::trace::{Sampler, ShouldSample};

use super::SamplingControl;
use super::composable::ComposableSampler;
use super::debug_header::DebugHeader;
use super::keep::Keep;
use super::rate_limit::RateLimit;
use super::samplers::Probability;
use super::sdk_sampler::SdkSampler;
use crate::panics::caught;

/// Which traces are recorded: the value for
/// [`TelemetryBuilder::with_sampling`](crate::TelemetryBuilder::with_sampling).
///
/// A head sampler decides when a trace begins here. Spans below it, and traces that a caller sampled or did not sample,
/// follow that decision. Limits take away from what the head sampled; [`Keep`] adds the traces with errors and the slow
/// ones.
///
/// ```
/// use std::time::Duration;
/// use otel_init::sampling::{Keep, Probability, Rule, RuleBased, Sampling};
///
/// let head = RuleBased::new()
///     .with_rule(Rule::route("/health*").never())
///     .otherwise(Probability::new(0.01));
/// let sampling = Sampling::new(head).with_keep(Keep::errors().with_slower_than(Duration::from_secs(1)));
/// let builder = otel_init::Telemetry::builder().with_sampling(sampling);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Sampling {
    /// That of a preset.
    pub(super) name: Option<&'static str>,
    pub(super) head: Head,
    pub(super) is_parent_based: bool,
    pub(super) branches: Branches,
    pub(super) limits: Vec<RateLimit>,
    pub(super) keep: Option<Keep>,
    pub(super) debug_header: Option<DebugHeader>,
    pub(super) variables: Variables,
}

/// Variables, and the values they have where they are not set.
pub(super) type Variables = &'static [(&'static str, &'static str)];

/// Who decides when a trace begins here.
#[derive(Clone, Debug)]
pub(super) enum Head {
    Composable(Arc<dyn ComposableSampler>),
    Sdk(SdkSampler),
}

/// Samplers for spans with a parent, where they are not the default.
#[derive(Clone, Debug, Default)]
pub(super) struct Branches {
    pub(super) remote_sampled: Option<Arc<dyn ComposableSampler>>,
    pub(super) remote_not_sampled: Option<Arc<dyn ComposableSampler>>,
    pub(super) local_sampled: Option<Arc<dyn ComposableSampler>>,
    pub(super) local_not_sampled: Option<Arc<dyn ComposableSampler>>,
}

impl Sampling {
    /// `head` decides for traces that begin here; the others follow their parent.
    pub fn new(head: impl ComposableSampler) -> Self {
        Self::of(Head::Composable(Arc::new(head)))
    }

    /// A share of the traces that begin here, 0 to 1, the same ones in every service that asks for as much or more.
    pub fn probability(ratio: f64) -> Self {
        Self::new(Probability::new(ratio))
    }

    /// A sampler of the SDK, or of another crate, decides for traces that begin here. It writes no threshold, so nobody can
    /// tell how many traces a sampled one stands for; what it does to `tracestate` is not kept, and what it would record without
    /// sampling is not recorded.
    pub fn sdk(head: impl Into<Box<dyn ShouldSample>>) -> Self {
        Self::of(Head::Sdk(SdkSampler::unknown(head.into())))
    }

    pub(crate) fn sdk_named(head: Sampler, name: String) -> Self {
        Self::of(Head::Sdk(SdkSampler::named(head, name)))
    }

    fn of(head: Head) -> Self {
        Self {
            name: None,
            head,
            is_parent_based: true,
            branches: Branches::default(),
            limits: Vec::new(),
            keep: None,
            debug_header: None,
            variables: &[],
        }
    }

    /// Lets the head decide for every span anew, whatever its parent is. Traces are incomplete then, unless the head
    /// decides by the trace id alone.
    pub fn without_parent(mut self) -> Self {
        self.is_parent_based = false;
        self
    }

    /// Decides for traces that a caller sampled. The default goes on with the caller's threshold:
    /// [`ParentThreshold`](super::ParentThreshold).
    pub fn with_remote_parent_sampled(mut self, sampler: impl ComposableSampler) -> Self {
        self.branches.remote_sampled = Some(Arc::new(sampler));
        self
    }

    /// Decides for traces that a caller did not sample. The default does not sample them either.
    pub fn with_remote_parent_not_sampled(mut self, sampler: impl ComposableSampler) -> Self {
        self.branches.remote_not_sampled = Some(Arc::new(sampler));
        self
    }

    /// Decides for spans below a sampled one of this process. The default samples them.
    pub fn with_local_parent_sampled(mut self, sampler: impl ComposableSampler) -> Self {
        self.branches.local_sampled = Some(Arc::new(sampler));
        self
    }

    /// Decides for spans below one of this process that is not sampled. The default does not sample them either.
    pub fn with_local_parent_not_sampled(mut self, sampler: impl ComposableSampler) -> Self {
        self.branches.local_not_sampled = Some(Arc::new(sampler));
        self
    }

    /// Takes away from what the head samples. Several limits hold one after the other.
    pub fn with_rate_limit(mut self, limit: RateLimit) -> Self {
        self.limits.push(limit);
        self
    }

    /// Keeps traces with errors, slow ones, or both, although the head did not want them.
    pub fn with_keep(mut self, keep: Keep) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Samples the requests of those who have a key, whatever the rate.
    pub fn with_debug_header(mut self, header: DebugHeader) -> Self {
        self.debug_header = Some(header);
        self
    }

    /// The sampler for a provider that is built by hand. Nothing is kept for its errors there: that needs the processor that
    /// [`install`](crate::TelemetryBuilder::install) adds. Of a head [`without_parent`](Self::without_parent) it is what the
    /// specification calls a composite sampler: <https://opentelemetry.io/docs/specs/otel/trace/sdk/#compositesampler>.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    /// use otel_init::opentelemetry_sdk;
    /// use otel_init::sampling::Sampling;
    ///
    /// let provider = SdkTracerProvider::builder().with_sampler(Sampling::probability(0.1).sampler()).build();
    /// # let _ = provider;
    /// ```
    #[must_use]
    pub fn sampler(&self) -> impl ShouldSample + Clone + use<> {
        SamplingControl::new(&Self { keep: None, ..self.clone() }, None).sampler()
    }

    /// Whether a variable may choose something else.
    pub(crate) fn is_preset(&self) -> bool {
        self.name.is_some()
    }

    /// Looks up what variables are where they are not set.
    pub(crate) fn variables(&self) -> impl Fn(&str) -> Option<String> + use<> {
        let variables = self.variables;
        move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    pub(crate) fn debug_header(&self) -> Option<&DebugHeader> {
        self.debug_header.as_ref()
    }

    /// What reads the debug header too, if there is one.
    pub(crate) fn with_debug_header_in(
        &self,
        propagator: TextMapCompositePropagator,
    ) -> TextMapCompositePropagator {
        match &self.debug_header {
            Some(header) => {
                TextMapCompositePropagator::new(vec![Box::new(propagator), Box::new(header.propagator())])
            }
            None => propagator,
        }
    }

    /// The head, if it is one of the SDK's and nothing takes away from what it samples.
    pub(super) fn sdk_alone(&self) -> Option<&SdkSampler> {
        match &self.head {
            Head::Sdk(sampler) if self.limits.is_empty() => Some(sampler),
            _ => None,
        }
    }

    /// Whether spans that are not sampled must build their attributes first.
    pub(crate) fn reads_attributes(&self) -> bool {
        self.head.reads_attributes()
            || self.branches.reads_attributes()
            || self.limits.iter().any(RateLimit::reads_attributes)
    }
}

impl<S: ComposableSampler> From<S> for Sampling {
    fn from(head: S) -> Self {
        Self::new(head)
    }
}

impl Head {
    fn description(&self) -> String {
        match self {
            Self::Composable(sampler) => described(&**sampler),
            Self::Sdk(sampler) => sampler.description(),
        }
    }

    fn reads_attributes(&self) -> bool {
        match self {
            Self::Composable(sampler) => reads_attributes(&**sampler),
            Self::Sdk(sampler) => sampler.reads_attributes(),
        }
    }
}

impl Branches {
    fn all(&self) -> [(&'static str, &Option<Arc<dyn ComposableSampler>>); 4] {
        [
            ("remote parent sampled", &self.remote_sampled),
            ("remote parent not sampled", &self.remote_not_sampled),
            ("local parent sampled", &self.local_sampled),
            ("local parent not sampled", &self.local_not_sampled),
        ]
    }

    fn reads_attributes(&self) -> bool {
        self.all()
            .into_iter()
            .filter_map(|(_, sampler)| sampler.as_ref())
            .any(|sampler| reads_attributes(&**sampler))
    }
}

/// A sampler of the user's may panic; what it is called is not worth the application.
fn described(sampler: &dyn ComposableSampler) -> String {
    caught(|| sampler.description())
        .unwrap_or_else(|_| "a sampler that panics when it is described".to_owned())
}

/// The safe answer is that it does.
fn reads_attributes(sampler: &dyn ComposableSampler) -> bool {
    caught(|| sampler.reads_attributes()).unwrap_or(true)
}

impl fmt::Display for Branches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (parent, sampler) in self.all() {
            if let Some(sampler) = sampler {
                write!(formatter, ", {parent}: {}", described(&**sampler))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Sampling {
    /// For the line that tells the operator what is installed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(formatter, "{name}: ")?;
        }
        if let Head::Sdk(sampler) = &self.head {
            let prefix = if self.is_parent_based { "parentbased_" } else { "" };
            write!(formatter, "{prefix}{}", sampler.description())?;
        } else {
            formatter.write_str(&self.head.description())?;
            if !self.is_parent_based {
                formatter.write_str(", whatever the parent")?;
            }
        }
        self.branches.fmt(formatter)?;
        for limit in &self.limits {
            write!(formatter, ", {}", limit.description())?;
        }
        match &self.keep {
            Some(keep) => write!(formatter, ", {}", keep.description()),
            None => Ok(()),
        }
    }
}
