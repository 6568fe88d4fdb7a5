#![doc = include_str!("../README.md")]
//!
#![doc = include_str!("docs/telemetry.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod body;
mod call;
mod client;
mod code;
mod convention;
mod deadline;
#[cfg(feature = "descriptors")]
mod descriptors;
mod error;
mod future;
mod header;
mod message;
mod messages;
mod method;
mod metrics;
mod names;
mod options;
mod request;
#[cfg(feature = "rich-errors")]
mod rich_error;
mod series;
mod server;
mod side;
mod text;
mod trace_bin;

use opentelemetry::InstrumentationScope;

pub use body::GrpcResponseBody;
pub use client::{GrpcAttempt, GrpcAttemptLayer, GrpcClient, GrpcClientLayer, GrpcClientLayerBuilder};
pub use future::GrpcResponseFuture;
pub use otel_core::{Attributes, RequestAttributes};
pub use request::{GrpcRequest, GrpcResponse, not_health_or_reflection};
pub use server::{GrpcServer, GrpcServerLayer, GrpcServerLayerBuilder};
pub use side::{AttemptSide, ClientSide, ServerSide, Side};
pub use trace_bin::GrpcTraceBinPropagator;

/// The version of the conventions that this crate follows.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}
