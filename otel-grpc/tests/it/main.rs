//! The layers, used as an application uses them: over real sockets, with tonic on both ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod echo;
mod exits;
mod hooks;
mod matrix;
mod messages;
mod methods;
mod options;
mod places;
mod propagation;
mod rich_errors;
mod secrets;
mod support;
