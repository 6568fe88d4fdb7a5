//! Rules by what a span starts with; the first that matches decides.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::samplers::{AlwaysOff, AlwaysOn, Probability};

pub(super) const ROUTE: &str = "http.route";
const PATH: &str = "url.path";

/// Which spans a sampler decides for. All conditions must hold; without any, every span matches.
///
/// Texts are globs: `*` stands for any characters, `?` for one, case matters.
///
/// ```
/// use opentelemetry::trace::SpanKind;
/// use otel_init::sampling::{Probability, Rule, RuleBased, Sampling};
///
/// let rules = RuleBased::new()
///     .with_rule(Rule::route("/health*").never())
///     .with_rule(Rule::route("/checkout").always())
///     .with_rule(Rule::kind(SpanKind::Consumer).with_name("* process").sample(0.1))
///     .otherwise(Probability::new(0.01));
/// let sampling = Sampling::new(rules);
/// # let _ = sampling;
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a rule matches; `always()`, `never()`, `sample()` or `with_sampler()` says what then"]
pub struct Rule {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Name(Pattern),
    Kind(SpanKind),
    Route(Pattern),
    Attribute(String, Pattern),
    Root,
    RemoteParent,
    LocalParent,
}

impl Rule {
    /// Matches every span.
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches spans of these names.
    pub fn name(glob: &str) -> Self {
        Self::any().with_name(glob)
    }

    /// Matches spans of this kind.
    pub fn kind(kind: SpanKind) -> Self {
        Self::any().with_kind(kind)
    }

    /// Matches requests of these routes: `http.route`, or `url.path` where a request starts without its route.
    pub fn route(glob: &str) -> Self {
        Self::any().with_route(glob)
    }

    /// Matches spans that start with this attribute, its value written as text.
    pub fn attribute(key: impl Into<String>, glob: &str) -> Self {
        Self::any().with_attribute(key, glob)
    }

    /// Matches the first span of a trace.
    pub fn root() -> Self {
        Self::any().with(Condition::Root)
    }

    /// Matches spans whose parent is in another process.
    pub fn remote_parent() -> Self {
        Self::any().with(Condition::RemoteParent)
    }

    /// Matches spans whose parent is in this process.
    pub fn local_parent() -> Self {
        Self::any().with(Condition::LocalParent)
    }

    /// Only spans of these names.
    pub fn with_name(self, glob: &str) -> Self {
        self.with(Condition::Name(Pattern::new(glob)))
    }

    /// Only spans of this kind.
    pub fn with_kind(self, kind: SpanKind) -> Self {
        self.with(Condition::Kind(kind))
    }

    /// Only requests of these routes; see [`route`](Self::route).
    pub fn with_route(self, glob: &str) -> Self {
        self.with(Condition::Route(Pattern::new(glob)))
    }

    /// Only spans that start with this attribute; see [`attribute`](Self::attribute).
    pub fn with_attribute(self, key: impl Into<String>, glob: &str) -> Self {
        self.with(Condition::Attribute(key.into(), Pattern::new(glob)))
    }

    /// Matching spans are sampled.
    pub fn always(self) -> SamplingRule {
        self.with_sampler(AlwaysOn)
    }

    /// Matching spans are not sampled, and not kept for an error either.
    pub fn never(self) -> SamplingRule {
        self.with_sampler(AlwaysOff)
    }

    /// This share of the traces is sampled, 0 to 1.
    pub fn sample(self, ratio: f64) -> SamplingRule {
        self.with_sampler(Probability::new(ratio))
    }

    /// `sampler` decides.
    pub fn with_sampler(self, sampler: impl ComposableSampler) -> SamplingRule {
        SamplingRule { rule: self, sampler: Arc::new(sampler) }
    }

    fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    fn matches(&self, span: &NewSpan<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(span))
    }

    fn reads_attributes(&self) -> bool {
        let reads =
            |condition: &Condition| matches!(condition, Condition::Route(_) | Condition::Attribute(..));
        self.conditions.iter().any(reads)
    }
}

impl Condition {
    fn holds(&self, span: &NewSpan<'_>) -> bool {
        match self {
            Self::Name(pattern) => pattern.matches(span.name()),
            Self::Kind(kind) => span.kind() == kind,
            Self::Route(pattern) => route_of(span).is_some_and(|route| pattern.matches(&route)),
            Self::Attribute(key, pattern) => {
                span.attribute(key).is_some_and(|value| pattern.matches(&value.as_str()))
            }
            Self::Root => span.parent().is_none(),
            Self::RemoteParent => span.parent().is_some_and(|parent| parent.is_remote()),
            Self::LocalParent => span.parent().is_some_and(|parent| !parent.is_remote()),
        }
    }
}

/// The route that a request starts with, or else its path.
fn route_of<'a>(span: &NewSpan<'a>) -> Option<std::borrow::Cow<'a, str>> {
    span.attribute(ROUTE).or_else(|| span.attribute(PATH)).map(|value| value.as_str())
}

/// A rule and what it does.
#[derive(Clone, Debug)]
#[must_use]
pub struct SamplingRule {
    rule: Rule,
    sampler: Arc<dyn ComposableSampler>,
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
        if self.rule.conditions.is_empty() {
            formatter.write_str("otherwise")?;
        }
        for (index, condition) in self.rule.conditions.iter().enumerate() {
            write!(formatter, "{}{condition}", if index == 0 { "" } else { " and " })?;
        }
        write!(formatter, ": {}", self.sampler.description())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(pattern) => write!(formatter, "name {pattern}"),
            Self::Kind(kind) => write!(formatter, "kind {kind:?}"),
            Self::Route(pattern) => write!(formatter, "route {pattern}"),
            Self::Attribute(key, pattern) => write!(formatter, "{key} {pattern}"),
            Self::Root => formatter.write_str("root"),
            Self::RemoteParent => formatter.write_str("remote parent"),
            Self::LocalParent => formatter.write_str("local parent"),
        }
    }
}

/// A glob. Matched without a regular expression, because it cannot fail to compile and takes linear memory.
#[derive(Clone, Debug)]
struct Pattern(Box<str>);

impl Pattern {
    fn new(glob: &str) -> Self {
        Self(glob.into())
    }

    fn matches(&self, text: &str) -> bool {
        let (glob, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where to go on when what follows the last star did not fit.
        let mut retry = None;
        while read < text.len() {
            match glob.get(at) {
                Some(b'*') => {
                    retry = Some((at + 1, read));
                    at += 1;
                }
                Some(b'?') => {
                    at += 1;
                    read += width(text[read]);
                }
                Some(byte) if *byte == text[read] => {
                    at += 1;
                    read += 1;
                }
                _ => match retry {
                    Some((after_star, start)) => {
                        let next = start + width(text[start]);
                        retry = Some((after_star, next));
                        (at, read) = (after_star, next);
                    }
                    None => return false,
                },
            }
        }
        glob[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The bytes of the character that begins with this one.
fn width(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0.. => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    #[test]
    fn stars_and_question_marks_match_and_nothing_else_is_special() {
        for (glob, text, is_match) in [
            ("/health*", "/health/live", true),
            ("/health*", "/api/health", false),
            ("*/health", "/api/health", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*aab", "aaaab", true),
            ("?", "é", true),
            ("??", "é", false),
            ("a.c", "abc", false),
            ("Get*", "GET /", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
        ] {
            assert_eq!(Pattern::new(glob).matches(text), is_match, "{glob} {text}");
        }
    }

    proptest! {
        #[test]
        fn as_a_regular_expression_would(glob in "[ab*?é]{0,8}", text in "[abé]{0,12}") {
            let pattern: String = glob.chars().map(|character| match character {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => regex::escape(&other.to_string()),
            }).collect();
            let expected = regex::Regex::new(&format!("^{pattern}$")).unwrap().is_match(&text);
            prop_assert_eq!(Pattern::new(&glob).matches(&text), expected);
        }
    }
}
