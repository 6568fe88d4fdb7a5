//! Why a call failed.

use std::borrow::Cow;

use otel_core::ErrorType;

/// Why a call failed: `error.type`, and `db.response.status_code` if the database gave one.
///
/// Neither is ever a message: messages of databases quote values.
///
/// ```
/// use otel_db::DbFailure;
///
/// let duplicate_key = DbFailure::with_code("23505");      // what the database answered
/// let no_answer = DbFailure::TIMEOUT;
/// let too_busy = DbFailure::new("pool_exhausted");        // a class of your client's errors
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbFailure {
    pub(crate) status_code: Option<Cow<'static, str>>,
    pub(crate) error_type: ErrorType,
}

impl DbFailure {
    /// No answer in time.
    pub const TIMEOUT: Self = Self { status_code: None, error_type: ErrorType::TIMEOUT };
    /// Nothing better is known.
    pub const OTHER: Self = Self { status_code: None, error_type: ErrorType::OTHER };

    /// A class of errors of the client, one of few.
    #[must_use]
    pub const fn new(error_type: &'static str) -> Self {
        Self { status_code: None, error_type: ErrorType::new(error_type) }
    }

    /// What the database answered: an SQLSTATE for PostgreSQL, the vendor's number for MySQL, the prefix of the error for
    /// Redis. It becomes `error.type` as well.
    #[must_use]
    pub fn with_code(code: impl Into<Cow<'static, str>>) -> Self {
        let code = code.into();
        let error_type = match &code {
            Cow::Borrowed(code) => ErrorType::new(code),
            Cow::Owned(code) => ErrorType::from_code(code.clone()),
        };
        Self { status_code: Some(code), error_type }
    }

    /// The Rust type of an error, for want of anything better.
    #[must_use]
    pub fn of<E: ?Sized>() -> Self {
        Self { status_code: None, error_type: ErrorType::of::<E>() }
    }
}
