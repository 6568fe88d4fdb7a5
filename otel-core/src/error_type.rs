//! Why an operation failed, in few words.

use std::borrow::Cow;
use std::fmt;

use opentelemetry::{StringValue, Value};

/// The value of `error.type`: the class of an error, with few different values.
///
/// "The `error.type` SHOULD be predictable, and SHOULD have low cardinality": a message or an id never goes here.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/>
///
/// ```
/// # use otel_core::ErrorType;
/// assert_eq!(ErrorType::TIMEOUT.as_str(), "timeout");
/// assert_eq!(ErrorType::new("card_declined").as_str(), "card_declined");
/// assert_eq!(ErrorType::of::<std::fmt::Error>().as_str(), "core::fmt::Error");
/// assert_eq!(ErrorType::of::<Box<dyn std::error::Error>>(), ErrorType::OTHER);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorType(Cow<'static, str>);

impl ErrorType {
    /// The operation did not finish in its time.
    pub const TIMEOUT: Self = Self::new("timeout");
    /// The operation's code panicked.
    pub const PANIC: Self = Self::new("panic");
    /// The fallback of the conventions, for an error of no known class.
    pub const OTHER: Self = Self::new("_OTHER");

    /// A class of errors known when the program is written.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A class of errors read at run time, such as a status code. The caller sees to it that there are few.
    #[must_use]
    pub fn from_code(code: impl Into<String>) -> Self {
        Self(Cow::Owned(code.into()))
    }

    /// The error's Rust type, as the compiler names it: bounded by the program's source. A type that has been boxed away is
    /// [`OTHER`](Self::OTHER).
    #[must_use]
    pub fn of<E: ?Sized>() -> Self {
        let name = std::any::type_name::<E>();
        if name.contains("dyn ") { Self::OTHER } else { Self::new(name) }
    }

    /// The value as it is exported.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ErrorType> for Value {
    fn from(error_type: ErrorType) -> Self {
        Value::String(StringValue::from(error_type.0))
    }
}
