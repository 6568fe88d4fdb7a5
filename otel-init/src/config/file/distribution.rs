//! `distribution: {otel-init: ..}`: what this crate has and the schema has not.

use std::time::Duration;

use super::FileConfig;
use super::error::FileError;
use super::fields::{Fields, Value};
use crate::safety::SafetySettings;
use crate::sampling::SHORTEST_KEY;
use crate::{ConsoleLogs, DiskBuffer, DropRule, Redact};

/// Settings of other distributions are for them.
pub(super) fn read(mut fields: Fields, file: &mut FileConfig) -> Result<(), FileError> {
    let Some(mut own) = fields.fields("otel-init")? else {
        return Ok(());
    };
    let config = &mut file.config;
    if let Some(timeout) = own.count("shutdown_timeout")? {
        config.shutdown_timeout = Duration::from_millis(u64::from(timeout));
    }
    if let Some(level) = own.optional("telemetry_level") {
        let expected = "off, error, warn, info, debug or trace, and target=level for some targets";
        let levels = level.choice(expected, |text| text.parse().ok())?;
        config.telemetry_levels = config.telemetry_levels.over(levels);
    }
    if let Some(format) = own.optional("console_logs") {
        file.console_logs = Some(format.choice("compact, pretty, json, logfmt or off", ConsoleLogs::named)?);
    }
    config.panic_hook |= own.boolean("panic_hook")?.unwrap_or(false);
    config.metrics.process_metrics |= own.boolean("process_metrics")?.unwrap_or(false);
    config.has_code_locations |= own.boolean("code_locations")?.unwrap_or(false);
    safety(&mut own, &mut config.safety)?;
    if let Some(disk) = own.fields("disk_buffer")? {
        let buffer = disk_buffer(disk)?;
        config.disk.get_or_insert(buffer);
    }
    if let Some(path) = own.text("sampler_file")? {
        config.sampler.file = Some(path.into());
    }
    if let Some(key) = own.optional("debug_key") {
        let text = key.text()?;
        if text.len() < SHORTEST_KEY {
            return Err(key.error(format!("a key has at least {SHORTEST_KEY} bytes")));
        }
        file.debug_key = Some(text);
    }
    own.end()
}

fn safety(own: &mut Fields, safety: &mut SafetySettings) -> Result<(), FileError> {
    if let Some(keys) = own.optional("baggage_attributes") {
        safety.baggage_attributes.extend(keys.texts()?);
    }
    if let Some(rules) = own.optional("drop_rules") {
        for rule in rules.list()? {
            safety.drop_rules.push(drop_rule(rule)?);
        }
    }
    if let Some(most) = own.count("max_spans_per_trace")? {
        safety.max_spans_per_trace = Some(most.into());
    }
    if let Some(most) = own.count("max_span_depth")? {
        safety.max_span_depth = Some(most);
    }
    if let Some(after) = own.count("open_spans")? {
        safety.open_spans = Some(Duration::from_millis(after.into()));
    }
    if let Some(redaction) = own.fields("redaction")? {
        redact(redaction, safety)?;
    }
    Ok(())
}

fn disk_buffer(mut fields: Fields) -> Result<DiskBuffer, FileError> {
    let mut buffer = DiskBuffer::new(fields.required("directory")?.text()?);
    if let Some(size) = fields.optional("max_size") {
        let bytes = u64::try_from(size.integer()?).ok().filter(|bytes| *bytes > 0);
        let expected = || size.expected("a whole number of bytes, 1 at least");
        buffer = buffer.with_max_size(bytes.ok_or_else(expected)?);
    }
    fields.end()?;
    Ok(buffer)
}

fn drop_rule(value: Value) -> Result<DropRule, FileError> {
    let (name, rule) = value.fields()?.only()?;
    match name.as_str() {
        "span_name" => Ok(DropRule::span_name(rule.text()?)),
        "log_body" => Ok(DropRule::log_body(rule.text()?)),
        "attribute" => {
            let mut fields = rule.fields()?;
            let (key, glob) = (fields.required("key")?.text()?, fields.required("value")?.text()?);
            fields.end()?;
            Ok(DropRule::attribute(key, glob))
        }
        _ => Err(rule.error("no drop rule has this name: span_name, log_body, attribute")),
    }
}

fn redact(mut fields: Fields, safety: &mut SafetySettings) -> Result<(), FileError> {
    let mut redaction = safety.redaction.clone();
    if !fields.boolean("secrets")?.unwrap_or(true) {
        redaction = redaction.without_secrets();
    }
    if fields.boolean("personal_data")?.unwrap_or(false) {
        redaction = redaction.with_personal_data();
    }
    if let Some(keys) = fields.optional("allowed_keys") {
        redaction = redaction.with_allowed_keys(keys.texts()?);
    }
    if let Some(rules) = fields.optional("keys") {
        for rule in rules.list()? {
            let mut rule = rule.fields()?;
            let (key, action) = (rule.required("key")?.text()?, action(&mut rule)?);
            rule.end()?;
            redaction = redaction.with_key(key, action);
        }
    }
    if let Some(rules) = fields.optional("values") {
        for rule in rules.list()? {
            let mut rule = rule.fields()?;
            let (pattern, action) = (rule.required("pattern")?, action(&mut rule)?);
            let text = pattern.text()?;
            regex::Regex::new(&text).map_err(|error| pattern.error(format!("not a pattern: {error}")))?;
            rule.end()?;
            redaction = redaction.with_value(text, action);
        }
    }
    if let Some(key) = fields.text("hash_key")? {
        redaction = redaction.with_hash_key(key);
    }
    fields.end()?;
    safety.redaction = redaction;
    Ok(())
}

/// `mask` if nothing else is said.
fn action(rule: &mut Fields) -> Result<Redact, FileError> {
    let replacement = rule.text("replacement")?;
    let Some(value) = rule.optional("action") else {
        return Ok(replacement.map_or(Redact::Mask, Redact::replace));
    };
    value.choice("keep, drop, mask, keep_last_4, truncate_ip or hash", |name| match name {
        "keep" => Some(Redact::Keep),
        "drop" => Some(Redact::Drop),
        "mask" => Some(Redact::Mask),
        "keep_last_4" => Some(Redact::KeepLast4),
        "truncate_ip" => Some(Redact::TruncateIp),
        "hash" => Some(Redact::Hash),
        _ => None,
    })
}
