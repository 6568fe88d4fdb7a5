//! The rules, compiled.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::{KeyValue, Value};
use regex::{Captures, Regex};

use super::action::{LazyHashKey, REDACTED, Redact};
use super::attributes::has_duplicates;
use super::clean::RulesId;
#[cfg(feature = "prometheus")]
use super::keys::as_label;
use super::keys::{Decided, KeyDecision, Keys};
use super::pattern::{Pattern, PatternSet};
use super::plain_keys::PlainKeys;
use super::prefilter::{has_assignment, may_be_secret_key, may_hold_secret};
use super::preset;
use super::redaction::Redaction;
use super::value::{SafeValue, Verdict};
use super::value_rule::{ValueRule, value_rules};

/// Decides about keys and looks through texts.
#[derive(Debug)]
pub(crate) struct Redactor {
    keys: Keys,
    /// The same, where keys are labels of Prometheus.
    #[cfg(feature = "prometheus")]
    labels: Keys,
    key_actions: Vec<Redact>,
    secret_keys: Option<Pattern>,
    forms: PatternSet,
    value_rules: Vec<ValueRule>,
    /// Shorter texts are clean.
    shortest: usize,
    /// The rules for values are those that the prefilter knows.
    has_only_secrets: bool,
    id: RulesId,
    hash_key: LazyHashKey,
    redacted: AtomicU64,
    plain: PlainKeys,
}

/// A rule says to remove the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removed;

/// What looking through a text found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    Clean,
    Changed(String),
    /// A rule says to remove the value.
    Drop,
}

impl Redactor {
    /// Whether the preset for secrets is on.
    pub(super) fn hides_secrets(&self) -> bool {
        self.secret_keys.is_some()
    }

    /// `Err` is a rule that cannot be compiled, and why.
    pub(crate) fn new(rules: &Redaction) -> Result<Self, (String, regex::Error)> {
        let mut keys: Vec<(String, Redact)> = rules.keys.clone();
        if rules.has_personal_data {
            keys.extend(preset::PERSON_KEYS.iter().map(|(glob, action)| ((*glob).to_owned(), action())));
        }
        let named = |name| {
            let failed = |error| ("the globs of keys".to_owned(), error);
            Keys::new(rules.allowed_keys.as_deref(), &keys, name).map_err(failed)
        };
        let value_rules = value_rules(rules)?;
        let forms =
            PatternSet::new(value_rules.iter().map(|rule| rule.pattern.source().to_owned()).collect());
        if !rules.values.is_empty() {
            forms.check().map_err(|error| ("the patterns of values".to_owned(), error))?;
        }
        Ok(Self {
            keys: named(str::to_owned)?,
            #[cfg(feature = "prometheus")]
            labels: named(as_label)?,
            key_actions: keys.into_iter().map(|(_, action)| action).collect(),
            secret_keys: rules.has_secrets.then(|| Pattern::preset(preset::SECRET_KEYS)),
            forms,
            value_rules,
            shortest: match rules {
                Redaction { values, .. } if !values.is_empty() => 0,
                Redaction { has_secrets: false, has_personal_data: false, .. } => usize::MAX,
                _ => preset::SHORTEST_SECRET,
            },
            has_only_secrets: rules.values.is_empty() && !rules.has_personal_data,
            id: RulesId::new(),
            hash_key: LazyHashKey::new(rules.hash_key.clone()),
            redacted: AtomicU64::new(0),
            plain: PlainKeys::new(),
        })
    }

    /// How many values were changed or removed so far.
    pub(crate) fn redacted(&self) -> u64 {
        self.redacted.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.redacted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn decide(&self, key: &str) -> KeyDecision<'_> {
        self.decision(self.keys.decide(key, |key| self.is_secret_key(key)))
    }

    /// Whether each key is there once, and none says anything about its value.
    pub(super) fn are_plain(&self, attributes: &[KeyValue]) -> bool {
        let is_plain =
            |attribute: &KeyValue| matches!(self.decide(attribute.key.as_str()), KeyDecision::Scan);
        self.plain.recall(attributes, || {
            attributes.iter().all(is_plain) && !has_duplicates(attributes, &|attribute| &attribute.key)
        })
    }

    /// As if every key were allowed: for the resource, and for the keys inside of a value.
    pub(super) fn decide_allowed(&self, key: &str) -> KeyDecision<'_> {
        self.decision(self.keys.by_rule(key, |key| self.is_secret_key(key)))
    }

    fn decision(&self, decided: Decided) -> KeyDecision<'_> {
        match decided {
            Decided::Scan => KeyDecision::Scan,
            Decided::NotAllowed => KeyDecision::NotAllowed,
            Decided::Secret => KeyDecision::Apply(&Redact::Mask),
            // There are as many actions as globs; without one, the value would be masked.
            Decided::Own(index) => match self.key_actions.get(index).unwrap_or(&Redact::Mask) {
                Redact::Keep => KeyDecision::Keep,
                action => KeyDecision::Apply(action),
            },
        }
    }

    fn is_secret_key(&self, key: &str) -> bool {
        let fits = |keys: &Pattern| keys.regex().is_none_or(|keys| keys.is_match(key));
        self.secret_keys.as_ref().is_some_and(|keys| may_be_secret_key(key) && fits(keys))
    }

    pub(super) fn apply(&self, action: &Redact, text: &str) -> Option<String> {
        action.apply(text, &self.hash_key)
    }

    /// A text that is no attribute, such as a name or a body: it cannot be removed, so it is masked instead.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        let redacted = match self.scan(text) {
            Scanned::Clean => return None,
            Scanned::Changed(changed) => changed,
            Scanned::Drop => REDACTED.to_owned(),
        };
        self.count();
        Some(redacted)
    }

    /// As [`Self::text`], for the name of a span or an event.
    pub(super) fn name(&self, name: &str) -> Option<String> {
        let is_clean =
            self.is_too_short(name.as_bytes()) || self.id.recall_name(name, || self.has_no_form(name));
        if is_clean { None } else { self.text(name) }
    }

    /// A value under a key: what replaces it, nothing if it stays, an error if it is removed.
    pub(crate) fn attribute(&self, key: &str, value: &Value) -> Result<Option<Value>, Removed> {
        let redacted = match value.redacted(&self.decide(key), self) {
            Verdict::Same => return Ok(None),
            Verdict::Changed(changed) => Some(changed),
            Verdict::Drop => None,
        };
        self.count();
        redacted.map(Some).ok_or(Removed)
    }

    /// A label of Prometheus, by the rules for the keys that it may stand for.
    #[cfg(feature = "prometheus")]
    pub(crate) fn label(&self, label: &str, text: &str) -> Result<Option<String>, Removed> {
        let redacted = match self.decision(self.labels.decide(label, |key| self.is_secret_key(key))) {
            KeyDecision::Keep => return Ok(None),
            KeyDecision::NotAllowed => None,
            KeyDecision::Apply(action) => self.apply(action, text),
            KeyDecision::Scan => match self.scan(text) {
                Scanned::Clean => return Ok(None),
                Scanned::Changed(changed) => Some(changed),
                Scanned::Drop => None,
            },
        };
        self.count();
        redacted.map(Some).ok_or(Removed)
    }

    /// Whether no rule for values fits.
    pub(super) fn is_clean(&self, text: &str) -> bool {
        self.is_too_short(text.as_bytes()) || self.id.recall(text, || self.has_no_form(text))
    }

    fn has_no_form(&self, text: &str) -> bool {
        (self.has_only_secrets && !may_hold_secret(text.as_bytes())) || !self.forms.is_match(text)
    }

    pub(super) fn scan(&self, text: &str) -> Scanned {
        if self.is_clean(text) {
            return Scanned::Clean;
        }
        let rules = self.forms.matches(text);
        let rules: Vec<_> = rules.into_iter().filter_map(|index| self.value_rules.get(index)).collect();
        match self.by_rules(text, &rules) {
            // A match that its check refused, or that was redacted before, is put back as it was.
            Some(Cow::Owned(changed)) if changed != text => Scanned::Changed(changed),
            Some(_) => Scanned::Clean,
            None => Scanned::Drop,
        }
    }

    /// What these rules make of it, one after the other; `None` if one says to remove it.
    fn by_rules<'t>(&self, text: &'t str, rules: &[&ValueRule]) -> Option<Cow<'t, str>> {
        let mut current = Cow::Borrowed(text);
        for (place, rule) in rules.iter().enumerate() {
            let mut is_dropped = false;
            let pattern = rule.pattern.regex()?;
            if matches!(rule.action, Redact::Keep) {
                let later = rules.get(place + 1..).unwrap_or_default();
                return self.around(pattern, &current, later).map(Cow::Owned);
            }
            let replaced = pattern.replace_all(&current, |found: &Captures<'_>| {
                self.replacement(rule, found).unwrap_or_else(|| {
                    is_dropped = true;
                    String::new()
                })
            });
            if is_dropped {
                return None;
            }
            if let Cow::Owned(changed) = replaced {
                current = Cow::Owned(changed);
            }
        }
        Some(current)
    }

    /// What the later rules make of all but what is to be kept.
    fn around(&self, kept: &Regex, text: &str, later: &[&ValueRule]) -> Option<String> {
        let (mut all, mut end) = (String::with_capacity(text.len()), 0);
        for kept in kept.find_iter(text) {
            all.push_str(&self.by_rules(text.get(end..kept.start())?, later)?);
            all.push_str(kept.as_str());
            end = kept.end();
        }
        all.push_str(&self.by_rules(text.get(end..)?, later)?);
        Some(all)
    }

    fn is_too_short(&self, text: &[u8]) -> bool {
        text.len() < self.shortest
            || (self.has_only_secrets && text.len() < preset::SHORTEST_BARE_SECRET && !has_assignment(text))
    }

    fn replacement(&self, rule: &ValueRule, found: &Captures<'_>) -> Option<String> {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        if rule.check.is_some_and(|check| !check(whole)) {
            return Some(whole.to_owned());
        }
        match &rule.action {
            Redact::Replace(template) => {
                let mut replaced = String::new();
                found.expand(template, &mut replaced);
                Some(replaced)
            }
            action => self.apply(action, whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::preset::{SHORTEST_BARE_SECRET, SHORTEST_SECRET};
    use super::Redactor;
    use crate::{Redact, Redaction};

    #[test]
    fn the_presets_can_be_compiled() {
        let redactor = Redactor::new(&Redaction::new().with_personal_data()).unwrap();
        redactor.forms.check().unwrap();
        assert!(redactor.value_rules.iter().all(|rule| rule.pattern.regex().is_some()));
        assert!(redactor.secret_keys.unwrap().regex().is_some());
    }

    #[test]
    fn what_a_rule_for_values_keeps_is_exempt_from_later_ones() {
        let redaction = Redaction::new()
            .with_value(r"gone-\d+", Redact::replace("gone"))
            .with_value(r"sk_test_\w+", Redact::Keep)
            .with_value("kept", Redact::Drop);
        let redactor = Redactor::new(&redaction).unwrap();
        for (text, expected) in [
            ("sk_test_0123456789abcdef0", None),
            ("token=sk_test_0123456789abcdef0", None),
            ("a gone-1 sk_test_0123456789abcdef0 b gone-2", Some("a gone sk_test_0123456789abcdef0 b gone")),
            (
                "sk_live_0123456789abcdef0 and sk_test_0123456789abcdef0 and password=hunter2",
                Some("REDACTED and sk_test_0123456789abcdef0 and password=REDACTED"),
            ),
            ("sk_test_0123456789abcdef0_kept", None),
            ("kept sk_test_0123456789abcdef0", Some("REDACTED")),
        ] {
            assert_eq!(redactor.text(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn no_form_fits_a_text_that_is_too_short_to_be_looked_at() {
        let redactor = Redactor::new(&Redaction::new()).unwrap();
        // What the shortest forms are made of.
        let word = prop_oneof![
            Just("basic ".to_owned()),
            Just("bearer\t".to_owned()),
            Just("token".to_owned()),
            Just("eyJ".to_owned()),
            Just("xoxb-".to_owned()),
            Just("sk-".to_owned()),
            "[a-zA-Z0-9 .:=/@_-]{1,13}",
        ];
        let text = proptest::collection::vec(word, 1..4).prop_map(|words| words.concat());
        proptest!(ProptestConfig::with_cases(2000), |(text in text)| {
            let is_tiny = text.len() < SHORTEST_SECRET;
            prop_assert!(is_tiny || !redactor.is_too_short(text.as_bytes()) || !redactor.forms.is_match(&text));
        });
        let shortest = "basic 12345678";
        assert!(shortest.len() == SHORTEST_BARE_SECRET && redactor.forms.is_match(shortest));
    }
}
