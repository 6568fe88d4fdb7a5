//! The text of queries: the reference suites, the table of attacks, and properties that hold for any text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
mod engines;
mod literals;
mod names;
mod properties;
mod scripts;
mod vectors;
