//! `error.type` of failures of HTTP clients that have no status code: few classes, the same for every client.
//!
//! Most clients keep the types of their errors private, so an error is recognized by its kind where it has one
//! ([`io::Error`]), else by the beginning of its text where a library always says the same. The text is compared and
//! forgotten: no part of it is ever recorded.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write};
use std::io;

use crate::{ErrorType, call_hook};

/// What went wrong with a request that an HTTP client sent. The most telling class stands first: a connection that could
/// not be made because no name was found is `dns`.
///
/// ```
/// use otel_core::HttpFailure;
///
/// let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// assert_eq!(HttpFailure::of(&error).unwrap().error_type().as_str(), "connect");
/// assert_eq!(HttpFailure::of(&std::fmt::Error), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HttpFailure {
    /// The request's body could not be made. The causes of that, a timeout for example, are not this request's.
    OwnBody,
    /// No answer, or not all of it, in its time.
    Timeout,
    /// The host's name was not found.
    Dns,
    /// The handshake failed.
    Tls,
    /// Too many redirects, or one that must not be followed.
    Redirect,
    /// The response's body broke off.
    Body,
    /// The response's body is not what it should be.
    Decode,
    /// No connection for another reason.
    Connect,
    /// The connection, or the stream on it, ended before the response's head was there.
    ConnectionLost,
    /// Anything else between the connection and the response's head.
    Request,
}

impl HttpFailure {
    /// The value of `error.type`; these words are part of the public interface of those who use it.
    #[must_use]
    pub const fn error_type(self) -> ErrorType {
        match self {
            Self::Timeout => ErrorType::TIMEOUT,
            Self::Dns => ErrorType::new("dns"),
            Self::Tls => ErrorType::new("tls"),
            Self::Redirect => ErrorType::new("redirect"),
            Self::OwnBody | Self::Body => ErrorType::new("body"),
            Self::Decode => ErrorType::new("decode"),
            Self::Connect => ErrorType::new("connect"),
            Self::ConnectionLost => ErrorType::new("connection_lost"),
            Self::Request => ErrorType::new("request"),
        }
    }

    /// The class of an error and of what caused it; `None` when nothing in the chain is known.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        // Somebody else's `Display` and `source` run here.
        call_hook(|| class_of_chain(error), None)
    }

    /// The same for the errors that a tower service has when it has none of its own: boxed ones, and [`io::Error`].
    #[must_use]
    pub fn of_any(error: &dyn Any) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::of(error);
        }
        if let Some(error) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
            return Self::of(&**error);
        }
        if let Some(error) = error.downcast_ref::<Box<dyn Error + Send>>() {
            return Self::of(&**error);
        }
        error.downcast_ref::<Box<dyn Error>>().and_then(|error| Self::of(&**error))
    }

    /// What reqwest says of its error, or what its causes say when that is more telling.
    #[cfg(feature = "reqwest")]
    #[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
    #[must_use]
    pub fn of_reqwest(error: &reqwest::Error) -> Option<Self> {
        let said = match error {
            error if error.is_timeout() => Some(Self::Timeout),
            error if error.is_dns() => Some(Self::Dns),
            error if error.is_redirect() => Some(Self::Redirect),
            error if error.is_body() => Some(Self::Body),
            error if error.is_decode() => Some(Self::Decode),
            error if error.is_connect() => Some(Self::Connect),
            error if error.is_builder() || error.is_request() => Some(Self::Request),
            _ => None,
        };
        said.into_iter().chain(Self::of(error)).min()
    }
}

/// No error of a client is nested deeper; an error that is its own cause ends here.
const MAX_CAUSES: usize = 32;

fn class_of_chain(error: &(dyn Error + 'static)) -> Option<HttpFailure> {
    let (mut class, mut has_invalid_data) = (None, false);
    for link in std::iter::successors(Some(error), |error| cause(*error)).take(MAX_CAUSES) {
        class = [class, class_of_link(link)].into_iter().flatten().min();
        has_invalid_data |= io_kind(link) == Some(io::ErrorKind::InvalidData);
    }
    // While connecting only a TLS handshake reads data: rustls reports whatever it cannot accept as invalid data.
    if class == Some(HttpFailure::Connect) && has_invalid_data {
        return Some(HttpFailure::Tls);
    }
    class
}

/// An `io::Error` names the cause of what it wraps as its own, so what it wraps is asked for first.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io_error) => io_error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    error.downcast_ref::<io::Error>().map(io::Error::kind)
}

fn class_of_link(error: &(dyn Error + 'static)) -> Option<HttpFailure> {
    let beginning = Beginning::of(error);
    let by_text = TEXTS.iter().find(|(text, _)| beginning.starts_with(text)).map(|(_, class)| *class);
    [io_kind(error).and_then(class_of_kind), by_text].into_iter().flatten().min()
}

fn class_of_kind(kind: io::ErrorKind) -> Option<HttpFailure> {
    match kind {
        io::ErrorKind::TimedOut => Some(HttpFailure::Timeout),
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Some(HttpFailure::Connect),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(HttpFailure::ConnectionLost),
        _ => None,
    }
}

/// What libraries write, word for word, and always at the beginning. A text that changes in a later version costs the
/// finer class, not the error: `dns` and `tls` become `connect`, `connection_lost` becomes `request`.
const TEXTS: [(&str, HttpFailure); 25] = [
    // tower, tokio, reqwest
    ("request timed out", HttpFailure::Timeout),
    ("deadline has elapsed", HttpFailure::Timeout),
    ("operation timed out", HttpFailure::Timeout),
    // hyper-util, the standard library
    ("dns error", HttpFailure::Dns),
    ("failed to lookup address information", HttpFailure::Dns),
    // tokio-rustls, rustls, OpenSSL, Security Framework
    ("tls handshake eof", HttpFailure::Tls),
    ("invalid peer certificate", HttpFailure::Tls),
    ("received fatal alert", HttpFailure::Tls),
    ("peer is incompatible", HttpFailure::Tls),
    ("peer misbehaved", HttpFailure::Tls),
    ("received corrupt message", HttpFailure::Tls),
    ("error:0A", HttpFailure::Tls),
    ("The certificate was not trusted", HttpFailure::Tls),
    // hyper, h2, reqwest
    ("error from user's Body stream", HttpFailure::OwnBody),
    ("stream error sent by user", HttpFailure::OwnBody),
    ("error writing a body to connection", HttpFailure::ConnectionLost),
    ("error reading a body from connection", HttpFailure::Body),
    ("request or response body error", HttpFailure::Body),
    ("connection closed before message completed", HttpFailure::ConnectionLost),
    ("stream error received", HttpFailure::ConnectionLost),
    ("connection error received", HttpFailure::ConnectionLost),
    ("operation was canceled", HttpFailure::ConnectionLost),
    // hyper-util
    ("client error (Connect)", HttpFailure::Connect),
    ("tcp connect error", HttpFailure::Connect),
    ("client error (", HttpFailure::Request),
];

/// The first bytes of an error's text, without allocating and without writing the rest.
struct Beginning {
    bytes: [u8; 48],
    length: usize,
}

impl Beginning {
    fn of(error: &dyn Error) -> Self {
        let mut beginning = Self { bytes: [0; 48], length: 0 };
        // It fails when the buffer is full, which ends the writing.
        let _ = write!(beginning, "{error}");
        beginning
    }

    fn starts_with(&self, text: &str) -> bool {
        self.bytes[..self.length].starts_with(text.as_bytes())
    }
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let taken = room.len().min(text.len());
        room[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        if taken == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with a text and a cause.
    #[derive(Debug)]
    struct Link(&'static str, Option<Box<dyn Error + Send + Sync>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // As the clients' errors do, piece by piece.
            self.0.split_inclusive('(').try_for_each(|piece| f.write_str(piece))
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    fn link(text: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Link {
        Link(text, Some(cause.into()))
    }

    #[test]
    fn the_most_telling_link_of_the_chain_counts() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let handshake_eof = || io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "some words of a TLS library");
        for (error, expected) in [
            (link("mine", refused()), Some(HttpFailure::Connect)),
            (link("client error (Connect)", timed_out()), Some(HttpFailure::Timeout)),
            (link("client error (Connect)", link("dns error", "no such host")), Some(HttpFailure::Dns)),
            (link("client error (Connect)", io::Error::other(invalid())), Some(HttpFailure::Tls)),
            (link("client error (SendRequest)", invalid()), Some(HttpFailure::Request)),
            (link("client error (SendRequest)", reset()), Some(HttpFailure::ConnectionLost)),
            (link("client error (Connect)", reset()), Some(HttpFailure::Connect)),
            (link("error writing a body to connection", "gone"), Some(HttpFailure::ConnectionLost)),
            (link("error reading a body from connection", reset()), Some(HttpFailure::Body)),
            (link("error from user's Body stream", timed_out()), Some(HttpFailure::OwnBody)),
            (link("client error (Connect)", handshake_eof()), Some(HttpFailure::Tls)),
            (link("mine", invalid()), None),
            (link("mine", "dns error of mine, seen last"), Some(HttpFailure::Dns)),
            (link("the dns error comes too late", "x"), None),
        ] {
            assert_eq!(HttpFailure::of(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn an_endless_chain_and_a_panicking_text_do_no_harm() {
        #[derive(Debug)]
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&"long ".repeat(1_000))
            }
        }
        impl Error for Endless {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(HttpFailure::of(&Endless), None);

        #[derive(Debug)]
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("a test panics here")
            }
        }
        impl Error for Panics {}
        assert_eq!(HttpFailure::of(&Panics), None);
    }
}
