//! Which spans a rule is for.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use opentelemetry::{Array, Value};

use super::composable::{ComposableSampler, NewSpan};
use super::pattern::Pattern;
use super::rules::SamplingRule;
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
    /// One of these.
    Kinds(Vec<SpanKind>),
    Route(Pattern),
    Attribute(AttributeCondition),
    /// One of these.
    Parents(Vec<Parent>),
}

/// What an attribute must be like: one of `included`, if there are any, and none of `excluded`.
#[derive(Clone, Debug)]
struct AttributeCondition {
    key: String,
    included: Vec<Pattern>,
    excluded: Vec<Pattern>,
}

/// Where the parent of a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    None,
    Remote,
    Local,
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

    /// Matches spans that start with this attribute, its value written as text; of a list one item is enough.
    pub fn attribute(key: impl Into<String>, glob: &str) -> Self {
        Self::any().with_attribute(key, glob)
    }

    /// Matches the first span of a trace.
    pub fn root() -> Self {
        Self::any().with_parents(vec![Parent::None])
    }

    /// Matches spans whose parent is in another process.
    pub fn remote_parent() -> Self {
        Self::any().with_parents(vec![Parent::Remote])
    }

    /// Matches spans whose parent is in this process.
    pub fn local_parent() -> Self {
        Self::any().with_parents(vec![Parent::Local])
    }

    /// Only spans of these names.
    pub fn with_name(self, glob: &str) -> Self {
        self.with(Condition::Name(Pattern::new(glob)))
    }

    /// Only spans of this kind.
    pub fn with_kind(self, kind: SpanKind) -> Self {
        self.with_kinds(vec![kind])
    }

    /// Only requests of these routes; see [`route`](Self::route).
    pub fn with_route(self, glob: &str) -> Self {
        self.with(Condition::Route(Pattern::new(glob)))
    }

    /// Only spans that start with this attribute; see [`attribute`](Self::attribute).
    pub fn with_attribute(self, key: impl Into<String>, glob: &str) -> Self {
        self.with_attribute_patterns(key.into(), &[glob.to_owned()], &[])
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
        SamplingRule::new(self, Arc::new(sampler))
    }

    /// Only spans of one of these kinds.
    pub(crate) fn with_kinds(self, kinds: Vec<SpanKind>) -> Self {
        self.with(Condition::Kinds(kinds))
    }

    /// Only spans whose parent is in one of these places.
    pub(crate) fn with_parents(self, parents: Vec<Parent>) -> Self {
        self.with(Condition::Parents(parents))
    }

    /// Only spans that start with an attribute like one of `included`, if there are any, and like none of `excluded`.
    pub(crate) fn with_attribute_patterns(
        self,
        key: String,
        included: &[String],
        excluded: &[String],
    ) -> Self {
        let globs = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
        let (included, excluded) = (globs(included), globs(excluded));
        self.with(Condition::Attribute(AttributeCondition { key, included, excluded }))
    }

    /// Only spans that start with an attribute of one of these values, written as text.
    pub(crate) fn with_attribute_values(self, key: String, values: &[String]) -> Self {
        let included = values.iter().map(|value| Pattern::exact(value)).collect();
        self.with(Condition::Attribute(AttributeCondition { key, included, excluded: Vec::new() }))
    }

    fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    pub(super) fn matches(&self, span: &NewSpan<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(span))
    }

    pub(super) fn reads_attributes(&self) -> bool {
        let reads =
            |condition: &Condition| matches!(condition, Condition::Route(_) | Condition::Attribute(_));
        self.conditions.iter().any(reads)
    }
}

impl Condition {
    fn holds(&self, span: &NewSpan<'_>) -> bool {
        match self {
            Self::Name(pattern) => pattern.matches(span.name()),
            Self::Kinds(kinds) => kinds.contains(span.kind()),
            Self::Route(pattern) => route_of(span).is_some_and(|route| pattern.matches(&route)),
            Self::Attribute(wanted) => span.attribute(&wanted.key).is_some_and(|value| wanted.fits(value)),
            Self::Parents(parents) => parents.contains(&Parent::of(span)),
        }
    }
}

impl Parent {
    fn of(span: &NewSpan<'_>) -> Self {
        match span.parent() {
            None => Self::None,
            Some(parent) if parent.is_remote() => Self::Remote,
            Some(_) => Self::Local,
        }
    }
}

impl AttributeCondition {
    /// "For array attributes, if any item matches, it is considered a match."
    fn fits(&self, value: &Value) -> bool {
        match value {
            Value::Array(Array::String(items)) => items.iter().any(|item| self.fits_text(item.as_str())),
            Value::Array(Array::I64(items)) => items.iter().any(|item| self.fits_text(&item.to_string())),
            Value::Array(Array::F64(items)) => items.iter().any(|item| self.fits_text(&item.to_string())),
            Value::Array(Array::Bool(items)) => items.iter().any(|item| self.fits_text(&item.to_string())),
            other => self.fits_text(&other.as_str()),
        }
    }

    fn fits_text(&self, text: &str) -> bool {
        let is_in = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(text));
        (self.included.is_empty() || is_in(&self.included)) && !is_in(&self.excluded)
    }
}

/// The route that a request starts with, or else its path.
fn route_of<'a>(span: &NewSpan<'a>) -> Option<std::borrow::Cow<'a, str>> {
    span.attribute(ROUTE).or_else(|| span.attribute(PATH)).map(|value| value.as_str())
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.conditions.is_empty() {
            formatter.write_str("otherwise")?;
        }
        for (index, condition) in self.conditions.iter().enumerate() {
            write!(formatter, "{}{condition}", if index == 0 { "" } else { " and " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(pattern) => write!(formatter, "name {pattern}"),
            Self::Kinds(kinds) => {
                formatter.write_str("kind ")?;
                either(formatter, kinds.iter().map(|kind| format!("{kind:?}")))
            }
            Self::Route(pattern) => write!(formatter, "route {pattern}"),
            Self::Attribute(AttributeCondition { key, included, excluded }) => {
                write!(formatter, "{key} ")?;
                match (included.is_empty(), excluded.is_empty()) {
                    (true, true) => return formatter.write_str("*"),
                    (false, true) => return either(formatter, included),
                    (true, false) => formatter.write_str("not ")?,
                    (false, false) => {
                        either(formatter, included)?;
                        formatter.write_str(" but not ")?;
                    }
                }
                either(formatter, excluded)
            }
            Self::Parents(parents) => either(formatter, parents),
        }
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "root",
            Self::Remote => "remote parent",
            Self::Local => "local parent",
        })
    }
}

fn either(
    formatter: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        write!(formatter, "{}{item}", if index == 0 { "" } else { " or " })?;
    }
    Ok(())
}
