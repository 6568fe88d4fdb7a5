//! The two kinds of values, of spans and of log records, under the same rules.

use std::collections::HashMap;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, Key, StringValue, Value};

use super::action::{REDACTED, Redact};
use super::keys::KeyDecision;
use super::redactor::{Redactor, Scanned};

/// Maps and lists of log records are followed this deep; what is deeper is masked.
const DEPTH: usize = 16;

/// Whole numbers with fewer digits are no card numbers and the like.
pub(super) const SHORTEST_NUMBER: u64 = 100_000_000_000;

/// What becomes of a value.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict<V> {
    Same,
    Changed(V),
    Drop,
}

impl<V> Verdict<V> {
    fn map<W>(self, wrap: impl FnOnce(V) -> W) -> Verdict<W> {
        match self {
            Self::Same => Verdict::Same,
            Self::Changed(value) => Verdict::Changed(wrap(value)),
            Self::Drop => Verdict::Drop,
        }
    }
}

/// A value of an attribute.
pub(super) trait SafeValue: Sized {
    /// What the rules make of it under a key that this was decided for.
    fn redacted(&self, decision: &KeyDecision<'_>, redactor: &Redactor) -> Verdict<Self>;

    /// A shorter one, if it is longer than `limit`: characters of a text, bytes of a byte string.
    fn shortened(&self, limit: usize) -> Option<Self>;
}

impl SafeValue for Value {
    fn redacted(&self, decision: &KeyDecision<'_>, redactor: &Redactor) -> Verdict<Self> {
        match decision {
            KeyDecision::Keep => Verdict::Same,
            KeyDecision::NotAllowed => Verdict::Drop,
            KeyDecision::Apply(action) => match self {
                Self::Array(Array::String(texts)) => {
                    let applied: Option<Vec<StringValue>> = texts
                        .iter()
                        .map(|text| redactor.apply(action, text.as_str()).map(Into::into))
                        .collect();
                    applied.map_or(Verdict::Drop, |texts| Verdict::Changed(Self::Array(texts.into())))
                }
                other => applied(redactor.apply(action, &other.as_str())),
            },
            KeyDecision::Scan => match self {
                Self::String(text) => scanned(redactor.scan(text.as_str())),
                Self::I64(number) => scan_number(*number, redactor),
                Self::Array(Array::String(texts)) => {
                    scan_list(texts, |text| scanned::<StringValue>(redactor.scan(text.as_str())))
                        .map(|texts| Self::Array(texts.into()))
                }
                _ => Verdict::Same,
            },
        }
    }

    fn shortened(&self, limit: usize) -> Option<Self> {
        match self {
            Self::String(text) => cut(text.as_str(), limit).map(|text| Self::String(text.to_owned().into())),
            Self::Array(Array::String(texts)) => {
                texts.iter().any(|text| cut(text.as_str(), limit).is_some()).then(|| {
                    let texts: Vec<StringValue> = texts
                        .iter()
                        .map(|text| {
                            cut(text.as_str(), limit)
                                .map_or_else(|| text.clone(), |text| text.to_owned().into())
                        })
                        .collect();
                    Self::Array(texts.into())
                })
            }
            _ => None,
        }
    }
}

impl SafeValue for AnyValue {
    fn redacted(&self, decision: &KeyDecision<'_>, redactor: &Redactor) -> Verdict<Self> {
        redacted_at(self, decision, redactor, 0)
    }

    fn shortened(&self, limit: usize) -> Option<Self> {
        match self {
            Self::String(text) => cut(text.as_str(), limit).map(|text| Self::String(text.to_owned().into())),
            Self::Bytes(bytes) if bytes.len() > limit => {
                Some(Self::Bytes(Box::new(bytes.iter().take(limit).copied().collect())))
            }
            Self::ListAny(values) => {
                let shortened: Vec<_> = values.iter().map(|value| (value, value.shortened(limit))).collect();
                shortened.iter().any(|(_, short)| short.is_some()).then(|| {
                    let values = shortened.into_iter().map(|(value, short)| short_or(value, short));
                    Self::ListAny(Box::new(values.collect()))
                })
            }
            Self::Map(entries) => {
                let shortened: Vec<_> =
                    entries.iter().map(|(key, value)| (key, value, value.shortened(limit))).collect();
                shortened.iter().any(|(_, _, short)| short.is_some()).then(|| {
                    let entries = shortened.into_iter();
                    let entries = entries.map(|(key, value, short)| (key.clone(), short_or(value, short)));
                    Self::Map(Box::new(entries.collect()))
                })
            }
            _ => None,
        }
    }
}

/// Looked for once: each level that looks twice doubles the time of all below it.
fn short_or(value: &AnyValue, short: Option<AnyValue>) -> AnyValue {
    short.unwrap_or_else(|| value.clone())
}

/// What the rules make of a value that has no key: a log's body. Its maps have keys again.
pub(super) fn redacted_body(body: &AnyValue, redactor: &Redactor) -> Option<AnyValue> {
    match redacted_at(body, &KeyDecision::Scan, redactor, 0) {
        Verdict::Same => None,
        Verdict::Changed(changed) => Some(changed),
        Verdict::Drop => Some(REDACTED.into()),
    }
}

fn redacted_at(
    value: &AnyValue,
    decision: &KeyDecision<'_>,
    redactor: &Redactor,
    depth: usize,
) -> Verdict<AnyValue> {
    match decision {
        KeyDecision::Keep => Verdict::Same,
        KeyDecision::NotAllowed => Verdict::Drop,
        KeyDecision::Apply(action) => applied(apply_to_any(action, value, redactor)),
        KeyDecision::Scan => match value {
            AnyValue::String(text) => scanned(redactor.scan(text.as_str())),
            AnyValue::Int(number) => scan_number(*number, redactor),
            // What is no text may have one in it.
            AnyValue::Bytes(bytes) => scanned::<String>(redactor.scan(&String::from_utf8_lossy(bytes)))
                .map(|text| AnyValue::Bytes(Box::new(text.into_bytes()))),
            AnyValue::ListAny(_) | AnyValue::Map(_) if depth >= DEPTH => Verdict::Changed(REDACTED.into()),
            AnyValue::ListAny(values) => {
                scan_list(values, |value| redacted_at(value, &KeyDecision::Scan, redactor, depth + 1))
                    .map(|values| AnyValue::ListAny(Box::new(values)))
            }
            AnyValue::Map(entries) => scan_map(entries, redactor, depth),
            _ => Verdict::Same,
        },
    }
}

fn scan_map(entries: &HashMap<Key, AnyValue>, redactor: &Redactor, depth: usize) -> Verdict<AnyValue> {
    let verdicts: Vec<_> = entries
        .iter()
        .map(|(key, value)| {
            let decision = redactor.decide_allowed(key.as_str());
            (key, value, redacted_at(value, &decision, redactor, depth + 1))
        })
        .collect();
    if verdicts.iter().all(|(_, _, verdict)| matches!(verdict, Verdict::Same)) {
        return Verdict::Same;
    }
    let kept = verdicts.into_iter().filter_map(|(key, value, verdict)| match verdict {
        Verdict::Same => Some((key.clone(), value.clone())),
        Verdict::Changed(changed) => Some((key.clone(), changed)),
        Verdict::Drop => None,
    });
    Verdict::Changed(AnyValue::Map(Box::new(kept.collect())))
}

fn scan_list<V: Clone>(values: &[V], scan: impl Fn(&V) -> Verdict<V>) -> Verdict<Vec<V>> {
    let verdicts: Vec<_> = values.iter().map(|value| (value, scan(value))).collect();
    if verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Same)) {
        return Verdict::Same;
    }
    let kept = verdicts.into_iter().filter_map(|(value, verdict)| match verdict {
        Verdict::Same => Some(value.clone()),
        Verdict::Changed(changed) => Some(changed),
        Verdict::Drop => None,
    });
    Verdict::Changed(kept.collect())
}

fn apply_to_any(action: &Redact, value: &AnyValue, redactor: &Redactor) -> Option<String> {
    match value {
        AnyValue::String(text) => redactor.apply(action, text.as_str()),
        AnyValue::Int(number) => redactor.apply(action, &number.to_string()),
        AnyValue::Double(number) => redactor.apply(action, &number.to_string()),
        AnyValue::Boolean(flag) => redactor.apply(action, &flag.to_string()),
        // A part of a structure is no meaningful rest.
        _ => match action {
            Redact::Drop => None,
            _ => Some(REDACTED.to_owned()),
        },
    }
}

fn applied<V: From<String>>(text: Option<String>) -> Verdict<V> {
    text.map_or(Verdict::Drop, |text| Verdict::Changed(text.into()))
}

fn scanned<V: From<String>>(scanned: Scanned) -> Verdict<V> {
    match scanned {
        Scanned::Clean => Verdict::Same,
        Scanned::Changed(text) => Verdict::Changed(text.into()),
        Scanned::Drop => Verdict::Drop,
    }
}

fn scan_number<V: From<String>>(number: i64, redactor: &Redactor) -> Verdict<V> {
    if number.unsigned_abs() < SHORTEST_NUMBER {
        return Verdict::Same;
    }
    scanned(redactor.scan(&number.to_string()))
}

/// The first `limit` characters, if there are more.
pub(super) fn cut(text: &str, limit: usize) -> Option<&str> {
    // No text has more characters than bytes.
    if text.len() <= limit {
        return None;
    }
    text.char_indices().nth(limit).and_then(|(end, _)| text.get(..end))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use opentelemetry::logs::AnyValue;
    use opentelemetry::{Array, Key, StringValue, Value};

    use super::{SafeValue, cut};

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, limit, expected) in [
            ("abc", 3, None),
            ("abcd", 3, Some("abc")),
            ("ééé", 3, None),
            ("éééé", 3, Some("ééé")),
            ("a😀b", 2, Some("a😀")),
            ("abc", 0, Some("")),
            ("", 0, None),
        ] {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
        }
    }

    #[test]
    fn a_text_below_many_levels_is_found_once() {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // As deep as JSON may be that somebody sends.
            let nested = (0..126).fold(AnyValue::from("abcd"), |inner, level| match level % 2 {
                0 => AnyValue::ListAny(Box::new(vec![AnyValue::from("ab"), inner])),
                _ => AnyValue::Map(Box::new(HashMap::from([(Key::new("key"), inner)]))),
            });
            let short = format!("{:?}", nested.shortened(3));
            let _ = tell.send(short.contains("abc") && !short.contains("abcd"));
        });
        assert_eq!(told.recv_timeout(std::time::Duration::from_secs(30)), Ok(true));
    }

    #[test]
    fn only_texts_have_lengths() {
        let texts = Value::Array(vec![StringValue::from("abcd"), "ab".into()].into());
        let Some(Value::Array(Array::String(short))) = texts.shortened(3) else {
            panic!("the list stays a list of texts");
        };
        assert_eq!(short.iter().map(|text| text.as_str()).collect::<Vec<_>>(), ["abc", "ab"]);
        assert_eq!(Value::from(123_456).shortened(1), None);
        assert_eq!(Value::Array(vec![1_i64, 2].into()).shortened(0), None);

        let nested = AnyValue::Map(Box::new(HashMap::from([(
            Key::new("list"),
            AnyValue::ListAny(Box::new(vec![
                AnyValue::from("abcd"),
                AnyValue::Bytes(Box::new(vec![1, 2, 3, 4])),
            ])),
        )])));
        let expected = AnyValue::Map(Box::new(HashMap::from([(
            Key::new("list"),
            AnyValue::ListAny(Box::new(vec![
                AnyValue::from("abc"),
                AnyValue::Bytes(Box::new(vec![1, 2, 3])),
            ])),
        )])));
        assert_eq!(nested.shortened(3), Some(expected.clone()));
        assert_eq!(expected.shortened(3), None);
    }
}
