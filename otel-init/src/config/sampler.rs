//! `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, and what is read for sampling besides.

use std::fmt;
use std::path::PathBuf;

use opentelemetry_sdk::trace::Sampler;

use super::Settings;
use super::environment::Environment;
use super::shown;
use crate::builder::Registry;
use crate::sampling::{Adaptive, DebugHeader, RateLimit, SHORTEST_KEY, Sampling};

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const FILE: &str = "OTEL_INIT_SAMPLER_FILE";
const DEBUG_KEY: &str = "OTEL_INIT_DEBUG_KEY";
/// Traces a second.
const RATE: f64 = 100.0;

/// Which traces are recorded.
#[derive(Debug, Clone)]
pub(crate) struct SamplerConfig {
    pub(crate) sampling: Sampling,
    /// `OTEL_TRACES_SAMPLER_ARG`, if somebody uses it.
    pub(crate) argument: Option<String>,
    /// Watched for changes.
    pub(crate) file: Option<PathBuf>,
}

/// What stands where no sampler does: "parent based sampler with a root of always_on is used".
impl Default for SamplerConfig {
    fn default() -> Self {
        Self { sampling: sdk(true, Sampler::AlwaysOn, "always_on".to_owned()), argument: None, file: None }
    }
}

impl SamplerConfig {
    /// Code wins over the variable, the variable over a preset in code.
    pub(crate) fn resolve(settings: &Settings, environment: &Environment<'_>) -> Self {
        let sampling = match &settings.sampling {
            Some(sampling) if !sampling.is_preset() => {
                unused_argument(environment, "the code says what is sampled");
                sampling.clone()
            }
            preset => {
                let otherwise = preset.clone().unwrap_or_else(|| Self::default().sampling);
                if environment.text(NAME).is_none() {
                    // "The specified value will only be used if OTEL_TRACES_SAMPLER is set."
                    unused_argument(environment, &format!("it needs a sampler in {NAME}"));
                }
                of_variables(&settings.registry, environment, &otherwise).unwrap_or(otherwise)
            }
        };
        let is_used = environment.used().contains(ARGUMENT);
        let argument = if is_used { environment.text(ARGUMENT) } else { None };
        Self { sampling, argument, file: watched_file(environment) }.with_debug_key(debug_key(environment))
    }

    /// A key in code wins.
    pub(crate) fn with_debug_key(self, key: Option<String>) -> Self {
        match key {
            Some(key) if self.sampling.debug_header().is_none() => {
                Self { sampling: self.sampling.with_debug_header(DebugHeader::new(key)), ..self }
            }
            _ => self,
        }
    }

    /// `lookup`, and what a preset says where a variable is not set.
    pub(crate) fn with_defaults<'a>(
        &self,
        lookup: &'a dyn Fn(&str) -> Option<String>,
    ) -> impl Fn(&str) -> Option<String> + use<'a> {
        let defaults = self.sampling.variables();
        move |name| lookup(name).filter(|value| !value.trim().is_empty()).or_else(|| defaults(name))
    }
}

/// The sampler that the variable names; `otherwise` is used if there is none.
fn of_variables(
    registry: &Registry,
    environment: &Environment<'_>,
    otherwise: &Sampling,
) -> Option<Sampling> {
    let added: String = registry.sampler_names().map(|name| format!(", {name}")).collect();
    let remote = match environment.text(NAME).is_some_and(|name| is_remote(&name)) {
        true => format!(" (a file that {FILE} names changes it while the service runs)"),
        false => String::new(),
    };
    let expected = format!(
        "always_on, always_off, traceidratio, probability, rate_limiting or adaptive, each with parentbased_ too, or \
         development, staging, production or emergency{added}{remote}"
    );
    let added = environment.text(NAME).filter(|name| registry.has_sampler(name));
    let Some(added) = added else {
        return environment.choice(&[NAME], &expected, otherwise, |name| named(name, environment));
    };
    let made = registry.sampler(&added, environment.text(ARGUMENT).as_deref())?;
    if made.is_err() {
        environment.refuse(NAME);
        environment.refuse(ARGUMENT);
        environment
            .warn(format!("{NAME} is {added:?}: the function that makes it panicked; {otherwise} is used"));
    }
    made.ok()
}

/// Samplers of the specification and of AWS that ask a server: here it is a file that changes.
fn is_remote(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.strip_prefix("parentbased_").unwrap_or(&name), "jaeger_remote" | "xray")
}

fn named(name: &str, environment: &Environment<'_>) -> Option<Sampling> {
    if let Some(own) = Sampling::preset_ratio(name) {
        return Sampling::preset(name, Some(ratio(environment, own)));
    }
    let (parent_based, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name),
    };
    let head = match root {
        "always_on" | "always_off" => {
            unused_argument(environment, &format!("{name} takes none"));
            let sampler = if root == "always_on" { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
            return Some(sdk(parent_based, sampler, root.to_owned()));
        }
        "traceidratio" => {
            // "If unset, default is 1.0."
            let ratio = ratio(environment, 1.0);
            return Some(sdk(parent_based, Sampler::TraceIdRatioBased(ratio), format!("{root} {ratio}")));
        }
        "probability" => Sampling::probability(ratio(environment, 1.0)),
        "rate_limiting" => {
            let limit = RateLimit::per_second(traces_per_second(environment));
            Sampling::probability(1.0).with_rate_limit(limit)
        }
        "adaptive" => Sampling::new(Adaptive::traces_per_second(traces_per_second(environment))),
        _ => return None,
    };
    Some(if parent_based { head } else { head.without_parent() })
}

/// A key that is long enough; the value is a secret, so the warning leaves it out.
fn debug_key(environment: &Environment<'_>) -> Option<String> {
    let key = environment.text(DEBUG_KEY);
    environment.instead(DEBUG_KEY, "no debug header is accepted");
    let key = key?;
    if key.len() < SHORTEST_KEY {
        environment.refuse(DEBUG_KEY);
        environment.warn(format!(
            "{DEBUG_KEY} has {} bytes, expected {SHORTEST_KEY} at least; no debug header is accepted",
            key.len()
        ));
        return None;
    }
    Some(key)
}

/// A file may come later, so a path that is none would never be told.
fn watched_file(environment: &Environment<'_>) -> Option<PathBuf> {
    let path = environment.text(FILE);
    environment.instead(FILE, "no file is watched");
    let path = path?;
    if path.starts_with('{') {
        environment.refuse(FILE);
        let given = shown(&path);
        environment.warn(format!(
            "{FILE} is {given}, expected the path of a file that holds it; no file is watched"
        ));
        return None;
    }
    Some(path.into())
}

/// Says that the argument, if there is one, does nothing.
fn unused_argument(environment: &Environment<'_>, why: &str) {
    if environment.is_set(ARGUMENT) {
        environment.refuse(ARGUMENT);
        environment.warn(format!("{ARGUMENT} is set but has no effect: {why}"));
    }
}

pub(crate) fn sdk(parent_based: bool, head: Sampler, name: String) -> Sampling {
    let sampling = Sampling::sdk_named(head, name);
    if parent_based { sampling } else { sampling.without_parent() }
}

fn ratio(environment: &Environment<'_>, default: f64) -> f64 {
    let parse = |value: &str| value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    environment.parsed(&[ARGUMENT], "a number from 0 to 1", default, parse).unwrap_or(default)
}

fn traces_per_second(environment: &Environment<'_>) -> f64 {
    let parse = |value: &str| value.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    environment.parsed(&[ARGUMENT], "a number of traces a second", RATE, parse).unwrap_or(RATE)
}

impl fmt::Display for SamplerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sampling.fmt(formatter)
    }
}
