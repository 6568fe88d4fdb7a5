//! The layers and the client, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod cardinality;
mod client;
mod client_errors;
mod client_exits;
mod client_options;
mod client_secrets;
mod ending_threads;
mod exits;
mod grpc;
mod hooks;
mod http_cases;
mod known_methods;
mod nesting;
mod once;
mod public_endpoint;
mod reqwest_alike;
mod reqwest_client;
mod reqwest_middleware;
mod reqwest_sends;
mod server;
mod server_extras;
mod server_hostile;
mod server_matrix;
mod server_options;
mod sockets;
mod support;
mod tower_http_layers;
mod url_vectors;
