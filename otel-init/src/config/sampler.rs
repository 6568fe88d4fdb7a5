//! `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.

use std::fmt;

use opentelemetry_sdk::trace::{Sampler, ShouldSample};

use super::environment::Environment;

const NAME: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SamplerConfig {
    parent_based: bool,
    root: Root,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Root {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio(f64),
}

impl SamplerConfig {
    pub(crate) fn resolve(environment: &Environment<'_>) -> Self {
        let expected = "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or \
                        parentbased_traceidratio";
        let default = Self { parent_based: true, root: Root::AlwaysOn };
        environment.choice(&[NAME], expected, |name| Self::named(name, environment)).unwrap_or(default)
    }

    fn named(name: &str, environment: &Environment<'_>) -> Option<Self> {
        let (parent_based, root_name) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let root = match root_name {
            "always_on" => Root::AlwaysOn,
            "always_off" => Root::AlwaysOff,
            // "If unset, default is 1.0."
            "traceidratio" => Root::TraceIdRatio(Self::ratio(environment).unwrap_or(1.0)),
            _ => return None,
        };
        Some(Self { parent_based, root })
    }

    fn ratio(environment: &Environment<'_>) -> Option<f64> {
        environment.parsed(ARGUMENT, "a number from 0 to 1", |value| {
            value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
        })
    }

    pub(crate) fn build(self) -> Box<dyn ShouldSample> {
        let root = match self.root {
            Root::AlwaysOn => Sampler::AlwaysOn,
            Root::AlwaysOff => Sampler::AlwaysOff,
            Root::TraceIdRatio(ratio) => Sampler::TraceIdRatioBased(ratio),
        };
        if self.parent_based { Box::new(Sampler::parent_based(root)) } else { Box::new(root) }
    }
}

impl fmt::Display for SamplerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parent_based {
            formatter.write_str("parentbased_")?;
        }
        match self.root {
            Root::AlwaysOn => formatter.write_str("always_on"),
            Root::AlwaysOff => formatter.write_str("always_off"),
            Root::TraceIdRatio(ratio) => write!(formatter, "traceidratio {ratio}"),
        }
    }
}
