//! `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`, which is read once in a process: so each list has a process of its own.

use std::process::Command;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Method, Request};
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{call, client_layer, server_layer};

const VARIABLE: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

#[test]
fn a_list_of_methods_replaces_the_standard_one() {
    let this = std::env::current_exe().unwrap();
    for list in ["only,custom, methods ,allowed", " , "] {
        let mut child = Command::new(&this);
        let name = "known_methods::in_a_process_of_its_own";
        let output = child.args(["--exact", name, "--nocapture"]).env(VARIABLE, list).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{list:?}: {text}");
    }
}

/// Without the variable the standard list holds, so this can run by itself too.
#[tokio::test]
async fn in_a_process_of_its_own() {
    let list = std::env::var(VARIABLE).unwrap_or_default();
    let replaced = list.contains("only");
    for (method, is_known) in [
        ("only", replaced),
        ("custom", replaced),
        ("methods", replaced),
        ("allowed", replaced),
        ("GET", !replaced),
        ("POST", !replaced),
    ] {
        let telemetry = TestTelemetry::new();
        let request = || {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            Request::builder().method(method).uri("http://users.example/").body(Body::empty()).unwrap()
        };
        let app = Router::new().route("/", any(|| async {})).layer(server_layer(&telemetry).build());
        call(&app, request()).await;
        let client = client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| async {
            Ok::<_, std::io::Error>(http::Response::new(Body::empty()))
        }));
        client.oneshot(request()).await.unwrap();
        let name = if is_known { method } else { "HTTP" };
        for span in [telemetry.span(&format!("{name} /")), telemetry.span(name)] {
            assert!(span.has("http.request.method", if is_known { method } else { "_OTHER" }), "{list:?}");
            let original = span.attribute("http.request.method_original").map(ToString::to_string);
            assert_eq!(original.as_deref(), (!is_known).then_some(method), "{list:?}");
        }
        telemetry.assert_conventions_of(&Conventions::new().allow_any_value_of("http.request.method"));
    }
}
