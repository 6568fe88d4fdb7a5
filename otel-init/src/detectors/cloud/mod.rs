//! What the clouds say about the machine: each behind a feature, and only for whoever asks for it by name, because a server
//! that is not there takes its time to be missed.
//!
//! <https://opentelemetry.io/docs/specs/semconv/resource/cloud/>

#[cfg(feature = "aws")]
pub(super) mod aws;
#[cfg(feature = "azure")]
pub(super) mod azure;
#[cfg(feature = "gcp")]
pub(super) mod gcp;
#[cfg(test)]
#[cfg(all(feature = "aws", feature = "gcp", feature = "azure"))]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value as Json;

use super::{Attribute, known, some};

/// A server of metadata answers at once, or is not there. That of a test shares a machine with much else.
const TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 1 });
const LONGEST: usize = 1 << 20;

/// Asks a server of metadata, which speaks plain HTTP on this machine's own network.
fn ask(method: Method, url: &str, headers: &[(&str, &str)]) -> Option<Bytes> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let asked = async {
            let answer = client.request(request).await.ok().filter(|answer| answer.status().is_success())?;
            Some(Limited::new(answer.into_body(), LONGEST).collect().await.ok()?.to_bytes())
        };
        tokio::time::timeout(TIMEOUT, asked).await.ok()?
    })
}

fn ask_json(url: &str, headers: &[(&str, &str)]) -> Option<Json> {
    serde_json::from_slice(&ask(Method::GET, url, headers)?).ok()
}

/// A text of the answer, if it is there and not empty.
fn text(json: &Json, path: &str) -> Option<String> {
    let value = json.pointer(path)?;
    let text = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
    text.filter(|text| !text.is_empty())
}

fn cloud(
    provider: &'static str,
    platform: &'static str,
    more: impl IntoIterator<Item = Option<Attribute>>,
) -> Vec<Attribute> {
    let both = [some("cloud.provider", Some(provider)), some("cloud.platform", Some(platform))];
    known(both.into_iter().chain(more))
}
