//! What every span and log record passes before it is queued, whatever the exporter.
//!
//! In this order: drop rules, what the bridge from `tracing` adds to log records, baggage attributes, one value for each
//! key, redaction, lengths, counts. Redaction comes before the lengths, because a secret that is cut in two is not
//! recognised any more.

mod action;
mod attributes;
mod audit;
mod baggage;
mod bridged;
mod caps;
mod chain;
mod clean;
mod drop_rule;
mod glob;
mod intake;
mod keys;
mod limits;
mod log;
mod memory;
mod oversized;
mod pattern;
mod plain_keys;
mod prefilter;
mod preset;
mod redaction;
mod redactor;
mod span;
#[cfg(test)]
mod tests;
mod value;
mod value_rule;

pub use action::{Redact, RedactWith};
pub use audit::SpanSelector;
pub use drop_rule::DropRule;
pub use redaction::Redaction;

pub(crate) use action::REDACTED;
pub(crate) use attributes::keep_last;
pub(crate) use audit::AuditSettings;
pub(crate) use caps::{GuardedSampler, counted};
pub(crate) use chain::{Safety, SafetySettings};
pub(crate) use drop_rule::DropRules;
pub(crate) use glob::Globs;
pub(crate) use intake::{Intake, Lane, Lanes};
pub(crate) use limits::{AttributeLimits, Limits};
pub(crate) use log::SafeLogProcessor;
pub(crate) use oversized::{cut_span, cut_value, tell_of_log};
pub(crate) use redactor::Redactor;
pub(crate) use span::SafeSpanProcessor;
