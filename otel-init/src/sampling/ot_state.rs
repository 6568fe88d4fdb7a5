//! The `ot` member of `tracestate`: `th`, `rv` and what others put there.
//!
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/>

use std::fmt;

use opentelemetry::trace::TraceState;

use super::threshold::{Randomness, Threshold};

const KEY: &str = "ot";
const THRESHOLD: &str = "th";
const RANDOMNESS: &str = "rv";
/// "The value of `ot` MUST NOT be longer than 256 characters."
const MAX_LENGTH: usize = 256;

/// What the `ot` member says about sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OtState {
    pub(crate) threshold: Option<Threshold>,
    pub(crate) randomness: Option<Randomness>,
}

impl OtState {
    /// Values that are not valid count as absent.
    pub(crate) fn of(state: &TraceState) -> Self {
        state.get(KEY).map_or_else(Self::default, Self::parse)
    }

    fn with(self, threshold: Option<Threshold>) -> Self {
        Self { threshold, ..self }
    }

    /// As text, with the entries that others have in `text`.
    fn written(self, text: &str) -> String {
        let others: Vec<_> = readable(text)
            .split(';')
            .filter(|entry| !matches!(key_of(entry), THRESHOLD | RANDOMNESS))
            .collect();
        let mut set: Vec<(&str, &dyn fmt::Display)> = Vec::with_capacity(2);
        if let Some(threshold) = &self.threshold {
            set.push((THRESHOLD, threshold));
        }
        if let Some(randomness) = &self.randomness {
            set.push((RANDOMNESS, randomness));
        }
        written(&set, &others.join(";"))
    }

    fn parse(text: &str) -> Self {
        entries(text).fold(Self::default(), |known, (key, value)| match key {
            THRESHOLD => Self { threshold: known.threshold.or_else(|| Threshold::parse(value)), ..known },
            RANDOMNESS => Self { randomness: known.randomness.or_else(|| Randomness::parse(value)), ..known },
            _ => known,
        })
    }
}

/// `state` with this threshold, or with none. What is known to be so already is not written again.
pub(crate) fn with_threshold(state: &TraceState, threshold: Option<Threshold>) -> TraceState {
    let threshold = threshold.filter(|threshold| *threshold != Threshold::NEVER);
    let text = state.get(KEY);
    let known = OtState::of(state);
    if known.threshold == threshold && (text.is_none() || threshold.is_some()) {
        return state.clone();
    }
    // Mostly the span is a root, and there is nothing else to write.
    if let (None, Some(threshold)) = (text, threshold) {
        return state.insert(KEY, threshold.entry()).unwrap_or_else(|_| state.clone());
    }
    // The key and what is written here are valid.
    match known.with(threshold).written(text.unwrap_or_default()) {
        text if text.is_empty() => without_members(state),
        text => without_members(state).insert(KEY, text).unwrap_or_else(|_| state.clone()),
    }
}

/// The API deletes the first member of a key, and then another one of a sender who wrote two would count.
fn without_members(state: &TraceState) -> TraceState {
    let mut state = state.clone();
    while state.get(KEY).is_some() {
        state = state.delete(KEY).unwrap_or_default();
    }
    state
}

/// The entries in `key:value` form, and those without a value.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    readable(text)
        .split(';')
        .filter(|entry| !entry.is_empty())
        .map(|entry| entry.split_once(':').unwrap_or((entry, "")))
}

/// The entries of `set` first, then of those in `text`, which others wrote, what fits.
fn written(set: &[(&str, &dyn fmt::Display)], text: &str) -> String {
    let mut list = String::new();
    let mut push = |entry: &str| {
        let separator = if list.is_empty() { "" } else { ";" };
        if list.len() + separator.len() + entry.len() <= MAX_LENGTH {
            list.push_str(separator);
            list.push_str(entry);
        }
    };
    for (key, value) in set {
        push(&format!("{key}:{value}"));
    }
    let is_set = |entry: &str| set.iter().any(|(key, _)| *key == key_of(entry));
    readable(text).split(';').filter(|entry| !entry.is_empty() && !is_set(entry)).for_each(push);
    list
}

/// Nothing, if it is longer than it may be.
fn readable(text: &str) -> &str {
    if text.len() <= MAX_LENGTH { text } else { "" }
}

fn key_of(entry: &str) -> &str {
    entry.split_once(':').map_or(entry, |(key, _)| key)
}

#[cfg(test)]
pub(super) fn canonical(text: &str) -> String {
    OtState::parse(text).written(text)
}

#[cfg(test)]
pub(super) fn with_entry(text: &str, key: &str, value: &str) -> String {
    written(&[(key, &value)], text)
}
