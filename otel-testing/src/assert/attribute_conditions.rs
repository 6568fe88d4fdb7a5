//! Conditions on attributes, which spans and log records share.

use super::Expected;
use super::closest::{is_slip, nearest_name};
use crate::{AttributeValue, Attributes};

#[derive(Clone, Debug, Default)]
pub(super) struct AttributeConditions {
    expected: Vec<(String, Expected)>,
    absent: Vec<String>,
    no_others: bool,
}

impl AttributeConditions {
    pub(super) fn has(&mut self, key: &str, value: Expected) {
        self.expected.push((key.to_owned(), value));
    }

    pub(super) fn has_no(&mut self, key: &str) {
        self.absent.push(key.to_owned());
    }

    pub(super) fn no_others(&mut self) {
        self.no_others = true;
    }

    pub(super) fn allows_others(&self) -> bool {
        !self.no_others
    }

    pub(super) fn describe(&self, into: &mut Vec<String>) {
        into.extend(self.expected.iter().map(|(key, value)| format!("{key} = {value}")));
        into.extend(self.absent.iter().map(|key| format!("no {key}")));
        if self.no_others {
            into.push("no other attributes".to_owned());
        }
    }

    pub(super) fn all_differences(&self, attributes: &Attributes) -> Vec<String> {
        let mut differences = Vec::new();
        self.differences(attributes, &mut differences);
        differences
    }

    pub(super) fn differences(&self, attributes: &Attributes, into: &mut Vec<String>) {
        for (key, value) in &self.expected {
            let found = attributes.get(key);
            if let Some(difference) = value.difference(key, found) {
                let meant = self.misspelt(key, attributes).filter(|_| found.is_none());
                into.push(difference + &meant.map(|meant| format!("; there is {meant}")).unwrap_or_default());
            }
        }
        for key in &self.absent {
            if let Some(value) = attributes.get(key) {
                into.push(format!("{key} is {value}, expected none"));
            }
        }
        if self.no_others {
            let named = |key: &str| self.expected.iter().any(|(expected, _)| expected == key);
            let unexpected = attributes.iter().filter(|(key, _)| !named(key));
            into.extend(
                unexpected.map(|(key, value): (&str, &AttributeValue)| format!("unexpected {key} = {value}")),
            );
            let keys = attributes.keys();
            let twice = keys.windows(2).filter(|pair| pair[0] == pair[1]);
            into.extend(twice.map(|pair| format!("{} is there twice", pair[0])));
        }
    }

    /// The key of an attribute that is there and not expected, and that is `key` but for a slip or two.
    fn misspelt<'a>(&self, key: &str, attributes: &'a Attributes) -> Option<&'a str> {
        let is_expected = |key: &str| self.expected.iter().any(|(expected, _)| expected == key);
        let others = attributes.iter().map(|(other, _)| other).filter(|other| !is_expected(other));
        nearest_name(others, key).filter(|nearest| is_slip(nearest, key))
    }
}
