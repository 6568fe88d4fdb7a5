//! OpenTelemetry for database clients, sqlx first.
//!
//! Planned: nothing is exported yet. The workspace README says what exists today.

pub mod query_text;
