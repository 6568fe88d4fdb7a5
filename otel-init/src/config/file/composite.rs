//! `composite/development:`, samplers that are built from others.

use std::sync::Arc;

use opentelemetry::trace::SpanKind;

use super::error::FileError;
use super::fields::Value;
use super::resource::include_exclude;
use super::sampler::ratio;
use crate::sampling::{
    AlwaysOff, AlwaysOn, ComposableSampler, Parent, ParentThreshold, Probability, Rule, RuleBased,
    SamplingRule,
};

/// A composable sampler.
pub(super) fn read(value: Value) -> Result<Arc<dyn ComposableSampler>, FileError> {
    let (name, value) = value.fields()?.only()?;
    match name.as_str() {
        "always_on" => value.nothing().map(|()| Arc::new(AlwaysOn) as _),
        "always_off" => value.nothing().map(|()| Arc::new(AlwaysOff) as _),
        "probability" => Ok(Arc::new(Probability::new(ratio(value)?.unwrap_or(1.0)))),
        "parent_threshold" => {
            let mut fields = value.fields()?;
            let root = read(fields.required("root")?)?;
            fields.end()?;
            Ok(Arc::new(ParentThreshold::new(root)))
        }
        "rule_based" => {
            let mut fields = value.fields()?;
            let rules = fields.optional("rules").map(Value::list).transpose()?.unwrap_or_default();
            fields.end()?;
            let mut sampler = RuleBased::new();
            for value in rules {
                sampler = sampler.with_rule(rule(value)?);
            }
            Ok(Arc::new(sampler))
        }
        _ => Err(value.error(
            "no composable sampler has this name: always_on, always_off, probability, parent_threshold, rule_based",
        )),
    }
}

/// "A rule can have multiple match conditions - the sampler will be applied if all match."
fn rule(value: Value) -> Result<SamplingRule, FileError> {
    let mut fields = value.fields()?;
    let mut rule = Rule::any();
    if let Some(mut values) = fields.fields("attribute_values")? {
        let key = values.required("key")?.text()?;
        let wanted =
            values.required("values")?.some()?.iter().map(Value::text).collect::<Result<Vec<_>, _>>()?;
        values.end()?;
        rule = rule.with_attribute_values(key, &wanted);
    }
    if let Some(mut patterns) = fields.fields("attribute_patterns")? {
        let key = patterns.required("key")?.text()?;
        let filter = include_exclude(&mut patterns)?;
        patterns.end()?;
        rule = rule.with_attribute_patterns(key, &filter.included.unwrap_or_default(), &filter.excluded);
    }
    if let Some(kinds) = fields.optional("span_kinds") {
        rule = rule.with_kinds(choices(kinds, "internal, server, client, producer or consumer", kind)?);
    }
    if let Some(parents) = fields.optional("parent") {
        rule = rule.with_parents(choices(parents, "none, remote or local", parent)?);
    }
    let sampler = read(fields.required("sampler")?)?;
    fields.end()?;
    Ok(rule.with_sampler(sampler))
}

fn choices<T>(value: Value, expected: &str, parse: fn(&str) -> Option<T>) -> Result<Vec<T>, FileError> {
    value.some()?.iter().map(|item| item.choice(expected, parse)).collect()
}

fn kind(text: &str) -> Option<SpanKind> {
    match text {
        "internal" => Some(SpanKind::Internal),
        "server" => Some(SpanKind::Server),
        "client" => Some(SpanKind::Client),
        "producer" => Some(SpanKind::Producer),
        "consumer" => Some(SpanKind::Consumer),
        _ => None,
    }
}

fn parent(text: &str) -> Option<Parent> {
    match text {
        "none" => Some(Parent::None),
        "remote" => Some(Parent::Remote),
        "local" => Some(Parent::Local),
        _ => None,
    }
}
