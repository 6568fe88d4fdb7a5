//! The crate `redis`, 1.x: any of its asynchronous connections.
//!
//! A wrapped connection is a connection: `AsyncCommands`, pipelines and scripts work as they do without it.

mod cache;
mod observed;
mod outcome;
mod script;

pub use observed::{Connection, client_builder};
