//! `sampler:`.

use std::sync::Arc;

use opentelemetry_sdk::trace::Sampler;

use super::Reader;
use super::composite;
use super::error::FileError;
use super::fields::Value;
use crate::config::sampler::sdk;
use crate::sampling::{Adaptive, ComposableSampler, Probability, RateLimit, Sampling, SdkSampler};

/// The children of `parent_based`, and what stands where one is missing.
const CHILDREN: [(&str, Single); 5] = [
    ("root", Single::AlwaysOn),
    ("remote_parent_sampled", Single::AlwaysOn),
    ("remote_parent_not_sampled", Single::AlwaysOff),
    ("local_parent_sampled", Single::AlwaysOn),
    ("local_parent_not_sampled", Single::AlwaysOff),
];

/// A sampler that does not look at the parent, or does so by itself.
#[derive(Debug, Clone)]
enum Single {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio(f64),
    Composable(Arc<dyn ComposableSampler>),
}

impl Single {
    /// For traces that begin here, where others follow their parent.
    fn sampling(self) -> Sampling {
        match self {
            Self::Composable(sampler) => Sampling::new(sampler),
            other => {
                let (sampler, name) = other.of_sdk();
                sdk(true, sampler, name)
            }
        }
    }

    fn composable(self) -> Arc<dyn ComposableSampler> {
        match self {
            Self::Composable(sampler) => sampler,
            other => {
                let (sampler, name) = other.of_sdk();
                Arc::new(SdkSampler::named(sampler, name))
            }
        }
    }

    fn of_sdk(&self) -> (Sampler, String) {
        match self {
            Self::TraceIdRatio(ratio) => {
                (Sampler::TraceIdRatioBased(*ratio), format!("traceidratio {ratio}"))
            }
            Self::AlwaysOff => (Sampler::AlwaysOff, "always_off".to_owned()),
            _ => (Sampler::AlwaysOn, "always_on".to_owned()),
        }
    }
}

impl Reader<'_> {
    /// The sampler, which may follow the parent's decision.
    pub(super) fn sampler(&self, value: Value) -> Result<Sampling, FileError> {
        let (name, value) = value.fields()?.only()?;
        let registry = &self.settings.registry;
        if registry.has_sampler(&name) {
            let panicked = value.error("the function that makes this sampler panicked");
            let mut fields = value.fields()?;
            let argument = fields.text("argument")?;
            fields.end()?;
            let made = registry.sampler(&name, argument.as_deref());
            return made.and_then(Result::ok).ok_or(panicked);
        }
        if Sampling::preset(&name, None).is_some() {
            let ratio = ratio(value)?;
            return Ok(Sampling::preset(&name, ratio).unwrap_or_else(Sampling::development));
        }
        match name.as_str() {
            "parent_based" => children(value).map(of_children),
            "rate_limiting" => {
                let rate = rate(value, &["traces_per_second"])?;
                let limit = RateLimit::per_second(rate.map_or(RATE, |(_, rate)| rate));
                Ok(Sampling::probability(1.0).with_rate_limit(limit))
            }
            "adaptive" => Ok(Sampling::new(match rate(value, &["traces_per_second", "spans_per_second"])? {
                Some(("spans_per_second", rate)) => Adaptive::spans_per_second(rate),
                other => Adaptive::traces_per_second(other.map_or(RATE, |(_, rate)| rate)),
            })),
            _ => {
                let more = PLAIN.iter().chain(&OURS).copied().chain(registry.sampler_names());
                Ok(single(&name, value, more)?.sampling().without_parent())
            }
        }
    }
}

/// Those of the schema that may stand below `parent_based`, and those that may not.
const PLAIN: [&str; 6] = [
    "always_on",
    "always_off",
    "trace_id_ratio_based",
    "parent_based",
    "probability/development",
    "composite/development",
];
const OURS: [&str; 6] = ["rate_limiting", "adaptive", "development", "staging", "production", "emergency"];

/// Traces a second, as for the variable.
const RATE: f64 = 100.0;

/// A sampler other than `parent_based`.
fn single<'a>(name: &str, value: Value, known: impl Iterator<Item = &'a str>) -> Result<Single, FileError> {
    match name {
        "always_on" => value.nothing().map(|()| Single::AlwaysOn),
        "always_off" => value.nothing().map(|()| Single::AlwaysOff),
        "trace_id_ratio_based" => Ok(Single::TraceIdRatio(ratio(value)?.unwrap_or(1.0))),
        "probability" => {
            let ratio = ratio(value)?.unwrap_or(1.0);
            Ok(Single::Composable(Arc::new(Probability::new(ratio))))
        }
        "composite" => composite::read(value).map(Single::Composable),
        "jaeger_remote" => Err(value.error(
            "not supported: write probability/development, and change it by distribution.otel-init.sampler_file",
        )),
        "always_record" => {
            Err(value
                .error("not supported: nothing here looks at spans that are not sampled; write its root alone"))
        }
        _ => {
            let known: Vec<_> = known.collect();
            Err(value.error(format!("no sampler has this name here: {}", known.join(", "))))
        }
    }
}

/// The five children of `parent_based`. One that is `parent_based` again stands for its own child of the same place: where
/// the parent is, is known there.
fn children(value: Value) -> Result<[Single; 5], FileError> {
    let mut fields = value.fields()?;
    let mut all = CHILDREN.map(|(_, default)| default);
    for (place, (key, _)) in CHILDREN.iter().enumerate() {
        let Some(child) = fields.optional(key) else { continue };
        let (name, child) = child.fields()?.only()?;
        all[place] = match name.as_str() {
            "parent_based" => children(child)?[place].clone(),
            name => single(name, child, PLAIN.into_iter())?,
        };
    }
    fields.end()?;
    Ok(all)
}

fn of_children(children: [Single; 5]) -> Sampling {
    let [root, remote_sampled, remote_not_sampled, local_sampled, local_not_sampled] = children;
    let mut sampling = root.sampling();
    // What follows the parent is what `Sampling` does by itself, and it hands the parent's threshold on.
    if !matches!(remote_sampled, Single::AlwaysOn) {
        sampling = sampling.with_remote_parent_sampled(remote_sampled.composable());
    }
    if !matches!(remote_not_sampled, Single::AlwaysOff) {
        sampling = sampling.with_remote_parent_not_sampled(remote_not_sampled.composable());
    }
    if !matches!(local_sampled, Single::AlwaysOn) {
        sampling = sampling.with_local_parent_sampled(local_sampled.composable());
    }
    if !matches!(local_not_sampled, Single::AlwaysOff) {
        sampling = sampling.with_local_parent_not_sampled(local_not_sampled.composable());
    }
    sampling
}

/// `ratio:`, if it is there.
pub(super) fn ratio(value: Value) -> Result<Option<f64>, FileError> {
    let mut fields = value.fields()?;
    let ratio = match fields.optional("ratio") {
        Some(value) => {
            let ratio = value.number()?;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(value.expected("a number from 0 to 1"));
            }
            Some(ratio)
        }
        None => None,
    };
    fields.end()?;
    Ok(ratio)
}

/// The first of these keys that is there, and its number.
fn rate<'a>(value: Value, keys: &[&'a str]) -> Result<Option<(&'a str, f64)>, FileError> {
    let mut fields = value.fields()?;
    let mut found = None;
    for key in keys {
        let Some(value) = fields.optional(key) else { continue };
        let rate = value.number()?;
        if !rate.is_finite() || rate < 0.0 {
            return Err(value.expected("a number from 0"));
        }
        if found.replace((*key, rate)).is_some() {
            return Err(value.error(format!("only one of {} can be the target", keys.join(", "))));
        }
    }
    fields.end()?;
    Ok(found)
}
