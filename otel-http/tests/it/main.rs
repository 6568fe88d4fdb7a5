//! The layers and the client, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod client_errors;
mod client_exits;
mod client_options;
mod client_secrets;
mod exits;
mod nesting;
mod public_endpoint;
mod reqwest_client;
mod reqwest_middleware;
mod reqwest_sends;
mod server;
mod server_hostile;
mod server_options;
mod sockets;
mod support;
mod tower_http_layers;
mod url_vectors;
