//! `sampler:`.

use opentelemetry_sdk::trace::Sampler;

use super::error::FileError;
use super::fields::Value;
use crate::config::sampler::{SamplerConfig, sdk};
use crate::sampling::Sampling;

/// What stands where no sampler does: "parent based sampler with a root of always_on is used".
pub(super) fn default() -> SamplerConfig {
    SamplerConfig { sampling: Root::AlwaysOn.sampling(true), file: None }
}

/// The sampler, which may follow the parent's decision.
pub(super) fn read(value: Value) -> Result<SamplerConfig, FileError> {
    let (name, sampler) = value.fields()?.only()?;
    if name != "parent_based" {
        return Ok(SamplerConfig { sampling: root(&name, sampler)?.sampling(false), file: None });
    }
    let mut fields = sampler.fields()?;
    let chosen = match fields.optional("root") {
        Some(value) => {
            let (name, sampler) = value.fields()?.only()?;
            root(&name, sampler)?
        }
        None => Root::AlwaysOn,
    };
    for (key, follows) in [
        ("remote_parent_sampled", Root::AlwaysOn),
        ("remote_parent_not_sampled", Root::AlwaysOff),
        ("local_parent_sampled", Root::AlwaysOn),
        ("local_parent_not_sampled", Root::AlwaysOff),
    ] {
        let Some(value) = fields.optional(key) else { continue };
        let other = value.error("not supported: a child does what its parent did");
        let (name, sampler) = value.fields()?.only()?;
        if root(&name, sampler)? != follows {
            return Err(other);
        }
    }
    fields.end()?;
    Ok(SamplerConfig { sampling: chosen.sampling(true), file: None })
}

/// What decides for traces that begin here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Root {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio(f64),
    Probability(f64),
}

impl Root {
    fn sampling(self, is_parent_based: bool) -> Sampling {
        match self {
            Self::AlwaysOn => sdk(is_parent_based, Sampler::AlwaysOn, "always_on".to_owned()),
            Self::AlwaysOff => sdk(is_parent_based, Sampler::AlwaysOff, "always_off".to_owned()),
            Self::TraceIdRatio(ratio) => {
                let name = format!("traceidratio {ratio}");
                sdk(is_parent_based, Sampler::TraceIdRatioBased(ratio), name)
            }
            Self::Probability(ratio) => {
                let head = Sampling::probability(ratio);
                if is_parent_based { head } else { head.without_parent() }
            }
        }
    }
}

fn root(name: &str, sampler: Value) -> Result<Root, FileError> {
    match name {
        "always_on" => sampler.nothing().map(|()| Root::AlwaysOn),
        "always_off" => sampler.nothing().map(|()| Root::AlwaysOff),
        "trace_id_ratio_based" => ratio(sampler).map(Root::TraceIdRatio),
        "probability" => ratio(sampler).map(Root::Probability),
        "jaeger_remote" | "composite" | "parent_based" => Err(sampler.error("not supported here")),
        _ => Err(sampler.error(
            "no sampler has this name: always_on, always_off, trace_id_ratio_based, probability/development, \
             parent_based",
        )),
    }
}

/// "1.0 is used" if there is none.
fn ratio(sampler: Value) -> Result<f64, FileError> {
    let mut fields = sampler.fields()?;
    let ratio = match fields.optional("ratio") {
        Some(value) => {
            let ratio = value.number()?;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(value.error("expected a number from 0 to 1"));
            }
            ratio
        }
        None => 1.0,
    };
    fields.end()?;
    Ok(ratio)
}
