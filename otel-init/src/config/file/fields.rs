//! The entries of a map, taken one by one; what nobody took is a mistake.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::error::FileError;
use super::node::{Node, Scalar, Yaml};
use crate::config::known::is_nearly;
use crate::config::shown;

type Result<T> = std::result::Result<T, FileError>;

/// Where each value that was read stands: its path and its line.
pub(super) type Lines = Rc<RefCell<BTreeMap<String, usize>>>;

/// A map of the file.
pub(super) struct Fields {
    path: String,
    line: usize,
    entries: Vec<(String, usize, Node)>,
    lines: Lines,
}

/// A value of the file.
pub(super) struct Value {
    path: String,
    node: Node,
    /// What it belongs to sounds like a secret.
    is_secret: bool,
    lines: Lines,
}

impl Fields {
    /// The whole file.
    pub(super) fn root(node: Node, lines: Lines) -> Result<Self> {
        Value { path: String::new(), node, is_secret: false, lines }.fields()
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> FileError {
        FileError { line: self.line, key: self.path.clone(), reason: reason.into() }
    }

    /// The entry of this key, also with the suffix of keys that are not stable yet; `None` for one that is null.
    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.take(key).filter(|value| !matches!(value.node.value, Yaml::Null))
    }

    /// As [`Self::optional`], but a null is a value: `always_on:`.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let place = self
            .entries
            .iter()
            .position(|(known, ..)| known == key || known.strip_suffix("/development") == Some(key))?;
        let (key, line, node) = self.entries.remove(place);
        let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path) };
        let line = if matches!(node.value, Yaml::Null) { line } else { node.line };
        self.lines.borrow_mut().insert(path.clone(), line);
        Some(Value { path, node: Node { line, ..node }, is_secret: false, lines: Rc::clone(&self.lines) })
    }

    pub(super) fn required(&mut self, key: &str) -> Result<Value> {
        self.required_as(key, "")
    }

    /// The same with an example, which the error shows.
    pub(super) fn required_as(&mut self, key: &str, example: &str) -> Result<Value> {
        if let Some(value) = self.optional(key) {
            return Ok(value);
        }
        Err(match self.entries.iter().find(|(written, ..)| is_nearly(written, key)) {
            Some((written, line, _)) => FileError {
                line: *line,
                key: self.path.clone(),
                reason: format!("the key {written} is not known here; is {key} meant?"),
            },
            None => self.error(format!("{key} is missing{example}")),
        })
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>> {
        self.optional(key).map(|value| value.text()).transpose()
    }

    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>> {
        self.optional(key).map(|value| value.boolean()).transpose()
    }

    pub(super) fn count(&mut self, key: &str) -> Result<Option<u32>> {
        self.optional(key).map(|value| value.count()).transpose()
    }

    pub(super) fn fields(&mut self, key: &str) -> Result<Option<Self>> {
        self.optional(key).map(Value::fields).transpose()
    }

    /// What the schema has and this crate does not do: said, not passed over. A null sets nothing.
    pub(super) fn unsupported(&mut self, key: &str, instead: &str) -> Result<()> {
        match self.optional(key) {
            Some(value) if !value.is_blank() => {
                Err(value
                    .error(format!("not supported{}{instead}", if instead.is_empty() { "" } else { ": " })))
            }
            _ => Ok(()),
        }
    }

    /// All entries, in their order.
    pub(super) fn all(mut self) -> Vec<(String, Value)> {
        let keys: Vec<String> = self.entries.iter().map(|(key, ..)| key.clone()).collect();
        keys.into_iter().filter_map(|key| self.take(&key).map(|value| (key, value))).collect()
    }

    /// Everything must have been taken.
    pub(super) fn end(self) -> Result<()> {
        match self.entries.into_iter().next() {
            None => Ok(()),
            Some((key, line, _)) => {
                let reason = format!("the key {key} is not known here");
                Err(FileError { line, key: self.path, reason })
            }
        }
    }

    /// The one entry of a map that chooses, such as `sampler: {always_on: }`.
    pub(super) fn only(mut self) -> Result<(String, Value)> {
        if self.entries.len() != 1 {
            let keys: Vec<_> = self.entries.iter().map(|(key, ..)| key.as_str()).collect();
            let found = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            return Err(self.error(format!("expected exactly one key, found {found}")));
        }
        let key = self.entries.first().map(|(key, ..)| key.clone()).unwrap_or_default();
        let value = self.take(&key).ok_or_else(|| self.error("expected a key"))?;
        Ok((key.strip_suffix("/development").unwrap_or(&key).to_owned(), value))
    }
}

impl Value {
    pub(super) fn line(&self) -> usize {
        self.node.line
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> FileError {
        FileError { line: self.node.line, key: self.path.clone(), reason: reason.into() }
    }

    /// The value of an attribute or a header with this name.
    pub(super) fn of(self, name: &str) -> Self {
        Self { is_secret: otel_core::sounds_secret(name), ..self }
    }

    pub(super) fn expected(&self, what: &str) -> FileError {
        let found = match &self.node.value {
            Yaml::Null => "null".to_owned(),
            Yaml::List(_) => "a list".to_owned(),
            Yaml::Map(_) => "a map".to_owned(),
            // A variable may be a secret that stands in the wrong place.
            Yaml::Scalar(scalar) if scalar.is_substituted && scalar.is_plain => {
                "the value of a variable".to_owned()
            }
            Yaml::Scalar(scalar) if scalar.is_substituted => "the value of a variable, quoted".to_owned(),
            Yaml::Scalar(_) if self.may_be_secret() => "what may be a secret".to_owned(),
            Yaml::Scalar(scalar) if scalar.is_plain => shown(&scalar.text),
            Yaml::Scalar(scalar) => format!("the text {}", shown(&scalar.text)),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    /// A key, and all that stands where headers are to be: whoever writes them in another form has written the value too.
    fn may_be_secret(&self) -> bool {
        self.is_secret
            || self.path.split('.').any(|key| key.starts_with("headers") || otel_core::sounds_secret(key))
    }

    /// A null stands for an empty map.
    pub(super) fn fields(self) -> Result<Fields> {
        match self.node.value {
            Yaml::Map(entries) => {
                Ok(Fields { path: self.path, line: self.node.line, entries, lines: self.lines })
            }
            Yaml::Null => {
                Ok(Fields { path: self.path, line: self.node.line, entries: Vec::new(), lines: self.lines })
            }
            _ => Err(self.expected("a map")),
        }
    }

    /// No properties: `always_on:` and `always_on: {}`.
    pub(super) fn nothing(self) -> Result<()> {
        self.fields()?.end()
    }

    pub(super) fn list(self) -> Result<Vec<Self>> {
        let Yaml::List(items) = self.node.value else {
            return Err(self.expected("a list"));
        };
        let item = |(index, node)| Self {
            path: format!("{}[{index}]", self.path),
            node,
            is_secret: self.is_secret,
            lines: Rc::clone(&self.lines),
        };
        Ok(items.into_iter().enumerate().map(item).collect())
    }

    /// A list that is not empty.
    pub(super) fn some(self) -> Result<Vec<Self>> {
        let empty = self.error("expected a list of at least one item");
        let items = self.list()?;
        if items.is_empty() { Err(empty) } else { Ok(items) }
    }

    pub(super) fn texts(self) -> Result<Vec<String>> {
        self.list()?.iter().map(Self::text).collect()
    }

    pub(super) fn text(&self) -> Result<String> {
        match &self.node.value {
            Yaml::Scalar(scalar) if !scalar.is_plain || scalar.is_substituted || scalar.is_text() => {
                Ok(scalar.text.clone())
            }
            Yaml::Scalar(_) => Err(self.expected("a text, which is to be quoted if it looks like a number")),
            _ => Err(self.expected("a text")),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        self.plain().and_then(Scalar::boolean).ok_or_else(|| self.expected("true or false"))
    }

    pub(super) fn integer(&self) -> Result<i64> {
        self.plain().and_then(Scalar::integer).ok_or_else(|| self.expected("a whole number"))
    }

    /// Zero or more.
    pub(super) fn count(&self) -> Result<u32> {
        u32::try_from(self.integer()?).map_err(|_| self.expected("a whole number from 0 to 4294967295"))
    }

    pub(super) fn number(&self) -> Result<f64> {
        self.plain().and_then(Scalar::number).ok_or_else(|| self.expected("a number"))
    }

    /// One of a few words.
    pub(super) fn choice<T>(&self, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        parse(&self.text()?).ok_or_else(|| self.expected(expected))
    }

    fn plain(&self) -> Option<&Scalar> {
        match &self.node.value {
            Yaml::Scalar(scalar) if scalar.is_plain => Some(scalar),
            _ => None,
        }
    }

    /// Nothing but nulls, as templates have for variables that are not set.
    pub(super) fn is_blank(&self) -> bool {
        fn is_blank(node: &Node) -> bool {
            match &node.value {
                Yaml::Null => true,
                Yaml::Scalar(_) => false,
                Yaml::List(items) => items.iter().all(is_blank),
                Yaml::Map(entries) => entries.iter().all(|(_, _, value)| is_blank(value)),
            }
        }
        is_blank(&self.node)
    }
}
