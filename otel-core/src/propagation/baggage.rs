//! W3C baggage: <https://www.w3.org/TR/baggage/>.

use std::borrow::Cow;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

use super::{OWS, percent};

const BAGGAGE: &str = "baggage";
static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [BAGGAGE.to_owned()]);

/// "The resulting baggage-string has a size of 8192 bytes or less." The 64 members are the API's own limit.
const MAX_LENGTH: usize = 8192;

/// W3C baggage: the header `baggage`.
///
/// Values are percent-decoded and encoded, properties are kept as the entry's metadata. All `baggage` headers of a
/// request are read; 64 members and 8,192 bytes are kept, the first ones and whole ones only. A member that is not
/// valid is left out and the others stay. What is extracted joins the baggage that the context has already.
///
/// Baggage reaches everyone a request reaches. [`with_extracted_keys`](Self::with_extracted_keys) and
/// [`with_injected_keys`](Self::with_injected_keys) let only known keys in and out.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::baggage::BaggageExt;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otel_core::propagation::BaggagePropagator;
///
/// let headers = HashMap::from([("baggage".to_owned(), "tenant=caf%C3%A9;ttl=1,user=7".to_owned())]);
/// let context = BaggagePropagator::new().extract(&headers);
/// assert_eq!(context.baggage().get("tenant").unwrap().as_str(), "café");
///
/// let mut outgoing = HashMap::new();
/// let propagator = BaggagePropagator::new().with_injected_keys(["tenant"]);
/// propagator.inject_context(&context, &mut outgoing);
/// assert_eq!(outgoing["baggage"], "tenant=caf%C3%A9;ttl=1");
/// ```
#[derive(Clone, Debug, Default)]
pub struct BaggagePropagator {
    extracted: Option<Box<[String]>>,
    injected: Option<Box<[String]>>,
}

impl BaggagePropagator {
    /// The propagator of all keys in both directions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets in these keys only; none at all for an empty list. Default: all.
    #[must_use]
    pub fn with_extracted_keys<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { extracted: Some(keys.into_iter().map(Into::into).collect()), ..self }
    }

    /// Lets out these keys only; none at all for an empty list. Default: all.
    #[must_use]
    pub fn with_injected_keys<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        Self { injected: Some(keys.into_iter().map(Into::into).collect()), ..self }
    }
}

impl TextMapPropagator for BaggagePropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let baggage = context.baggage();
        if baggage.is_empty() {
            return;
        }
        let mut header = String::with_capacity(128);
        for (key, (value, metadata)) in baggage {
            if allows(self.injected.as_deref(), key.as_str()) {
                push_member(&mut header, key.as_str(), value.as_str(), metadata.as_str());
            }
        }
        if !header.is_empty() {
            injector.set(BAGGAGE, header);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some(headers) = extractor.get_all(BAGGAGE) else { return context.clone() };
        let members = members(&headers).filter_map(parse);
        let allowed = members.filter(|member| allows(self.extracted.as_deref(), member.key));
        with_entries(context, allowed.map(|member| (member.key.to_owned(), member.value, member.metadata)))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// `context` with these entries (key, value, metadata) in its baggage, beside those it has.
///
/// Entries that would make a `baggage` header longer than the limit are left out, whichever format they came in. The API
/// keeps to 64 entries, and to keys that are tokens.
pub(super) fn with_entries<'a>(
    context: &Context,
    entries: impl Iterator<Item = (String, Cow<'a, str>, String)>,
) -> Context {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return context.clone();
    }
    let mut baggage = Baggage::new();
    for (key, (value, metadata)) in context.baggage() {
        baggage.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
    }
    let mut used = 0;
    for (key, value, metadata) in entries {
        let length = key.len() + 1 + value.len() + metadata.len() + usize::from(!metadata.is_empty());
        if used + length <= MAX_LENGTH {
            used += length + 1;
            baggage.insert_with_metadata(key, value.into_owned(), metadata);
        }
    }
    context.with_baggage(baggage)
}

/// A member as it was received.
struct Member<'a> {
    key: &'a str,
    value: Cow<'a, str>,
    metadata: String,
}

/// The members of all headers until the limit; the comma between two headers counts.
fn members<'a>(headers: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let mut used = 0;
    headers.iter().flat_map(|header| header.split(',')).take_while(move |member| {
        used += member.len();
        let fits = used <= MAX_LENGTH;
        used += 1;
        fits
    })
}

fn parse(member: &str) -> Option<Member<'_>> {
    let mut parts = member.split(';');
    let (key, value) = parts.next()?.split_once('=')?;
    let (key, value) = (key.trim_matches(OWS), value.trim_matches(OWS));
    if !is_token(key) || !value.bytes().all(is_octet) {
        return None;
    }
    let mut metadata = String::new();
    push_properties(&mut metadata, parts);
    Some(Member { key, value: percent::decode(value)?, metadata })
}

/// Properties are opaque, so they are not decoded; one that the grammar forbids is left out, or it could pass for a
/// member or for a header of its own.
fn push_properties<'a>(out: &mut String, properties: impl Iterator<Item = &'a str>) {
    for property in properties {
        let (key, value) = match property.split_once('=') {
            Some((key, value)) => (key.trim_matches(OWS), Some(value.trim_matches(OWS))),
            None => (property.trim_matches(OWS), None),
        };
        if !is_token(key) || !value.unwrap_or_default().bytes().all(is_octet) {
            continue;
        }
        if !out.is_empty() {
            out.push(';');
        }
        out.push_str(key);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
}

/// Appends a member, or nothing if it would not fit: half a member would be another value.
fn push_member(header: &mut String, key: &str, value: &str, metadata: &str) {
    let before = header.len();
    if before > 0 {
        header.push(',');
    }
    header.push_str(key);
    header.push('=');
    percent::encode(header, value, is_octet);
    if !metadata.is_empty() {
        let mut properties = String::with_capacity(metadata.len());
        push_properties(&mut properties, metadata.split(';'));
        if !properties.is_empty() {
            header.push(';');
            header.push_str(&properties);
        }
    }
    if header.len() > MAX_LENGTH {
        header.truncate(before);
    }
}

fn allows(list: Option<&[String]>, key: &str) -> bool {
    list.is_none_or(|list| list.iter().any(|allowed| allowed == key))
}

/// "baggage-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E": printable ASCII without space, `"`, `,`, `;` and `\`.
fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

/// `token` of RFC 7230.
fn is_token(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
