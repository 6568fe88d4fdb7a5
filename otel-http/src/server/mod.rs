//! The server side: a tower layer around routers and services.

mod bodies;
mod convention;
mod future;
mod handed;
mod layer;
mod metrics;
mod names;
mod options;
mod request_size;
mod route;
mod series;
mod service;
mod settings;
mod tally;
mod trace_response;
mod upgrade;

pub(crate) use convention::ServerConvention;
pub use future::HttpServerResponseFuture;
pub use layer::{HttpServerLayer, HttpServerLayerBuilder};
#[cfg(feature = "axum")]
pub(crate) use request_size::Passed;
pub use route::HttpRoute;
pub use service::HttpServer;
pub use upgrade::HttpUpgrade;
