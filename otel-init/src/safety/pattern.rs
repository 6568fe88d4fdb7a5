//! Patterns that are compiled when the first text needs them: those of the presets take most of a megabyte, and the
//! prefilter lets hardly a text through to them.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::{Error, Regex, RegexSet};

/// One pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    source: Cow<'static, str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// One that is known to be fine.
    pub(super) const fn preset(source: &'static str) -> Self {
        Self { source: Cow::Borrowed(source), compiled: OnceLock::new() }
    }

    /// The user's: whether it can be compiled is told at once.
    pub(super) fn checked(source: &str) -> Result<Self, Error> {
        let compiled = OnceLock::from(Some(Regex::new(source)?));
        Ok(Self { source: Cow::Owned(source.to_owned()), compiled })
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// `None` if it cannot be compiled after all: what it is to find counts as found then.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.source).ok()).as_ref()
    }
}

/// Several patterns at once.
#[derive(Debug)]
pub(super) struct PatternSet {
    sources: Vec<String>,
    compiled: OnceLock<Option<RegexSet>>,
}

impl PatternSet {
    pub(super) fn new(sources: Vec<String>) -> Self {
        Self { sources, compiled: OnceLock::new() }
    }

    /// Compiles them now, to see whether they can be.
    pub(super) fn check(&self) -> Result<(), Error> {
        let compiled = RegexSet::new(&self.sources)?;
        // It was compiled before, or is now.
        let _ = self.compiled.set(Some(compiled));
        Ok(())
    }

    /// Whether one of them fits.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.set().is_none_or(|set| set.is_match(text))
    }

    /// The places of those that fit.
    pub(super) fn matches(&self, text: &str) -> Vec<usize> {
        match self.set() {
            Some(set) => set.matches(text).iter().collect(),
            None => (0..self.sources.len()).collect(),
        }
    }

    fn set(&self) -> Option<&RegexSet> {
        self.compiled.get_or_init(|| RegexSet::new(&self.sources).ok()).as_ref()
    }
}
