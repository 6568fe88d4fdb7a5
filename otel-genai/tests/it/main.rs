//! Operations, layers and adapters, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod async_openai;
mod auto_traits;
mod content;
mod environment;
mod events;
mod everything;
mod exits;
mod fake;
mod kinds;
mod latest;
mod layer;
mod mcp;
mod operations;
mod recorded;
mod rig;
mod rmcp;
mod states;
mod streams;
mod support;
mod wire;
