//! The client side: a tower layer around HTTP clients, and what it shares with the reqwest client.

mod body;
mod body_sizes;
mod convention;
mod destination;
mod future;
mod host;
mod layer;
mod metrics;
mod options;
mod resend;
mod service;
mod settings;
mod template;

pub(crate) use body::ClientBody;
pub use destination::DestinationPolicy;
pub use future::HttpClientResponseFuture;
pub(crate) use host::HostPattern;
pub use layer::{HttpClientLayer, HttpClientLayerBuilder};
pub use resend::{CountsResends, ResendCount, ResendCountLayer};
pub use service::HttpClient;
pub use template::UrlTemplate;
pub(crate) use template::UrlTemplates;
#[cfg(feature = "reqwest")]
pub(crate) use {
    convention::ClientResponse,
    options::{ClientOptions, client_setters},
    settings::{ClientSettings, Observed, RequestFacts},
};
