//! The shop as people start it: real processes, real sockets.

mod broken;
mod browser;
mod ending;
mod external;
mod fleet;
mod orders;
mod otlp_json;
mod process;
