//! What is wrong with the file, and where.

use std::fmt;

/// A mistake in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileError {
    /// From 1; 0 if the file could not be read.
    pub(crate) line: usize,
    /// The keys that lead there, with dots.
    pub(crate) key: String,
    pub(crate) reason: String,
}

impl FileError {
    pub(super) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line, key: String::new(), reason: reason.into() }
    }

    /// The same mistake, seen from one level higher.
    pub(super) fn below(mut self, key: &str) -> Self {
        self.key = match self.key.as_str() {
            "" => key.to_owned(),
            inner if inner.starts_with('[') => format!("{key}{inner}"),
            inner => format!("{key}.{inner}"),
        };
        self
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(formatter, "line {}: ", self.line)?;
        }
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for FileError {}
