//! Where in a JSON document something is wrong. Of a value that was read before it is interpreted, `serde_json` knows no line.

use std::fmt;

use serde_json::Error;

/// An error, and the way to it.
#[derive(Debug)]
pub(super) struct Located {
    /// From the inside out.
    steps: Vec<Step>,
    reason: Error,
}

#[derive(Debug)]
pub(super) enum Step {
    Field(String),
    Element(usize),
}

impl Located {
    /// The error, as what this step leads to sees it.
    pub(super) fn within(mut self, step: Option<Step>) -> Self {
        self.steps.extend(step);
        self
    }
}

impl From<Error> for Located {
    fn from(reason: Error) -> Self {
        Self { steps: Vec::new(), reason }
    }
}

impl From<Located> for Error {
    fn from(located: Located) -> Self {
        serde::de::Error::custom(located)
    }
}

impl serde::de::Error for Located {
    fn custom<T: fmt::Display>(message: T) -> Self {
        <Error as serde::de::Error>::custom(message).into()
    }
}

impl std::error::Error for Located {}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().rev().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
            }
        }
        let colon = if self.steps.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.reason)
    }
}
