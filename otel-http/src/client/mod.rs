//! The client side: a tower layer around HTTP clients, and the convention that the reqwest client shares.

mod convention;
mod future;
mod layer;
mod metrics;
mod service;

pub(crate) use convention::{ClientConvention, ClientResponse};
pub use future::ClientResponseFuture;
pub use layer::{HttpClientLayer, HttpClientLayerBuilder};
pub use service::HttpClient;
