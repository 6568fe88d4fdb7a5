//! OpenTelemetry for calls to language models, agents and tools.
//!
//! Planned: nothing is exported yet. The workspace README says what exists today.

pub mod content;
pub mod provider;
