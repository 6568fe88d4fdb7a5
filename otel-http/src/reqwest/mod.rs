//! An instrumented [`reqwest::Client`].
//!
//! ```no_run
//! # async fn example() -> Result<(), reqwest::Error> {
//! let client = otel_http::reqwest::Client::new(reqwest::Client::new());
//! let answer = client.get("http://localhost:3000/users/42").url_template("/users/{id}").send().await?;
//! # Ok(()) }
//! ```
//!
//! There are two kinds of client, and a middleware:
//!
//! | made by | what a span covers | who follows redirects |
//! |---|---|---|
//! | [`Client::new`], [`Client::instrument`] | one call of a client of yours, its redirects included | reqwest, with the same headers to every host |
//! | [`Client::builder`] | one request on the wire; `http.request.resend_count` numbers the later ones | this crate, with headers of its own for each |
//! | `Middleware` (feature `reqwest-middleware`) | one call of what is inside of it: with `reqwest-retry` outside, one attempt | reqwest |
//!
//! reqwest takes credentials away when a redirect leads to another host, but not the trace context and not the baggage. A
//! [`DestinationPolicy`](crate::DestinationPolicy) is therefore only for clients of the second kind.

mod builder;
mod client;
mod error;
mod hop;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
pub mod redirect;
mod request;
mod request_bytes;
mod response;
pub mod retry;
mod sends;

pub use builder::{ClientBuilder, InstrumentBuilder};
pub use client::Client;
#[cfg(feature = "reqwest-middleware")]
pub use middleware::{Middleware, MiddlewareBuilder};
pub use request::RequestBuilder;
