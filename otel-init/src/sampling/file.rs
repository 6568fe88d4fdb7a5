//! Changes from a file that is watched.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;

use super::live::{Live, SamplingChange, Source};
use super::rules::Rule;
use crate::diagnostics;

/// More than this is no such file.
const MAX_LENGTH: u64 = 64 * 1024;

/// What the file holds: JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    ratio: Option<f64>,
    #[serde(default)]
    rules: Vec<ContentRule>,
    /// From when the file was written.
    expires_after_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentRule {
    route: Option<String>,
    name: Option<String>,
    attribute: Option<String>,
    value: Option<String>,
    ratio: f64,
}

/// The file, and what was last seen of it.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    live: Arc<Live>,
    /// `None` at first, and while there is no file.
    seen: Option<(SystemTime, u64)>,
    /// What was said about it last, to say it once.
    complaint: Option<String>,
}

impl WatchedFile {
    pub(crate) fn new(path: PathBuf, live: Arc<Live>) -> Self {
        Self { path, live, seen: None, complaint: None }
    }

    /// Follows the file: a new content is a change, none is what is configured, a bad one leaves everything as it was.
    pub(crate) fn look(&mut self) {
        match self.read() {
            Ok(None) => {}
            Ok(Some(change)) => {
                self.complaint = None;
                self.live.set(Source::File, change, Instant::now());
            }
            Err(reason) => {
                let complaint = format!(
                    "the sampler's file {} cannot be used: {reason}; the sampler stays as it is",
                    self.path.display()
                );
                if self.complaint.as_ref() != Some(&complaint) {
                    diagnostics::warn(&complaint);
                    self.complaint = Some(complaint);
                }
            }
        }
    }

    /// The change that the file asks for, none if it is gone; `Ok(None)` if it is as it was.
    fn read(&mut self) -> Result<Option<Option<SamplingChange>>, String> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(self.seen.take().map(|_| None));
            }
            Err(error) => return Err(error.to_string()),
        };
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let now = Some((written, metadata.len()));
        if self.seen == now {
            return Ok(None);
        }
        let mut text = String::new();
        File::open(&self.path)
            .and_then(|file| file.take(MAX_LENGTH + 1).read_to_string(&mut text))
            .map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_LENGTH {
            return Err(format!("it is longer than {MAX_LENGTH} bytes"));
        }
        // Noted even if it is bad: it is read again when it changes.
        self.seen = now;
        let age = SystemTime::now().duration_since(written).unwrap_or_default();
        parse(&text, age).map(Some)
    }
}

/// `Ok(None)` when the time of the change is over.
fn parse(text: &str, age: Duration) -> Result<Option<SamplingChange>, String> {
    let content: Content = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut change = SamplingChange::new();
    for rule in content.rules {
        if !(0.0..=1.0).contains(&rule.ratio) {
            return Err(format!("{} is no share from 0 to 1", rule.ratio));
        }
        let mut matching = Rule::any();
        if let Some(route) = &rule.route {
            matching = matching.with_route(route);
        }
        if let Some(name) = &rule.name {
            matching = matching.with_name(name);
        }
        if let Some(key) = rule.attribute {
            matching = matching.with_attribute(key, rule.value.as_deref().unwrap_or("*"));
        }
        change = change.with_rule(matching.sample(rule.ratio));
    }
    if let Some(ratio) = content.ratio {
        change = change.with_ratio(ratio);
    }
    change.check()?;
    let Some(seconds) = content.expires_after_seconds else { return Ok(Some(change)) };
    let expires = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    match expires.checked_sub(age) {
        Some(left) if !left.is_zero() => Ok(Some(change.with_expiry(left))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn a_change_counts_from_when_it_was_written() {
        let text =
            r#"{"ratio": 0.05, "rules": [{"route": "/checkout", "ratio": 1}], "expires_after_seconds": 60}"#;
        assert!(parse(text, Duration::from_secs(59)).unwrap().is_some());
        assert!(parse(text, Duration::from_secs(60)).unwrap().is_none());
        assert!(parse("{}", Duration::MAX).unwrap().is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, reason) in [
            ("", "EOF"),
            (r#"{"ratios": 1}"#, "unknown field `ratios`"),
            (r#"{"ratio": 5}"#, "5 is no share from 0 to 1"),
            (r#"{"rules": [{"route": "/", "ratio": -1}]}"#, "-1 is no share"),
            (r#"{"rules": [{"route": "/"}]}"#, "missing field `ratio`"),
            (r#"{"expires_after_seconds": -1}"#, "negative"),
        ] {
            let error = parse(text, Duration::ZERO).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
