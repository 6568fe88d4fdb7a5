//! Which detectors look at the process and its surroundings, and which of what they find stays.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::{Context, Key, Value};

use super::environment::Environment;
use super::list::List;
use super::{LONGEST_WAIT, Settings};
use crate::builder::{DetectorFunction, Registry};
use crate::detectors;
use crate::safety::Globs;

/// The variable of this crate: the specification has none for detectors.
const VARIABLE: &str = "OTEL_INIT_RESOURCE_DETECTORS";

/// How long all detectors together may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 2 });

/// Two lists of globs for the keys of detected attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// All, if there is no list.
    pub(crate) included: Option<Vec<String>>,
    /// "Applies after .included (i.e. excluded has higher priority than included)."
    pub(crate) excluded: Vec<String>,
}

impl Filter {
    fn keeps(&self, key: &str) -> bool {
        let fits = |globs: &[String]| Globs::new(globs).is_ok_and(|globs| globs.is_match(key));
        self.included.as_deref().is_none_or(fits) && !fits(&self.excluded)
    }
}

/// Whether there is a detector of this name.
pub(crate) fn is_known(name: &str, registry: &Registry) -> bool {
    names(registry).iter().any(|known| known == name)
}

/// All of them: this crate's, and those of the code.
pub(crate) fn names(registry: &Registry) -> Vec<String> {
    let own = detectors::ALL.iter().map(|detector| detector.name.to_owned());
    own.chain(registry.detectors.keys().cloned()).collect()
}

/// What to do about a name that no detector has, where it is known to be one of a feature that is off.
pub(crate) fn missing_feature(name: &str) -> Option<String> {
    matches!(name, "aws" | "gcp" | "azure").then(|| format!("build otel-init with its feature `{name}`"))
}

/// The detectors that run without a configuration file: code over the variable over those that only look at this
/// machine.
pub(crate) fn chosen(settings: &Settings, environment: &Environment<'_>) -> Vec<String> {
    let registry = &settings.registry;
    let mut list = List::read(VARIABLE, environment, |name| named(name, registry));
    let known = list.known.take().map(|known| known.into_iter().flat_map(|(_, names)| names).collect());
    let mut chosen = settings.detectors.clone().or(known).unwrap_or_else(|| local(registry));
    chosen.retain(|name| !settings.without_detectors.contains(name));
    chosen.sort();
    chosen.dedup();
    list.tell(&chosen);
    chosen
}

/// Those that only look at this machine, and those of the code.
fn local(registry: &Registry) -> Vec<String> {
    let own = detectors::ALL.iter().filter(|detector| detector.is_local);
    let own = own.map(|detector| detector.name.to_owned());
    own.chain(registry.detectors.keys().cloned()).collect()
}

/// What a name in the variable stands for.
fn named(name: &str, registry: &Registry) -> Result<Vec<String>, String> {
    match name {
        "all" => Ok(names(registry)),
        _ if is_known(name, registry) => Ok(vec![name.to_owned()]),
        _ => {
            let hint = missing_feature(name).map(|hint| format!(": {hint}")).unwrap_or_default();
            Err(format!("{}, all or none{hint}", names(registry).join(", ")))
        }
    }
}

/// Runs the detectors at the same time, and waits for them until the timeout. Each that is late, or panics, is told.
pub(crate) fn run(
    chosen: &[String],
    registry: &Registry,
    filter: &Filter,
    timeout: Duration,
    environment: &Environment<'_>,
) -> BTreeMap<Key, Value> {
    let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
    let (found, results) = mpsc::channel();
    let mut missing = Vec::new();
    for name in chosen {
        let detector = match registry.detectors.get(name) {
            Some(function) => Job::Own(DetectorFunction::clone(function)),
            None => match detectors::ALL.iter().find(|detector| detector.name == name) {
                Some(detector) => {
                    Job::Built(detector.detect, Variables::read(detector.variables, environment))
                }
                None => continue,
            },
        };
        let (found, running) = (found.clone(), name.clone());
        let spawned = thread::Builder::new().name(format!("otel-init-{name}")).spawn(move || {
            // What a detector asks of the network is no telemetry.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            // Nobody listens after the deadline.
            let _ = found.send((running, detector.run()));
        });
        match spawned {
            Ok(_) => missing.push(name.clone()),
            Err(error) => environment.warn(format!(
                "the resource detector {name} cannot be started: {error}; its attributes are missing"
            )),
        }
    }
    drop(found);
    let mut attributes: BTreeMap<String, Vec<(Key, Value)>> = BTreeMap::new();
    while let Ok((name, found)) = results.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        missing.retain(|other| *other != name);
        attributes.insert(name, found);
    }
    for name in missing {
        let reason = if Instant::now() >= deadline { "took longer than" } else { "panicked within" };
        environment
            .warn(format!("the resource detector {name} {reason} {timeout:?}; its attributes are missing"));
    }
    // In the order of the list, so that the result does not depend on who is faster.
    let ordered = chosen.iter().filter_map(|name| attributes.remove(name)).flatten();
    ordered.filter(|(key, _)| filter.keeps(key.as_str())).collect()
}

enum Job {
    Built(fn(&Variables) -> Vec<(Key, Value)>, Variables),
    Own(DetectorFunction),
}

impl Job {
    fn run(self) -> Vec<(Key, Value)> {
        match self {
            Self::Built(detect, variables) => detect(&variables),
            Self::Own(function) => function().into_iter().map(|kv| (kv.key, kv.value)).collect(),
        }
    }
}

/// The variables that a detector looks at, read before it runs on a thread of its own.
#[derive(Default)]
pub(crate) struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    pub(crate) fn read(names: &[&'static str], environment: &Environment<'_>) -> Self {
        Self(names.iter().filter_map(|name| Some((*name, environment.text(name)?))).collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
