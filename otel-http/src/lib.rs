#![cfg_attr(any(not(doctest), all(feature = "axum", feature = "reqwest")), doc = include_str!("../README.md"))]
//!
#![doc = include_str!("docs/telemetry.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
mod axum;
mod body;
mod cached;
mod capture;
mod client;
mod forwarded;
mod header;
mod hooks;
mod method;
mod options;
mod protocol;
mod redact;
mod request;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod server;
mod synthetic;
mod trusted_proxies;
mod url;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::{Histogram, Meter};

pub use body::HttpResponseBody;
pub use capture::BodyCapture;
pub use client::{
    CountsResends, DestinationPolicy, HttpClient, HttpClientLayer, HttpClientLayerBuilder,
    HttpClientResponseFuture, ResendCount, ResendCountLayer, UrlTemplate,
};
pub use otel_core::{Attributes, RequestAttributes};
pub use request::{HttpRequest, HttpResponse, not_grpc};
pub use server::{
    HttpRoute, HttpServer, HttpServerLayer, HttpServerLayerBuilder, HttpServerResponseFuture, HttpUpgrade,
};
pub use trusted_proxies::{InvalidNetwork, TrustedProxies};

/// The buckets that the convention gives for both duration metrics, in seconds.
/// <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration>
const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// On the span of a request whose caller did not wait for its end. The conventions have no word for it.
const ENDED_EARLY: &str = "otel_http.ended_early";

/// The version of the conventions that this crate follows.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

/// The convention gives no buckets for sizes; these tell a small answer from a page, a page from a file.
fn size_histogram(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<u64> {
    let kibibytes = [0.0, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0];
    meter
        .u64_histogram(name)
        .with_unit("By")
        .with_description(description)
        .with_boundaries(kibibytes.map(|size| size * 1024.0).to_vec())
        .build()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}
