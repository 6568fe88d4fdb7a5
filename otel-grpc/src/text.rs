//! Texts that come again and again, made once, and texts that strangers choose, cut.
//!
//! Each cache belongs to a thread, so that no lock is shared, and is bounded: what does not fit is allocated as ever.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderName;
use opentelemetry::{StringValue, Value};
use otel_core::{UrlSecrets, bounded};

/// The longest text that is kept.
const MAX_KEPT_LENGTH: usize = 256;

const SLOTS: usize = 32;

type Kept<T> = RefCell<[Option<T>; SLOTS]>;

thread_local! {
    static TEXTS: Kept<Arc<str>> = const { RefCell::new([const { None }; SLOTS]) };
    static ADDRESSES: Kept<(IpAddr, Arc<str>)> = const { RefCell::new([const { None }; SLOTS]) };
}

/// For [`otel_core::HeaderCapture::capture`]. Binary metadata stays in the base64 of the wire: it has no text of its own.
pub(crate) fn shown(_name: &HeaderName, text: &str) -> String {
    bounded(&UrlSecrets::default().redact_urls(text)).to_owned()
}

/// A text that a peer chose and that probably comes again: a host.
pub(crate) fn repeated_text(text: &str) -> Value {
    if text.len() > MAX_KEPT_LENGTH {
        return Value::from(bounded(text).to_owned());
    }
    // A thread that is ending keeps nothing any more.
    let kept = TEXTS.try_with(|texts| {
        let slot = &mut texts.borrow_mut()[slot_of(text.as_bytes()) % SLOTS];
        match slot {
            Some(kept) if **kept == *text => Arc::clone(kept),
            _ => Arc::clone(slot.insert(Arc::from(text))),
        }
    });
    Value::String(StringValue::from(kept.unwrap_or_else(|_| Arc::from(text))))
}

/// An address as text. A dual-stack socket shows IPv4 peers as IPv6 addresses.
pub(crate) fn address_text(address: IpAddr) -> Value {
    let text = || Arc::from(address.to_canonical().to_string());
    let kept = ADDRESSES.try_with(|addresses| {
        let mut addresses = addresses.borrow_mut();
        let slot = match address {
            IpAddr::V4(v4) => &mut addresses[slot_of(&v4.octets()) % SLOTS],
            IpAddr::V6(v6) => &mut addresses[slot_of(&v6.octets()) % SLOTS],
        };
        match slot {
            Some((kept, text)) if *kept == address => Arc::clone(text),
            _ => Arc::clone(&slot.insert((address, text())).1),
        }
    });
    Value::String(StringValue::from(kept.unwrap_or_else(|_| text())))
}

/// Where a text is kept: length and ends tell usual texts apart, and take no time.
pub(crate) fn slot_of(bytes: &[u8]) -> usize {
    let [first, last] = [bytes.first(), bytes.last()].map(|byte| usize::from(byte.copied().unwrap_or(0)));
    let middle = usize::from(bytes.get(bytes.len() / 2).copied().unwrap_or(0));
    bytes.len() + 7 * first + 13 * last + 31 * middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_what_they_were_whatever_came_before() {
        for round in 0..3 {
            for text in ["", "a", "payments.internal", "payments.external", &"x".repeat(300)] {
                assert_eq!(repeated_text(text).as_str(), text, "round {round}");
            }
            for (address, text) in [("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::1", "::1")]
            {
                assert_eq!(address_text(address.parse().unwrap()).as_str(), text);
            }
        }
        assert_eq!(repeated_text(&"é".repeat(8_000)).as_str().len(), 8 * 1024);
    }
}
