//! The propagators, seen from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cases;
mod composition;
mod properties;
mod random_flag;
mod support;
mod vectors;
