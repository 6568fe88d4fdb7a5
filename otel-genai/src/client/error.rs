//! Why there was no response: as much as can be seen of an error whose type is the client's own.

use std::any::Any;
use std::error::Error;
use std::io::{self, ErrorKind};

use otel_core::ErrorType;

/// The class of an error of an inner service: of one that was boxed what it can be told by, otherwise the type's name.
pub(super) fn class_of<E: 'static>(error: &E) -> ErrorType {
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return class_in(error).unwrap_or_else(ErrorType::of::<E>);
    }
    let boxed = any.downcast_ref::<Box<dyn Error + Send + Sync>>();
    boxed.and_then(|error| class_in(&**error)).unwrap_or_else(ErrorType::of::<E>)
}

/// Looks for what caused it.
fn class_in(error: &(dyn Error + 'static)) -> Option<ErrorType> {
    let causes = std::iter::successors(Some(error), |error| (**error).source()).take(16);
    causes.into_iter().find_map(|cause| {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return match io.kind() {
                ErrorKind::TimedOut => Some(ErrorType::TIMEOUT),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    Some(ErrorType::new("connect"))
                }
                _ => None,
            };
        }
        // tower's timeout is a type of a crate that this one does not depend on.
        (cause.to_string() == "request timed out").then_some(ErrorType::TIMEOUT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boxed_error_is_looked_into() {
        let class = |error: Box<dyn Error + Send + Sync>| class_of(&error).as_str().to_owned();
        assert_eq!(class(Box::new(tower::timeout::error::Elapsed::new())), "timeout");
        assert_eq!(class(Box::new(io::Error::from(ErrorKind::ConnectionRefused))), "connect");
        assert_eq!(class("no key sk-1".into()), "_OTHER");
        assert_eq!(class_of(&io::Error::from(ErrorKind::TimedOut)).as_str(), "timeout");
        assert_eq!(class_of(&std::fmt::Error).as_str(), "core::fmt::Error");
    }
}
