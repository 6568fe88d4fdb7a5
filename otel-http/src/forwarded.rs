//! The headers of proxies, as they are written: `Forwarded`, `X-Forwarded-*`, `X-Real-IP`.

use http::HeaderMap;

/// What one proxy says.
#[derive(Debug, Default)]
pub(crate) struct Element<'a> {
    pub(crate) client: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) proto: Option<&'a str>,
}

/// An element that is no text tells nothing, and stays a hop: what comes before it is made up as before.
pub(crate) fn forwarded(headers: &HeaderMap) -> Vec<Element<'_>> {
    let values = headers.get_all("forwarded").iter();
    let parts = values.flat_map(|value| split_quoted(value.as_bytes(), b',')).filter(|part| !is_empty(part));
    parts.map(|part| text(part).map(forwarded_element).unwrap_or_default()).collect()
}

pub(crate) fn x_forwarded_for(headers: &HeaderMap) -> Vec<Element<'_>> {
    let values = headers.get_all("x-forwarded-for").iter();
    let parts = values.flat_map(|value| value.as_bytes().split(|byte| matches!(byte, b',' | b';')));
    let client = |part| address(unquoted(text(part)?));
    parts
        .filter(|part| !is_empty(part))
        .map(|part| Element { client: client(part), ..Element::default() })
        .collect()
}

/// Empty places are no hops: "a recipient MUST parse and ignore a reasonable number of empty list elements".
/// <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1>
fn is_empty(part: &[u8]) -> bool {
    part.trim_ascii().is_empty()
}

fn text(part: &[u8]) -> Option<&str> {
    std::str::from_utf8(part).ok().filter(|text| text.is_ascii())
}

/// <https://www.rfc-editor.org/rfc/rfc7239#section-4>
fn forwarded_element(text: &str) -> Element<'_> {
    let mut element = Element::default();
    for pair in split_quoted(text.as_bytes(), b';').filter_map(self::text) {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = unquoted(value);
        let name = name.trim();
        if name.eq_ignore_ascii_case("for") {
            element.client = element.client.or_else(|| address(value));
        } else if name.eq_ignore_ascii_case("host") {
            element.host = element.host.or_else(|| token(value));
        } else if name.eq_ignore_ascii_case("proto") {
            element.proto = element.proto.or_else(|| token(value));
        }
    }
    element
}

/// Splits outside of quotation marks. One without a partner is none: whoever wrote it need not have written what follows.
fn split_quoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut to_the_end, mut is_quoted) = (quotation(), quotation());
    let does_not_end = text.iter().fold(false, |_, byte| to_the_end(*byte));
    text.split(move |byte| {
        let is_quoted = is_quoted(*byte) && !does_not_end;
        *byte == separator && !is_quoted
    })
}

/// Whether a text is quoted, byte by byte.
fn quotation() -> impl FnMut(u8) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    move |byte| {
        if !std::mem::take(&mut is_escaped) {
            is_escaped = is_quoted && byte == b'\\';
            is_quoted ^= byte == b'"';
        }
        is_quoted
    }
}

/// The text between quotation marks, or the whole; empty when a quotation mark has no partner, or with escapes, which no host
/// and no address needs. What follows the closing mark is left off: some senders write a port there.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    match text.strip_prefix('"') {
        Some(quoted) => {
            let inside = quoted.split_once('"').map_or("", |(inside, _)| inside);
            if inside.contains('\\') { "" } else { inside }
        }
        None if text.contains('"') => "",
        None => text,
    }
}

fn token(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The address of `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `[::1]:5`; an obfuscated name as it is.
fn address(text: &str) -> Option<&str> {
    let text = text.trim();
    let host = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None if text.matches(':').count() > 1 => text,
        None => text.split_once(':').map_or(text, |(host, _port)| host),
    };
    // "The "unknown" identifier is used when the identity of the preceding entity is not known"
    // <https://www.rfc-editor.org/rfc/rfc7239#section-6.2>
    token(host).filter(|host| !host.eq_ignore_ascii_case("unknown"))
}

/// One value of a header that has no place per hop: the first, or the one that the nearest proxy has written.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str, from_end: bool) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = if from_end { values.next_back() } else { values.next() }?;
    let mut parts = value.as_bytes().split(|byte| *byte == b',');
    let part = text(if from_end { parts.next_back() } else { parts.next() }?)?;
    token(unquoted(part))
}

pub(crate) fn real_ip(headers: &HeaderMap) -> Option<&str> {
    address(headers.get("x-real-ip")?.to_str().ok()?)
}
