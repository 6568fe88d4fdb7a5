//! The status that a failure stands for, when no response brought one.

use std::any::Any;
use std::error::Error;

use tonic::{Code, ConnectError, Status, TimeoutExpired, transport};
use tower::load_shed::error::Overloaded;

use otel_core::call_hook;

/// No error of a client is nested deeper; an error that is its own cause ends here.
const MAX_CAUSES: usize = 32;

/// The status that an application sees for this error of a service or a body.
///
/// The rules are tonic's own (`Status::from_error`), which cannot be asked because it takes the error away. With one
/// exception: a deadline that has passed in the client is `DEADLINE_EXCEEDED`, where tonic says `CANCELLED`.
pub(crate) fn code_of<E: 'static>(error: &E) -> Code {
    // Somebody else's `source` runs here.
    call_hook(|| known_error(error).and_then(code_of_chain), None).unwrap_or(Code::Unknown)
}

/// Rust gives a layer no way into an error of any type, but into those that clients and servers have.
fn known_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<transport::Error>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<Status>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
        return Some(error);
    }
    #[cfg(feature = "axum")]
    if let Some(error) = error.downcast_ref::<axum::Error>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    error.downcast_ref::<std::io::Error>().map(|error| error as &(dyn Error + 'static))
}

fn code_of_chain(error: &(dyn Error + 'static)) -> Option<Code> {
    std::iter::successors(Some(error), |error| (*error).source()).take(MAX_CAUSES).find_map(code_of_link)
}

fn code_of_link(error: &(dyn Error + 'static)) -> Option<Code> {
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some(status.code());
    }
    if error.is::<TimeoutExpired>() {
        return Some(Code::DeadlineExceeded);
    }
    if error.is::<Overloaded>() {
        return Some(Code::ResourceExhausted);
    }
    // "The service is currently unavailable": nobody listens, the name is not found, the handshake failed.
    if error.is::<ConnectError>() {
        return Some(Code::Unavailable);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return code_of_hyper(error);
    }
    error.downcast_ref::<h2::Error>().map(code_of_h2)
}

fn code_of_hyper(error: &hyper::Error) -> Option<Code> {
    // "An expired client initiated PING will cause all calls to be closed with an UNAVAILABLE status."
    if error.is_timeout() {
        return Some(Code::Unavailable);
    }
    if error.is_canceled() {
        return Some(Code::Cancelled);
    }
    error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()).map(code_of_h2)
}

/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors>
fn code_of_h2(error: &h2::Error) -> Code {
    match error.reason() {
        Some(
            h2::Reason::NO_ERROR
            | h2::Reason::PROTOCOL_ERROR
            | h2::Reason::INTERNAL_ERROR
            | h2::Reason::FLOW_CONTROL_ERROR
            | h2::Reason::SETTINGS_TIMEOUT
            | h2::Reason::FRAME_SIZE_ERROR
            | h2::Reason::COMPRESSION_ERROR
            | h2::Reason::CONNECT_ERROR,
        ) => Code::Internal,
        Some(h2::Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(h2::Reason::CANCEL) => Code::Cancelled,
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(h2::Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type BoxError = Box<dyn Error + Send + Sync>;

    #[derive(Debug)]
    struct Around(BoxError);

    impl std::fmt::Display for Around {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("around")
        }
    }

    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    fn reasons() -> impl Iterator<Item = h2::Error> {
        (0..16_u32).map(|reason| h2::Error::from(h2::Reason::from(reason)))
    }

    #[test]
    fn the_code_is_the_one_that_tonic_gives_to_the_application() {
        let errors: [fn() -> BoxError; 6] = [
            || Box::new(Status::not_found("x")),
            || Box::new(Around(Box::new(Status::data_loss("x")))),
            || Box::new(Around(Box::new(ConnectError("refused".into())))),
            || Box::new(Around("of no known kind".into())),
            || Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
            || Box::new(Overloaded::new()),
        ];
        for error in errors {
            assert_eq!(code_of(&error()), Status::from_error(error()).code(), "{:?}", error());
        }
        for error in reasons() {
            let reason = error.reason();
            let ours = code_of(&(Box::new(error) as BoxError));
            let again = h2::Error::from(reason.expect("made of a reason"));
            assert_eq!(ours, Status::from_error(Box::new(again)).code(), "{reason:?}");
        }
    }

    #[cfg(feature = "axum")]
    #[test]
    fn an_error_of_axum_s_body_is_what_it_is_around() {
        assert_eq!(code_of(&axum::Error::new(Status::data_loss("x"))), Code::DataLoss);
    }

    #[test]
    fn a_deadline_is_no_cancellation() {
        let expired: BoxError = Box::new(Around(Box::new(TimeoutExpired(()))));
        assert_eq!(code_of(&expired), Code::DeadlineExceeded);
    }

    #[test]
    fn an_endless_chain_ends() {
        #[derive(Debug)]
        struct Endless;
        impl std::fmt::Display for Endless {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("endless")
            }
        }
        impl Error for Endless {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(code_of(&(Box::new(Endless) as BoxError)), Code::Unknown);
    }
}
