//! What is against the conventions.

use std::fmt;

/// One thing that is against the semantic conventions. Its text says where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Violation {
    /// Such as `span "GET /"`, or `metric http.server.request.duration`.
    pub place: String,
    /// Which rule.
    pub kind: ViolationKind,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// What can be against the conventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The conventions do not know the attribute, and nobody allowed it.
    UnknownAttribute,
    /// The attribute was replaced or removed.
    DeprecatedAttribute,
    /// The value is of another type.
    WrongType,
    /// The value is none of those that the enumeration lists.
    WrongValue,
    /// A required attribute is missing.
    MissingAttribute,
    /// The span has another kind than spans of this sort have.
    WrongSpanKind,
    /// The conventions do not know the metric, and nobody allowed it.
    UnknownMetric,
    /// The metric was replaced or removed.
    DeprecatedMetric,
    /// The metric has another unit.
    WrongUnit,
    /// The metric is made by another instrument, or of another type of number.
    WrongInstrument,
    /// The event was replaced or removed.
    DeprecatedEvent,
}
