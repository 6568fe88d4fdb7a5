//! The service that the W3C trace context validation suite drives: it answers `POST /test` by calling what it is told
//! to call, so that the suite sees what becomes of the headers it has sent.
//!
//! `cargo run -p w3c-trace-context -- --port 5000`, then the suite with
//! `SERVICE_ENDPOINT=http://127.0.0.1:5000/test`: <https://github.com/w3c/trace-context/tree/main/test>

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otel_core::propagation::TraceContextPropagator;
use otel_http::HttpServerLayer;
use otel_http::reqwest::Client;
use serde::Deserialize;

/// Answers the W3C trace context validation suite.
#[derive(Debug, Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 5000)]
    port: u16,
}

/// A call that the suite wants to be made.
#[derive(Debug, Deserialize)]
struct Call {
    url: String,
    /// Sent on as it is.
    arguments: serde_json::Value,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Options { port } = Options::parse();
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    announce(listener.local_addr()?);
    axum::serve(listener, app()).await?;
    Ok(())
}

/// The server and the client share a provider. Nothing is exported: the suite looks at headers only.
fn app() -> Router {
    let provider = SdkTracerProvider::builder().build();
    let client = Client::instrument(reqwest::Client::new())
        .with_tracer_provider(provider.clone())
        .with_propagator(TraceContextPropagator::new())
        .build();
    let layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(provider)
        .with_propagator(TraceContextPropagator::new())
        .build();
    Router::new().route("/test", post(test)).with_state(client).layer(layer)
}

async fn test(
    State(client): State<Client>,
    Json(calls): Json<Vec<Call>>,
) -> Result<(), (StatusCode, String)> {
    for Call { url, arguments } in calls {
        let sent = client.post(&url).json(&arguments).send().await;
        sent.map_err(|error| (StatusCode::BAD_GATEWAY, format!("cannot call {url}: {error}")))?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "whoever starts the service reads the port from the first line")]
fn announce(address: SocketAddr) {
    println!("listening on http://{address}");
}
