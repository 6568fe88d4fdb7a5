#![cfg_attr(any(not(doctest), feature = "sqlx-sqlite"), doc = include_str!("../README.md"))]
//!
#![doc = include_str!("docs/telemetry.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod comment;
#[cfg(feature = "diesel")]
pub mod diesel;
mod failure;
pub mod query_text;
#[cfg(feature = "redis")]
pub mod redis;
mod request;
#[cfg(feature = "sqlx")]
pub mod sqlx;
mod system;

use opentelemetry::InstrumentationScope;

pub use client::{DbClient, DbClientBuilder, DbOperation, DbOperationBuilder};
pub use comment::SqlComments;
pub use failure::DbFailure;
pub use otel_core::Attributes;
pub use request::DbRequest;
pub use system::DbSystem;

/// The version of the conventions that this crate follows.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}
