//! A layer around an HTTP client that sees calls of models pass.

mod endpoints;
mod layer;
mod request_body;
mod response;
mod service;
mod settings;

pub use layer::{GenAiLayer, GenAiLayerBuilder};
pub use request_body::GenAiRequestBody;
#[cfg(feature = "reqwest")]
pub(crate) use response::BodyReading;
pub use response::{GenAiResponseBody, GenAiResponseFuture};
pub use service::GenAiService;
#[cfg(feature = "reqwest")]
pub(crate) use settings::Call;
