//! A service in process, bare and inside of each instrumentation.

pub mod floor;
pub mod hello;
pub mod layers;
