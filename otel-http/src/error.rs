//! `error.type` of failures that have no status code.

use otel_core::ErrorType;

/// The class of an inner service's error: its type, or `_OTHER` when the type has been boxed away.
pub(crate) fn error_type<E: ?Sized>() -> ErrorType {
    let error_type = ErrorType::of::<E>();
    if error_type.as_str().contains("dyn ") { ErrorType::OTHER } else { error_type }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boxed_error_has_no_class() {
        assert_eq!(error_type::<std::io::Error>().as_str(), "std::io::error::Error");
        assert_eq!(error_type::<Box<dyn std::error::Error + Send + Sync>>(), ErrorType::OTHER);
    }
}
