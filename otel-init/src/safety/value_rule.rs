//! Rules for texts, whatever their key is.

use super::action::Redact;
use super::pattern::Pattern;
use super::preset::{self, Form};
use super::redaction::Redaction;

#[derive(Debug)]
pub(super) struct ValueRule {
    pub(super) pattern: Pattern,
    pub(super) action: Redact,
    pub(super) check: Option<fn(&str) -> bool>,
}

/// The user's rules, and behind them the presets. The error has the pattern that is none.
pub(super) fn value_rules(rules: &Redaction) -> Result<Vec<ValueRule>, (String, regex::Error)> {
    let mut compiled_rules = Vec::new();
    for (pattern, action) in &rules.values {
        let pattern = Pattern::checked(pattern).map_err(|error| (pattern.clone(), error))?;
        compiled_rules.push(ValueRule { pattern, action: action.clone(), check: None });
    }
    let mut presets: Vec<&Form> = Vec::new();
    if rules.has_secrets {
        presets.extend(preset::SECRET_FORMS);
    }
    if rules.has_personal_data {
        presets.extend(preset::PERSON_FORMS);
    }
    for form in presets {
        let pattern = Pattern::preset(form.pattern);
        compiled_rules.push(ValueRule { pattern, action: (form.action)(), check: form.check });
    }
    Ok(compiled_rules)
}
