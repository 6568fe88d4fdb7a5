//! Operations, layers and adapters, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod content;
mod events;
mod exits;
mod latest;
mod operations;
mod support;
