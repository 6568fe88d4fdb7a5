//! `otel-http` next to what else a Rust service could use, and next to a layer written by hand for the purpose.
//!
//! `cargo bench -p bench-http`: all cases of a group take turns in short rounds, so that what else the machine does hits
//! them alike. Ratios count, times do not.

pub mod allocations;
pub mod client;
pub mod floor;
pub mod rounds;
pub mod server;
pub mod telemetry;
