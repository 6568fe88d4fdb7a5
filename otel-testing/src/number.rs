//! Numbers that know whether they are integers.

use std::fmt;

/// The number of a sum or a gauge, of the type that was recorded. An integer never equals a floating point number.
///
/// ```
/// use otel_testing::Number;
/// assert_eq!(Number::from(2_u64), Number::from(2_i64));
/// assert_eq!(Number::from(2_u64), 2);
/// assert_ne!(Number::from(2.0), Number::from(2_i64));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A signed integer.
    I64(i64),
    /// An unsigned integer. OTLP has signed ones only, so this comes from memory alone.
    U64(u64),
    /// A floating point number.
    F64(f64),
}

impl Number {
    /// The number as `f64`; integers above 2^53 lose precision.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "said in the documentation")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::I64(number) => number as f64,
            Self::U64(number) => number as f64,
            Self::F64(number) => number,
        }
    }

    /// For those that look alike and are not equal.
    pub(crate) fn with_type(self) -> String {
        let kind = if self.as_integer().is_some() { "integer" } else { "floating point number" };
        format!("the {kind} {self}")
    }

    pub(crate) fn as_integer(self) -> Option<i128> {
        match self {
            Self::I64(number) => Some(number.into()),
            Self::U64(number) => Some(number.into()),
            Self::F64(_) => None,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::F64(left), Self::F64(right)) => left == right,
            _ => self.as_integer().is_some() && self.as_integer() == other.as_integer(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I64(number) => write!(f, "{number}"),
            Self::U64(number) => write!(f, "{number}"),
            Self::F64(number) => write!(f, "{number:?}"),
        }
    }
}

macro_rules! numbers {
    ($($from:ty => $variant:ident),*) => {$(
        impl From<$from> for Number {
            fn from(number: $from) -> Self {
                Self::$variant(number.into())
            }
        }
        impl PartialEq<$from> for Number {
            fn eq(&self, other: &$from) -> bool {
                *self == Self::from(*other)
            }
        }
    )*};
}

numbers!(i32 => I64, i64 => I64, u64 => U64, f64 => F64);
