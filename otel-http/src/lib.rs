#![doc = include_str!("../README.md")]
//!
#![doc = include_str!("docs/telemetry.md")]

#[cfg(feature = "axum")]
mod axum;
mod body;
mod cached;
mod client;
mod error;
mod hook;
mod method;
mod protocol;
mod request;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod server;
mod url;

use opentelemetry::InstrumentationScope;

pub use body::ResponseBody;
pub use client::{ClientResponseFuture, HttpClient, HttpClientLayer, HttpClientLayerBuilder};
pub use request::HttpRequest;
pub use server::{HttpRoute, HttpServer, HttpServerLayer, HttpServerLayerBuilder, ResponseFuture};

/// The buckets that the convention gives for both duration metrics, in seconds.
/// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration>
const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The version of the conventions that this crate follows.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}
