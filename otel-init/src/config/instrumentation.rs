//! `OTEL_INSTRUMENTATION_<NAME>_..`: what instrumentations are told.

use std::collections::BTreeSet;

use super::environment::Environment;

const PREFIX: &str = "OTEL_INSTRUMENTATION_";
const ENABLED: &str = "_ENABLED";
const EXCLUDED: &str = "_EXCLUDED_PATHS";
/// Other languages have variables of this name, with regular expressions for whole URLs.
const OTHERS: &str = "_EXCLUDED_URLS";

/// Those of this family, for a lookup that cannot tell the names of its variables.
const FAMILY: [&str; 4] = ["HTTP", "GRPC", "DB", "GENAI"];

/// Which instrumentations are off, and which requests others pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Instrumentations {
    pub(crate) disabled: Vec<String>,
    /// Globs for the paths of requests, by instrumentation.
    pub(crate) excluded_paths: Vec<(String, Vec<String>)>,
}

/// `OTEL_INSTRUMENTATION_<NAME>_ENABLED=false` switches an instrumentation off, `.._EXCLUDED_PATHS` is a list of globs.
pub(super) fn resolve(names: &[String], environment: &Environment<'_>) -> Instrumentations {
    let mut found = Instrumentations::default();
    let of_family = |name: &&str| [ENABLED, EXCLUDED].map(|suffix| format!("{PREFIX}{name}{suffix}"));
    let all: BTreeSet<String> = names.iter().cloned().chain(FAMILY.iter().flat_map(of_family)).collect();
    for variable in &all {
        if let Some(name) = name_in(variable, ENABLED) {
            // Anything but `false` leaves it on: a typing error must not take data away.
            let is_on = environment.parsed(&[variable], "true or false", true, |value| {
                match value.to_ascii_lowercase().as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                }
            });
            if is_on == Some(false) {
                found.disabled.push(name);
            }
        } else if let Some(name) = name_in(variable, EXCLUDED) {
            let Some(list) = environment.text(variable) else {
                environment.instead(variable, "it leaves out no request");
                continue;
            };
            let paths = list.split(',').map(str::trim).filter(|path| !path.is_empty());
            let (paths, others): (Vec<_>, Vec<_>) = paths.partition(|path| path.starts_with(['/', '*']));
            for path in others {
                environment.warn(format!(
                    "{variable} has {path:?}, which no path is like, so it leaves out no request: one begins with / or *, as in /health*"
                ));
            }
            found.excluded_paths.push((name, paths.into_iter().map(str::to_owned).collect()));
        } else if let Some(name) = name_in(variable, OTHERS)
            && environment.is_set(variable)
        {
            let instead = format!("{PREFIX}{}{EXCLUDED}", name.to_ascii_uppercase());
            environment.warn(format!(
                "{variable} is set but not supported, it has no effect; set {instead} instead, to paths such as /health*"
            ));
        }
    }
    found
}

fn name_in(variable: &str, suffix: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}
