use std::error::Error;
use std::fmt;

/// Why a price table was not read.
#[derive(Debug)]
pub struct PriceTableError(pub(super) Problem);

#[derive(Debug)]
pub(super) enum Problem {
    Read(std::io::Error),
    Json(serde_json::Error),
    Format(u64),
    Currency(String),
    Price { model: String, what: &'static str },
}

impl PriceTableError {
    /// The file could not be read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self.0, Problem::Read(_))
    }

    /// What was read is no price table of a known format.
    #[must_use]
    pub fn is_format(&self) -> bool {
        matches!(self.0, Problem::Json(_) | Problem::Format(_) | Problem::Currency(_))
    }

    /// A price makes no sense.
    #[must_use]
    pub fn is_price(&self) -> bool {
        matches!(self.0, Problem::Price { .. })
    }
}

impl fmt::Display for PriceTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Read(_) => f.write_str("the price table cannot be read"),
            Problem::Json(_) => f.write_str("the price table is not the JSON that it should be"),
            Problem::Format(format) => {
                write!(f, "the price table has format {format}, this crate reads format 1")
            }
            Problem::Currency(currency) => {
                write!(f, "in the price table, the currency {currency:?} is no code such as \"USD\"")
            }
            Problem::Price { model, what } => write!(f, "in the price table, model {model:?}: {what}"),
        }
    }
}

impl Error for PriceTableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Problem::Read(error) => Some(error),
            Problem::Json(error) => Some(error),
            Problem::Format(_) | Problem::Currency(_) | Problem::Price { .. } => None,
        }
    }
}
