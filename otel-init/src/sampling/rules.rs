//! Rules by what a span starts with; the first that matches decides.

use std::fmt;
use std::sync::Arc;

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::rule::Rule;

/// A rule and what it does.
#[derive(Clone, Debug)]
#[must_use]
pub struct SamplingRule {
    rule: Rule,
    sampler: Arc<dyn ComposableSampler>,
}

impl SamplingRule {
    pub(super) fn new(rule: Rule, sampler: Arc<dyn ComposableSampler>) -> Self {
        Self { rule, sampler }
    }
}

/// Samplers by rule; the first that matches decides. What no rule matches is not sampled, unless
/// [`otherwise`](Self::otherwise) says so.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#composablerulebased>
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RuleBased {
    rules: Vec<SamplingRule>,
}

impl RuleBased {
    /// No rules: nothing is sampled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind the others.
    pub fn with_rule(mut self, rule: SamplingRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// What happens to spans that no rule matches.
    pub fn otherwise(self, sampler: impl ComposableSampler) -> Self {
        self.with_rule(Rule::any().with_sampler(sampler))
    }

    /// What the first matching rule wants, if one matches.
    pub(super) fn matching(&self, span: &NewSpan<'_>) -> Option<Intent> {
        self.rules.iter().find(|rule| rule.rule.matches(span)).map(|rule| rule.sampler.intent(span))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl ComposableSampler for RuleBased {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        self.matching(span).unwrap_or_else(Intent::drop)
    }

    fn reads_attributes(&self) -> bool {
        self.rules.iter().any(|rule| rule.rule.reads_attributes() || rule.sampler.reads_attributes())
    }

    fn description(&self) -> String {
        let rules: Vec<_> = self.rules.iter().map(SamplingRule::to_string).collect();
        if rules.is_empty() { "no rules".to_owned() } else { rules.join("; ") }
    }
}

impl fmt::Display for SamplingRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.sampler.description())
    }
}
