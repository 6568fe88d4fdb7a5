//! The URL redaction cases of the reference suites, read in place where they are there.

use axum::body::Body;
use http::{Request, Response, Uri};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{client_layer, get, server_layer};

#[tokio::test]
async fn url_full_and_url_query_with_the_default_keys() {
    let Some(path) = otel_testing::shared_file!("vectors/url_cases.json") else { return };
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut checked = 0;
    for case in document["url"].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        if case["sensitive_keys"] != "default" || case["expected"].is_null() {
            continue; // a configured list, or a case that the suites leave open
        }
        let Some(actual) = (match case["kind"].as_str().unwrap() {
            "url.full" => full(input).await,
            _ => query(input).await,
        }) else {
            continue;
        };
        let expected = &case["expected"];
        let accepted = match expected.as_array() {
            Some(several) => several.iter().any(|one| one == actual.as_str()),
            None => *expected == actual.as_str(),
        };
        assert!(accepted, "{}: {input} became {actual}, expected {expected}", case["id"]);
        checked += 1;
    }
    assert!(checked >= 40, "only {checked} cases were checked");
}

/// `url.full` as the client layer records it; `None` for what no request can hold: a fragment, a text that is no URI.
async fn full(input: &str) -> Option<String> {
    let uri: Uri = input.parse().ok()?;
    if input.contains('#') || uri.scheme().is_none() || !input.contains(uri.authority()?.as_str()) {
        return None;
    }
    let telemetry = TestTelemetry::new();
    let client = client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| async {
        Ok::<_, std::io::Error>(Response::new(Body::empty()))
    }));
    client.oneshot(get(input)).await.unwrap();
    let full = telemetry.span("GET").attribute("url.full")?.to_string();
    // `http::Uri` reads an empty path as "/", the suites leave it empty.
    let had_slash = input.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    Some(if had_slash { full } else { full.replacen("/?", "?", 1).trim_end_matches('/').to_owned() })
}

async fn query(input: &str) -> Option<String> {
    if input.contains('#') || input.starts_with('?') {
        return None;
    }
    let telemetry = TestTelemetry::new();
    let app = axum::Router::new().layer(server_layer(&telemetry).build());
    let uri: Uri = format!("/?{input}").parse().ok()?;
    app.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    Some(telemetry.span("GET").attribute("url.query")?.to_string())
}
