#![doc = include_str!("README.md")]

mod adaptive;
mod always_record;
mod bucket;
mod buffer;
mod change;
mod change_text;
mod composable;
mod control;
mod debug_header;
mod decision;
mod export_feedback;
mod installed;
mod keep;
mod live;
mod local_trace;
mod measured;
mod metrics;
mod ot_state;
mod pattern;
mod preset;
mod processor;
mod rate_limit;
mod rate_limited;
mod rule;
mod rules;
mod sampled_links;
mod samplers;
#[expect(clippy::module_inception, reason = "the type is the module's subject")]
mod sampling;
mod sdk_sampler;
#[cfg(test)]
mod tests;
mod threshold;
mod watched_file;

pub use adaptive::Adaptive;
pub use always_record::AlwaysRecord;
pub use change::SamplingChange;
pub use change_text::SamplingChangeError;
pub use composable::{ComposableSampler, Intent, NewSpan};
pub use control::SamplingHealth;
pub use debug_header::DebugHeader;
pub(crate) use debug_header::SHORTEST_KEY;
pub use keep::Keep;
pub use live::SamplerHandle;
pub use otel_core::propagation::RemoteDecision;
pub use rate_limit::RateLimit;
pub use rate_limited::RateLimited;
pub use rule::Rule;
pub use rules::{RuleBased, SamplingRule};
pub use sampled_links::SampledLinks;
pub use samplers::{AlwaysOff, AlwaysOn, Annotating, Equalizing, ParentThreshold, Probability, Proportional};
pub use sampling::Sampling;
pub use threshold::{Randomness, Threshold};

pub(crate) use buffer::KeepBuffer;
pub(crate) use control::SamplingControl;
pub(crate) use metrics::observe;
pub(crate) use rule::Parent;
pub(crate) use sdk_sampler::SdkSampler;
