//! Operations, layers and adapters, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod async_openai;
mod content;
mod events;
mod exits;
mod fake;
mod latest;
mod layer;
mod mcp;
mod operations;
mod rmcp;
mod streams;
mod support;
