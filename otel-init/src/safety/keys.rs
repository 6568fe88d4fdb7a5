//! What a key says about its value.

use super::action::Redact;
use super::glob::Globs;
use super::memory::Memory;
use super::preset;

/// Rules for keys.
#[derive(Debug)]
pub(super) struct Keys {
    allowed: Option<Globs>,
    /// One for each action.
    globs: Globs,
    no_secrets: Vec<String>,
    decided: Memory<Decided>,
}

/// A [`KeyDecision`] that can be kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decided {
    Scan,
    /// By the action with this index.
    Own(usize),
    Secret,
    NotAllowed,
}

/// What a key says about its value.
pub(super) enum KeyDecision<'a> {
    /// Nothing: the value is looked through.
    Scan,
    /// The value stays.
    Keep,
    /// The action applies to the whole value.
    Apply(&'a Redact),
    /// The key may not be exported.
    NotAllowed,
}

impl Keys {
    /// `name` writes a key or a glob as these keys are written. `Err` if the globs are too large to be compiled.
    pub(super) fn new(
        allowed: Option<&[String]>,
        rules: &[(String, Redact)],
        name: fn(&str) -> String,
    ) -> Result<Self, regex::Error> {
        let allowed = allowed.map(|allowed| Globs::new(allowed.iter().map(|glob| name(glob))));
        Ok(Self {
            allowed: allowed.transpose()?,
            globs: Globs::new(rules.iter().map(|(glob, _)| name(glob)))?,
            no_secrets: preset::NO_SECRET_KEYS.iter().map(|key| name(key)).collect(),
            decided: Memory::new(),
        })
    }

    pub(super) fn decide(&self, key: &str, is_secret: impl Fn(&str) -> bool) -> Decided {
        self.decided.recall(key, || match &self.allowed {
            Some(allowed) if !allowed.is_match(key) => Decided::NotAllowed,
            _ => self.by_rule(key, is_secret),
        })
    }

    /// As if every key were allowed.
    pub(super) fn by_rule(&self, key: &str, is_secret: impl Fn(&str) -> bool) -> Decided {
        match self.globs.first_match(key) {
            Some(index) => Decided::Own(index),
            None if is_secret(key) && !self.no_secrets.iter().any(|known| known == key) => Decided::Secret,
            None => Decided::Scan,
        }
    }
}

/// A key or a glob as the exporter of Prometheus writes it in a label: it knows letters, digits and colons.
#[cfg(feature = "prometheus")]
pub(super) fn as_label(key: &str) -> String {
    let is_known =
        |character: char| character.is_ascii_alphanumeric() || [':', '*', '?'].contains(&character);
    key.chars().map(|character| if is_known(character) { character } else { '_' }).collect()
}
