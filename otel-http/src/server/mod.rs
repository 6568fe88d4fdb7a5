//! The server side: a tower layer around routers and services.

mod convention;
mod future;
mod layer;
mod metrics;
mod route;
mod service;

pub(crate) use convention::ServerConvention;
pub use future::ResponseFuture;
pub use layer::{HttpServerLayer, HttpServerLayerBuilder};
pub use route::HttpRoute;
pub use service::HttpServer;
