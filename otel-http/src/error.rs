//! `error.type` of failures that have no status code: few classes, the same for every client.
//!
//! Most clients keep the types of their errors private, so an error is recognized by its kind where it has one
//! ([`io::Error`]), else by the beginning of its text where a library always says the same. The text is compared and
//! forgotten: no part of it is ever recorded.

use std::error::Error;
use std::fmt::{self, Write};
use std::io;

use otel_core::ErrorType;

use otel_core::call_hook;

/// What went wrong with a request that a client sent. The most telling class stands first: a connection that could not
/// be made because no name was found is `dns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ErrorClass {
    /// The request's body could not be made. The causes of that, a timeout for example, are not this request's.
    OwnBody,
    Timeout,
    Dns,
    Tls,
    #[cfg(feature = "reqwest")]
    Redirect,
    Body,
    #[cfg(feature = "reqwest")]
    Decode,
    Connect,
    ConnectionLost,
    Request,
}

impl ErrorClass {
    /// The value of `error.type`; these words are part of the public interface.
    pub(crate) const fn error_type(self) -> ErrorType {
        match self {
            Self::Timeout => ErrorType::TIMEOUT,
            Self::Dns => ErrorType::new("dns"),
            Self::Tls => ErrorType::new("tls"),
            #[cfg(feature = "reqwest")]
            Self::Redirect => ErrorType::new("redirect"),
            Self::OwnBody | Self::Body => ErrorType::new("body"),
            #[cfg(feature = "reqwest")]
            Self::Decode => ErrorType::new("decode"),
            Self::Connect => ErrorType::new("connect"),
            Self::ConnectionLost => ErrorType::new("connection_lost"),
            Self::Request => ErrorType::new("request"),
        }
    }

    /// The class of an error and of what caused it; `None` when nothing in the chain is known.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        // Somebody else's `Display` and `source` run here.
        call_hook(|| class_of_chain(error), None)
    }
}

/// No error of a client is nested deeper; an error that is its own cause ends here.
const MAX_CAUSES: usize = 32;

fn class_of_chain(error: &(dyn Error + 'static)) -> Option<ErrorClass> {
    let (mut class, mut has_invalid_data) = (None, false);
    for link in std::iter::successors(Some(error), |error| cause(*error)).take(MAX_CAUSES) {
        class = [class, class_of_link(link)].into_iter().flatten().min();
        has_invalid_data |= io_kind(link) == Some(io::ErrorKind::InvalidData);
    }
    // While connecting only a TLS handshake reads data: rustls reports whatever it cannot accept as invalid data.
    if class == Some(ErrorClass::Connect) && has_invalid_data {
        return Some(ErrorClass::Tls);
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

fn class_of_link(error: &(dyn Error + 'static)) -> Option<ErrorClass> {
    let beginning = Beginning::of(error);
    let by_text = TEXTS.iter().find(|(text, _)| beginning.starts_with(text)).map(|(_, class)| *class);
    [io_kind(error).and_then(class_of_kind), by_text].into_iter().flatten().min()
}

fn class_of_kind(kind: io::ErrorKind) -> Option<ErrorClass> {
    match kind {
        io::ErrorKind::TimedOut => Some(ErrorClass::Timeout),
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Some(ErrorClass::Connect),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(ErrorClass::ConnectionLost),
        _ => None,
    }
}

/// What libraries write, word for word, and always at the beginning. A text that changes in a later version costs the
/// finer class, not the error: `dns` and `tls` become `connect`, `connection_lost` becomes `request`.
const TEXTS: [(&str, ErrorClass); 25] = [
    // tower, tokio, reqwest
    ("request timed out", ErrorClass::Timeout),
    ("deadline has elapsed", ErrorClass::Timeout),
    ("operation timed out", ErrorClass::Timeout),
    // hyper-util, the standard library
    ("dns error", ErrorClass::Dns),
    ("failed to lookup address information", ErrorClass::Dns),
    // tokio-rustls, rustls, OpenSSL, Security Framework
    ("tls handshake eof", ErrorClass::Tls),
    ("invalid peer certificate", ErrorClass::Tls),
    ("received fatal alert", ErrorClass::Tls),
    ("peer is incompatible", ErrorClass::Tls),
    ("peer misbehaved", ErrorClass::Tls),
    ("received corrupt message", ErrorClass::Tls),
    ("error:0A", ErrorClass::Tls),
    ("The certificate was not trusted", ErrorClass::Tls),
    // hyper, h2, reqwest
    ("error from user's Body stream", ErrorClass::OwnBody),
    ("stream error sent by user", ErrorClass::OwnBody),
    ("error writing a body to connection", ErrorClass::ConnectionLost),
    ("error reading a body from connection", ErrorClass::Body),
    ("request or response body error", ErrorClass::Body),
    ("connection closed before message completed", ErrorClass::ConnectionLost),
    ("stream error received", ErrorClass::ConnectionLost),
    ("connection error received", ErrorClass::ConnectionLost),
    ("operation was canceled", ErrorClass::ConnectionLost),
    // hyper-util
    ("client error (Connect)", ErrorClass::Connect),
    ("tcp connect error", ErrorClass::Connect),
    ("client error (", ErrorClass::Request),
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
            (link("mine", refused()), Some(ErrorClass::Connect)),
            (link("client error (Connect)", timed_out()), Some(ErrorClass::Timeout)),
            (link("client error (Connect)", link("dns error", "no such host")), Some(ErrorClass::Dns)),
            (link("client error (Connect)", io::Error::other(invalid())), Some(ErrorClass::Tls)),
            (link("client error (SendRequest)", invalid()), Some(ErrorClass::Request)),
            (link("client error (SendRequest)", reset()), Some(ErrorClass::ConnectionLost)),
            (link("client error (Connect)", reset()), Some(ErrorClass::Connect)),
            (link("error writing a body to connection", "gone"), Some(ErrorClass::ConnectionLost)),
            (link("error reading a body from connection", reset()), Some(ErrorClass::Body)),
            (link("error from user's Body stream", timed_out()), Some(ErrorClass::OwnBody)),
            (link("client error (Connect)", handshake_eof()), Some(ErrorClass::Tls)),
            (link("mine", invalid()), None),
            (link("mine", "dns error of mine, seen last"), Some(ErrorClass::Dns)),
            (link("the dns error comes too late", "x"), None),
        ] {
            assert_eq!(ErrorClass::of(&error), expected, "{error:?}");
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
        assert_eq!(ErrorClass::of(&Endless), None);

        #[derive(Debug)]
        struct Panics;
        impl fmt::Display for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("a test panics here")
            }
        }
        impl Error for Panics {}
        assert_eq!(ErrorClass::of(&Panics), None);
    }
}
