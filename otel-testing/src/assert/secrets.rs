//! Where a text is found in what would be exported.

use std::borrow::Cow;

use opentelemetry::trace::Status;

use crate::captured::Captured;
use crate::{AttributeValue, Attributes, ReceivedLog, ReceivedMetric, ReceivedResource, ReceivedSpan, Scope};

/// More than anybody nests, and few enough to be looked at in no time.
const MOST_READINGS: usize = 32;

/// One line per secret and place. Everything that OTLP carries is looked at: names, keys, values, descriptions, bodies,
/// states, scopes and resources.
pub(super) fn found(captured: &Captured, secrets: &[String]) -> Vec<String> {
    let mut search = Search { secrets, found: Vec::new() };
    captured.spans.iter().for_each(|span| search.span(span));
    captured.exports.iter().for_each(|export| search.metric(export));
    captured.logs.iter().for_each(|log| search.log(log));
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

/// A text as it is, and as it is read where it stands in JSON, in a URL or in a form, which may stand in each other. The
/// text is decoded and not the secret encoded: each writer has an opinion of its own on what it must escape.
fn readings(bytes: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut readings = vec![Cow::Borrowed(bytes)];
    let mut next = 0;
    while let Some(reading) = readings.get(next).filter(|_| readings.len() < MOST_READINGS) {
        let decoded = [from_json(reading), from_url(reading, false), from_url(reading, true)];
        next += 1;
        for reading in decoded.into_iter().flatten().map(Cow::Owned) {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
    }
    readings
}

/// Without the escapes of JSON; `None` if there are none.
fn from_json(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'\\') {
        return None;
    }
    let (mut plain, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let [first, ..] = rest {
        let (read, length) = match rest {
            [b'\\', escaped @ (b'"' | b'\\' | b'/'), ..] => (Some(char::from(*escaped)), 2),
            [b'\\', b'n', ..] => (Some('\n'), 2),
            [b'\\', b't', ..] => (Some('\t'), 2),
            [b'\\', b'r', ..] => (Some('\r'), 2),
            _ => character(rest).map_or((None, 1), |(character, length)| (Some(character), length)),
        };
        match read {
            Some(read) => plain.extend_from_slice(read.encode_utf8(&mut [0; 4]).as_bytes()),
            None => plain.push(*first),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(plain)
}

/// The character that an escape like `\u00e9` stands for, or two of them, and how long that is.
fn character(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let units = [Some(unit(0)?), unit(6)];
    let character = char::decode_utf16(units.into_iter().flatten()).next()?.ok()?;
    Some((character, 6 * character.len_utf16()))
}

/// Percent-decoded; `None` if nothing is encoded. In forms a plus is a space.
fn from_url(bytes: &[u8], is_form: bool) -> Option<Vec<u8>> {
    if !bytes.iter().any(|byte| *byte == b'%' || (is_form && *byte == b'+')) {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut plain, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let [first, after @ ..] = rest {
        let pair = after.first().and_then(digit).zip(after.get(1).and_then(digit));
        let (byte, length) = match (first, pair) {
            (b'%', Some((high, low))) => (high << 4 | low, 3),
            (b'+', _) if is_form => (b' ', 1),
            _ => (*first, 1),
        };
        plain.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(plain)
}

struct Search<'a> {
    secrets: &'a [String],
    found: Vec<String>,
}

impl Search<'_> {
    fn span(&mut self, span: &ReceivedSpan) {
        let place = format!("span {:?}", span.name);
        self.text(&format!("the name of {place}"), &span.name);
        self.text(&format!("the trace state of {place}"), &span.trace_state);
        if let Status::Error { description } = &span.status {
            self.text(&format!("the status of {place}"), description);
        }
        self.attributes(&place, &span.attributes);
        self.scope(&place, &span.scope);
        self.resource(&span.resource);
        for event in &span.events {
            let place = format!("event {:?} of {place}", event.name);
            self.text(&format!("the name of {place}"), &event.name);
            self.attributes(&place, &event.attributes);
        }
        for link in &span.links {
            let place = format!("a link of {place}");
            self.text(&format!("the trace state of {place}"), &link.trace_state);
            self.attributes(&place, &link.attributes);
        }
    }

    fn metric(&mut self, ReceivedMetric { resource, metric }: &ReceivedMetric) {
        let place = format!("metric {:?}", metric.name);
        for text in [&metric.name, &metric.description, &metric.unit] {
            self.text(&place, text);
        }
        self.attributes(&format!("the metadata of {place}"), &metric.metadata);
        self.scope(&place, &metric.scope);
        self.resource(resource);
        for point in &metric.points {
            self.attributes(&place, &point.attributes);
            for exemplar in &point.exemplars {
                self.attributes(&format!("an exemplar of {place}"), &exemplar.filtered_attributes);
            }
        }
    }

    fn log(&mut self, log: &ReceivedLog) {
        let place = format!("log {:?}", log.message());
        self.value(&format!("the body of {place}"), &log.body);
        self.text(&format!("the severity of {place}"), &log.severity_text);
        self.text(&format!("the event name of {place}"), &log.event_name);
        self.attributes(&place, &log.attributes);
        self.scope(&place, &log.scope);
        self.resource(&log.resource);
    }

    fn bytes(&mut self, place: &str, bytes: &[u8]) {
        let readings = readings(bytes);
        for secret in self.secrets {
            let is_in = |text: &[u8]| text.windows(secret.len()).any(|window| window == secret.as_bytes());
            if readings.iter().any(|reading| is_in(reading)) {
                self.found.push(format!("{secret:?} is in {place}"));
            }
        }
    }

    fn text(&mut self, place: &str, text: &str) {
        self.bytes(place, text.as_bytes());
    }

    fn value(&mut self, place: &str, value: &AttributeValue) {
        match value {
            AttributeValue::String(text) => self.text(place, text),
            AttributeValue::Bytes(bytes) => self.bytes(place, bytes),
            AttributeValue::Array(values) => values.iter().for_each(|value| self.value(place, value)),
            AttributeValue::Map(entries) => {
                for (key, value) in entries {
                    self.text(place, key);
                    self.value(place, value);
                }
            }
            // A secret may be a number, such as that of a card.
            number => self.text(place, &number.to_string()),
        }
    }

    fn attributes(&mut self, place: &str, attributes: &Attributes) {
        for (key, value) in attributes.iter() {
            self.text(&format!("a key of {place}"), key);
            self.value(&format!("{key} of {place}"), value);
        }
    }

    fn scope(&mut self, place: &str, scope: &Scope) {
        for text in [&scope.name, &scope.version, &scope.schema_url] {
            self.text(&format!("the scope of {place}"), text);
        }
        self.attributes(&format!("the scope of {place}"), &scope.attributes);
    }

    fn resource(&mut self, resource: &ReceivedResource) {
        self.text("the resource", &resource.schema_url);
        self.attributes("the resource", &resource.attributes);
    }
}
