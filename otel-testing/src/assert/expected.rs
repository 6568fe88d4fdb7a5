//! What the value of an attribute should be.

use std::fmt;
use std::sync::Arc;

use crate::AttributeValue;

/// What an attribute should be: a value, with its type, or a rule such as [`one_of`].
///
/// ```
/// use otel_testing::{Expected, containing};
/// assert!(Expected::from(200).accepts(&200.into()));
/// assert!(!Expected::from(200).accepts(&"200".into()));
/// assert!(containing("time").accepts(&"connect timed out".into()));
/// ```
#[derive(Clone)]
pub struct Expected {
    text: String,
    rule: Rule,
}

type Predicate = Arc<dyn Fn(&AttributeValue) -> bool + Send + Sync>;

#[derive(Clone)]
enum Rule {
    Equal(AttributeValue),
    Predicate(Predicate),
}

impl Expected {
    /// A rule of your own. `text` completes the sentence "expected …" in the message of a failure.
    pub fn matching(
        text: impl Into<String>,
        predicate: impl Fn(&AttributeValue) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), rule: Rule::Predicate(Arc::new(predicate)) }
    }

    /// Whether `value` is what is expected.
    #[must_use]
    pub fn accepts(&self, value: &AttributeValue) -> bool {
        match &self.rule {
            Rule::Equal(expected) => is_same(expected, value),
            Rule::Predicate(predicate) => predicate(value),
        }
    }

    /// The text that is expected, if it is a certain one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.rule {
            Rule::Equal(expected) => expected.as_str(),
            Rule::Predicate(_) => None,
        }
    }

    /// How `value` differs; `None` if it does not.
    pub(crate) fn difference(&self, key: &str, value: Option<&AttributeValue>) -> Option<String> {
        match (value, &self.rule) {
            (Some(value), _) if self.accepts(value) => None,
            (None, _) => Some(format!("{key} is absent, expected {}", self.text)),
            (Some(value), Rule::Equal(expected)) if type_name(value) != type_name(expected) => Some(format!(
                "{key} is the {} {value}, expected the {} {expected}",
                type_name(value),
                type_name(expected)
            )),
            (Some(value), _) => Some(format!("{key} is {value}, expected {}", self.text)),
        }
    }
}

/// What completes the sentence "expected …".
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expected").field(&self.text).finish()
    }
}

impl<V: Into<AttributeValue>> From<V> for Expected {
    fn from(value: V) -> Self {
        let value = value.into();
        Self { text: value.to_string(), rule: Rule::Equal(value) }
    }
}

/// Any value: the attribute must be there.
#[must_use]
pub fn any_value() -> Expected {
    Expected::matching("any value", |_| true)
}

/// One of these values.
pub fn one_of<V: Into<AttributeValue>>(values: impl IntoIterator<Item = V>) -> Expected {
    let values: Vec<AttributeValue> = values.into_iter().map(Into::into).collect();
    let text = format!("one of {}", AttributeValue::Array(values.clone()));
    Expected::matching(text, move |value| values.iter().any(|expected| is_same(expected, value)))
}

/// A text that contains `part`.
pub fn containing(part: impl Into<String>) -> Expected {
    let part = part.into();
    Expected::matching(format!("a text that contains {part:?}"), move |value| {
        value.as_str().is_some_and(|text| text.contains(&part))
    })
}

/// A text that starts with `start`.
pub fn starting_with(start: impl Into<String>) -> Expected {
    let start = start.into();
    Expected::matching(format!("a text that starts with {start:?}"), move |value| {
        value.as_str().is_some_and(|text| text.starts_with(&start))
    })
}

/// Maps have no order, senders keep them in hash maps; and not even a number that is none equals itself.
fn is_same(expected: &AttributeValue, value: &AttributeValue) -> bool {
    match (expected, value) {
        (AttributeValue::Double(expected), AttributeValue::Double(value)) => {
            expected == value || (expected.is_nan() && value.is_nan())
        }
        (AttributeValue::Array(expected), AttributeValue::Array(values)) => {
            expected.len() == values.len()
                && expected.iter().zip(values).all(|(expected, value)| is_same(expected, value))
        }
        (AttributeValue::Map(expected), AttributeValue::Map(entries)) => {
            let [expected, entries] = [expected, entries].map(|map| {
                let mut entries: Vec<&(String, AttributeValue)> = map.iter().collect();
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                entries
            });
            expected.len() == entries.len()
                && expected
                    .iter()
                    .zip(entries)
                    .all(|((name, expected), (key, value))| name == key && is_same(expected, value))
        }
        _ => expected == value,
    }
}

pub(crate) fn type_name(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::Empty => "empty value",
        AttributeValue::Bool(_) => "boolean",
        AttributeValue::Int(_) => "integer",
        AttributeValue::Double(_) => "floating point number",
        AttributeValue::String(_) => "text",
        AttributeValue::Bytes(_) => "byte string",
        AttributeValue::Array(_) => "list",
        AttributeValue::Map(_) => "map",
    }
}
