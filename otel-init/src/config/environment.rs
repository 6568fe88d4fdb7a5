//! Reading variables: an empty value is unset, a bad one is reported once and the default holds.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use super::LONGEST_WAIT;
use super::shown;

/// The variables and what was wrong with them.
pub(crate) struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    warnings: RefCell<Vec<String>>,
    /// The variables that are not UTF-8, and what a message says of them behind that.
    illegible: RefCell<BTreeMap<String, Option<String>>>,
    /// The variables that are set and were understood.
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Environment<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, warnings: RefCell::default(), illegible: RefCell::default(), used: RefCell::default() }
    }

    /// The value without surrounding blanks, if there is one. What is not UTF-8 counts as not set: whoever asks says with
    /// [`Self::instead`] what that means.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            self.illegible.borrow_mut().entry(name.to_owned()).or_default();
            return None;
        }
        self.used.borrow_mut().insert(name.to_owned());
        Some(value.to_owned())
    }

    /// Whether there is a value, whatever it is.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        (self.lookup)(name).is_some_and(|value| !value.trim().is_empty())
    }

    /// What holds instead of this variable, for the case that it was asked for and is not UTF-8.
    pub(crate) fn instead(&self, name: &str, holds: impl Display) {
        self.if_illegible(name, format!("; {holds}"));
    }

    fn if_illegible(&self, name: &str, said: String) {
        if let Some(before) = self.illegible.borrow_mut().get_mut(name) {
            // The signals ask for the same variables, one after the other.
            before.get_or_insert(said);
        }
    }

    /// An entry of a list that is not `expected`; the others hold, or what `holds` says.
    pub(crate) fn misnamed(&self, name: &str, entry: &str, expected: &str, holds: impl Display) {
        self.warn(format!("{name} names {}, expected {expected}; {holds}", shown(entry)));
    }

    /// The value of this variable is of no use, whoever finds that out says why.
    pub(crate) fn refuse(&self, name: &str) {
        self.used.borrow_mut().remove(name);
    }

    /// The variables that were read and not refused.
    pub(crate) fn used(&self) -> BTreeSet<String> {
        self.used.borrow().clone()
    }

    /// The first of `names` that has a value which `parse` understands: the variable of a signal before the general one. Each
    /// value it refuses is reported, naming the variable, what it may be, and what is used: another one of them, or `default`.
    pub(crate) fn parsed<T>(
        &self,
        names: &[&str],
        expected: &str,
        default: impl Display,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let mut refused = Vec::new();
        let understood = names.iter().find_map(|name| {
            let value = self.text(name)?;
            let Some(parsed) = parse(&value) else {
                self.refuse(name);
                refused.push((name, value));
                return None;
            };
            Some((parsed, format!("{value:?} of {name}")))
        });
        let used = understood.as_ref().map_or_else(|| default.to_string(), |(_, used)| used.clone());
        for (name, value) in refused {
            self.warn(format!("{name} is {}, expected {expected}; {used} is used", shown(&value)));
        }
        names
            .iter()
            .for_each(|name| self.if_illegible(name, format!(", expected {expected}; {used} is used")));
        understood.map(|(parsed, _)| parsed)
    }

    /// The same for values in any case.
    pub(crate) fn choice<T>(
        &self,
        names: &[&str],
        expected: &str,
        default: impl Display,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        // "Enum values SHOULD be interpreted in a case-insensitive manner."
        self.parsed(names, expected, default, |value| parse(&value.to_ascii_lowercase()))
    }

    /// `true` in any case is true, everything else is false.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        // "Any value that represents a boolean value MUST be set to true only by the case-insensitive string "true"";
        // other values than true and false are false, with a warning.
        let understood = self.true_or_false(name, false);
        understood.or_else(|| {
            let is_set = self.is_set(name);
            if is_set {
                self.used.borrow_mut().insert(name.to_owned());
            }
            is_set.then_some(false)
        })
    }

    /// `true` or `false` in any case; with another value `default` holds.
    pub(crate) fn true_or_false(&self, name: &str, default: bool) -> Option<bool> {
        self.choice(&[name], "true or false", default, |value| value.parse().ok())
    }

    /// The size of a queue or a batch. The SDK allocates a whole queue at once, so there is an upper bound.
    pub(crate) fn size(&self, name: &str, default: impl Display) -> Option<usize> {
        self.parsed(&[name], "a whole number from 1 to 1000000", default, |value| {
            value.parse().ok().filter(|number| (1..=1_000_000).contains(number))
        })
    }

    /// A whole number, zero included.
    pub(crate) fn count(&self, names: &[&str], default: impl Display) -> Option<u32> {
        let expected = format!("a whole number from 0 to {}", u32::MAX);
        self.parsed(names, &expected, default, |value| value.parse().ok())
    }

    /// Milliseconds between two of something. "The value is non-negative": none at all is as short as it gets.
    pub(crate) fn delay(&self, name: &str, default: impl Display) -> Option<Duration> {
        let parse = |value: &str| value.parse().ok().map(|number: u64| Duration::from_millis(number.max(1)));
        self.parsed(&[name], "a whole number of milliseconds", default, parse)
            .map(|delay| delay.min(LONGEST_WAIT))
    }

    /// Milliseconds that something may take. "Implementations SHOULD interpret timeout zero values (i.e. 0 indicating 0
    /// milliseconds) as no limit".
    pub(crate) fn timeout(&self, names: &[&str], default: impl Display) -> Option<Duration> {
        let parse = |value: &str| match value.parse().ok()? {
            0 => Some(LONGEST_WAIT),
            number => Some(Duration::from_millis(number).min(LONGEST_WAIT)),
        };
        self.parsed(names, "a whole number of milliseconds, 0 for no limit", default, parse)
    }

    /// Keeps a warning, once.
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        for (name, said) in self.illegible.take() {
            let said = said.as_deref().unwrap_or("; it counts as not set");
            self.warn(format!("{name} is not UTF-8{said}"));
        }
        self.warnings.into_inner()
    }
}
