//! A change to what is sampled, as a value.

use std::time::Duration;

use super::composable::ComposableSampler;
use super::rule::Rule;
use super::rules::{RuleBased, SamplingRule};
use super::samplers::percent;

/// A change to what the head samples, for [`SamplerHandle::set`](super::SamplerHandle::set). Rules come first, then the ratio,
/// then what is configured.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SamplingChange {
    pub(super) rules: RuleBased,
    pub(super) ratio: Option<f64>,
    pub(super) expires_after: Option<Duration>,
    wrong: Option<String>,
}

impl SamplingChange {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of the traces that no rule of this change matches, 0 to 1.
    pub fn with_ratio(mut self, ratio: f64) -> Self {
        self.note_ratio(ratio);
        self.ratio = Some(ratio);
        self
    }

    /// The share of the traces that begin with a request to these routes, 0 to 1; see [`Rule::route`].
    pub fn with_route(self, glob: &str, ratio: f64) -> Self {
        let rule = Rule::route(glob);
        self.with_share(rule, ratio)
    }

    pub(super) fn with_share(mut self, rule: Rule, ratio: f64) -> Self {
        self.note_ratio(ratio);
        self.with_rule(rule.sample(ratio))
    }

    /// A rule, behind those before.
    pub fn with_rule(mut self, rule: SamplingRule) -> Self {
        self.rules = self.rules.with_rule(rule);
        self
    }

    /// After this time what is configured returns.
    pub fn with_expiry(mut self, after: Duration) -> Self {
        self.expires_after = Some(after);
        self
    }

    fn note_ratio(&mut self, ratio: f64) {
        if !(0.0..=1.0).contains(&ratio) {
            self.wrong = Some(format!("{ratio} is no share from 0 to 1"));
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.wrong.clone().map_or(Ok(()), Err)
    }

    /// What is left of the change when it was made so long ago; `None` when its time is over.
    pub(super) fn after(self, age: Duration) -> Option<Self> {
        match self.expires_after {
            None => Some(self),
            Some(all) => {
                let left = all.checked_sub(age).filter(|left| !left.is_zero())?;
                Some(self.with_expiry(left))
            }
        }
    }

    pub(super) fn description(&self) -> String {
        let rules = (!self.rules.is_empty()).then(|| self.rules.description());
        let ratio = self.ratio.map(|ratio| format!("probability {}", percent(ratio)));
        let parts: Vec<_> = rules.into_iter().chain(ratio).collect();
        if parts.is_empty() { "as configured".to_owned() } else { parts.join("; otherwise ") }
    }
}
