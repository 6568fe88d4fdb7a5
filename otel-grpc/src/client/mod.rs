//! The client side: a tower layer around channels, and one around the attempts that a retry layer makes.

mod attempt;
mod layer;
mod service;
mod settings;

pub(crate) use attempt::AttemptCount;
pub use attempt::{GrpcAttempt, GrpcAttemptLayer};
pub use layer::{GrpcClientLayer, GrpcClientLayerBuilder};
pub use service::GrpcClient;
