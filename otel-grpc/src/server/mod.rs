//! The server side: a tower layer around tonic's routes.

mod layer;
mod service;
mod settings;

pub use layer::{GrpcServerLayer, GrpcServerLayerBuilder};
pub use service::GrpcServer;
