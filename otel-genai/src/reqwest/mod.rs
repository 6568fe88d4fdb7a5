//! `reqwest` clients: the layer around them, and a client to use in their place.
//!
//! [`GenAiLayer`](crate::GenAiLayer) goes around whatever is a tower service of `reqwest::Request`, above all a
//! `reqwest::Client`. [`Client`] is used like the client inside:
//!
//! ```no_run
//! # async fn example() -> Result<(), reqwest::Error> {
//! use otel_genai::{GenAiLayer, reqwest::Client};
//!
//! let client = Client::new(GenAiLayer::new(), reqwest::Client::new());
//! let request = client.post("https://api.openai.com/v1/chat/completions").bearer_auth("sk-...");
//! let answer = request.json(&serde_json::json!({ "model": "gpt-4o", "messages": [] })).send().await?;
//! # Ok(()) }
//! ```
//!
//! To have a span of HTTP below each call as well, send through a client that makes them:
//!
//! ```no_run
//! # #[derive(Clone)] struct Instrumented;
//! # impl Instrumented {
//! #     async fn execute(&self, r: reqwest::Request) -> Result<reqwest::Response, reqwest::Error> {
//! #         reqwest::Client::new().execute(r).await
//! #     }
//! # }
//! # let http = Instrumented; // otel_http::reqwest::Client::new(reqwest::Client::new())
//! use otel_genai::{GenAiLayer, reqwest::{Client, execute_fn}};
//!
//! let send = execute_fn(move |request| {
//!     let http = http.clone();
//!     async move { http.execute(request).await }
//! });
//! let client = Client::through(GenAiLayer::new(), reqwest::Client::new(), send);
//! ```

mod client;
mod execute;
mod service;

pub use client::{Client, RequestBuilder};
pub use execute::{ExecuteFn, execute_fn};
pub use service::ReqwestFuture;
