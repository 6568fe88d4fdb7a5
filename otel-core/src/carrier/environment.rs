//! Process environments: a job that is started hands its context down in variables.
//!
//! <https://opentelemetry.io/docs/specs/otel/context/env-carriers/>

use std::process::Command;

use opentelemetry::propagation::{Extractor, Injector};

/// Reads context from environment variables, such as `TRACEPARENT`.
///
/// ```
/// # use otel_core::carrier::EnvironmentExtractor;
/// # use opentelemetry::propagation::Extractor;
/// let variables = [("TRACEPARENT".to_owned(), "00-1-2-01".to_owned())];
/// let carrier = EnvironmentExtractor::new(variables);
/// assert_eq!(carrier.get("traceparent"), Some("00-1-2-01"));
/// ```
#[derive(Debug)]
pub struct EnvironmentExtractor {
    variables: Vec<(String, String)>,
}

impl EnvironmentExtractor {
    /// Reads from these variables.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect() }
    }

    /// Reads from the environment of this process, as it is now. Variables that are not Unicode are left out.
    #[must_use]
    pub fn from_process() -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::new(std::env::vars_os().filter_map(readable))
    }
}

impl Extractor for EnvironmentExtractor {
    fn get(&self, key: &str) -> Option<&str> {
        let wanted = variable_name(key);
        self.variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.variables.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Writes context into the environment of a command that is about to start. With a `TRACEPARENT` of its own it inherits no
/// `TRACESTATE`, which is that of another trace.
///
/// ```
/// # use otel_core::carrier::EnvironmentInjector;
/// # use opentelemetry::propagation::Injector;
/// let mut job = std::process::Command::new("nightly-report");
/// EnvironmentInjector::new(&mut job).set("traceparent", "00-1-2-01".into());
/// assert!(job.get_envs().any(|(name, _)| name == "TRACEPARENT"));
/// ```
#[derive(Debug)]
pub struct EnvironmentInjector<'a> {
    command: &'a mut Command,
    has_written_state: bool,
}

impl<'a> EnvironmentInjector<'a> {
    /// Writes into the environment of `command`.
    #[must_use]
    pub fn new(command: &'a mut Command) -> Self {
        Self { command, has_written_state: false }
    }
}

impl Injector for EnvironmentInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        match key {
            "tracestate" => self.has_written_state = true,
            "traceparent" if !self.has_written_state => drop(self.command.env_remove("TRACESTATE")),
            _ => {}
        }
        // `Command::env` would fail at spawn on a NUL byte; telemetry must not keep a job from starting.
        if !value.contains('\0') {
            self.command.env(variable_name(key), value);
        }
    }
}

/// The specification's rule for names: upper case, an underscore for every character that no variable may have, and one
/// in front of a leading digit.
fn variable_name(key: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = key.chars().map(upper).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_for_variables() {
        assert_eq!(variable_name("traceparent"), "TRACEPARENT");
        assert_eq!(variable_name("x-b3-traceid"), "X_B3_TRACEID");
        assert_eq!(variable_name("3ds"), "_3DS");
    }

    #[test]
    fn a_child_does_not_inherit_the_state_of_another_trace() {
        let state = |command: &Command| {
            let variables: Vec<_> = command.get_envs().collect();
            let found = variables.iter().find(|(name, _)| *name == "TRACESTATE")?;
            Some(found.1.map(|value| value.to_str().unwrap().to_owned()))
        };
        let mut command = Command::new("true");
        let mut injector = EnvironmentInjector::new(&mut command);
        injector.set("traceparent", "00-1-2-01".into());
        assert_eq!(state(&command), Some(None), "taken out of what is inherited");
        let mut injector = EnvironmentInjector::new(&mut command);
        injector.set("traceparent", "00-1-2-01".into());
        injector.set("tracestate", "a=1".into());
        assert_eq!(state(&command), Some(Some("a=1".into())));
        let mut command = Command::new("true");
        EnvironmentInjector::new(&mut command).set("baggage", "a=1".into());
        assert_eq!(state(&command), None);
    }

    #[test]
    fn a_child_process_reads_what_its_parent_wrote() {
        let mut command = Command::new("true");
        EnvironmentInjector::new(&mut command).set("traceparent", "00-1-2-01".into());
        EnvironmentInjector::new(&mut command).set("baggage", "a=\0".into());
        let handed_down = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())));
        let carrier = EnvironmentExtractor::new(handed_down);
        assert_eq!(carrier.get("traceparent"), Some("00-1-2-01"));
        assert_eq!(carrier.get("baggage"), None);
    }
}
