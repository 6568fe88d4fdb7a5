//! The shop as people start it: real processes, real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail as tests do")]

mod assistant;
mod broken;
mod browser;
mod dashboards;
mod ending;
mod external;
mod fleet;
mod orders;
mod postgres;
mod process;
