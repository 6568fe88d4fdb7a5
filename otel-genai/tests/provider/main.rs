//! Bodies of providers in, facts and messages out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod allocations;
mod apis;
mod captured;
mod exchanges;
mod frames;
mod hostile;
mod messages;
mod policy;
mod repeats;
mod schema;
mod streams;
mod wire;
