//! The client that follows redirects by itself does what reqwest does: the same requests arrive, the same comes of them.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use otel_http::reqwest::Client;
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::serve;

/// What arrived at the servers, and what they answer.
#[derive(Clone, Default)]
struct Servers {
    arrived: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<(StatusCode, Option<String>)>>,
}

async fn answer(State(servers): State<Servers>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut headers: Vec<_> = parts.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let arrived = format!("{} {} {headers:?} {body:?}", parts.method, parts.uri);
    servers.arrived.lock().unwrap().push(arrived);
    let (status, location) = match parts.uri.path() {
        "/start" => servers.answer.lock().unwrap().clone(),
        _ => (StatusCode::OK, None),
    };
    let response = Response::builder().status(status);
    let response = location.into_iter().fold(response, |response, to| response.header("location", to));
    response.body(Body::from("answer")).unwrap()
}

/// A request with all that a redirect may change.
fn filled(request: reqwest::RequestBuilder, body: &str) -> reqwest::RequestBuilder {
    let names = ["authorization", "cookie", "cookie2", "proxy-authorization", "www-authenticate"];
    let names = names.into_iter().chain(["referer", "content-type", "x-own"]);
    let request = names.fold(request, |request, name| request.header(name, "value"));
    match body {
        "bytes" => request.body("abc"),
        "stream" => {
            let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from("abc"))]);
            request.body(reqwest::Body::wrap_stream(chunks))
        }
        _ => request,
    }
}

async fn outcome(result: Result<reqwest::Response, reqwest::Error>) -> String {
    match result {
        Ok(response) => {
            let (status, url) = (response.status(), response.url().clone());
            format!("{status} {url} {:?}", response.text().await)
        }
        // The type of the cause is reqwest's own.
        Err(error) => format!("{error:?}").replace("\"too many redirects\"", "TooManyRedirects"),
    }
}

#[tokio::test]
async fn every_redirect_of_every_request() {
    let servers = Servers::default();
    let app = || Router::new().fallback(answer).with_state(servers.clone());
    let (here, there) = (serve(app()).await, serve(app()).await);
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let ours = Client::builder().no_proxy().build().unwrap();
    let locations = [
        Some("next?q=1#fragment".to_owned()),
        Some(format!("http://{there}/")),
        Some(format!("http://user:pw@{here}/")),
        Some("ftp://files.example/".to_owned()),
        Some("http://[::1/".to_owned()),
        Some(String::new()),
        None,
    ];
    let url = format!("http://{here}/start");
    for location in &locations {
        for status in [301, 302, 303, 304, 307, 308] {
            *servers.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), location.clone());
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT] {
                for body in ["none", "bytes", "stream"] {
                    let expected =
                        outcome(filled(plain.request(method.clone(), &url), body).send().await).await;
                    let expected = (expected, std::mem::take(&mut *servers.arrived.lock().unwrap()));
                    let request = ours.request(method.clone(), &url).map(|inner| filled(inner, body));
                    let actual = outcome(request.send().await).await;
                    let actual = (actual, std::mem::take(&mut *servers.arrived.lock().unwrap()));
                    assert_eq!(actual, expected, "{method} with {body}, {status} to {location:?}");
                }
            }
        }
    }
}

/// Over a Unix socket, because there nobody encrypts what is said to be `https`.
#[cfg(unix)]
#[tokio::test]
async fn a_client_that_must_encrypt_follows_no_redirect_that_does_not() {
    let servers = Servers::default();
    let path = std::env::temp_dir().join(format!("otel-http-{}.sock", std::process::id()));
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let app = Router::new().fallback(answer).with_state(servers.clone());
    tokio::spawn(axum::serve(listener, app).into_future());
    let telemetry = TestTelemetry::new();
    let plain = reqwest::Client::builder().https_only(true).unix_socket(&*path).build().unwrap();
    let ours = Client::builder().https_only(true).configure(|inner| inner.unix_socket(&*path));
    let ours = ours.with_tracer_provider(telemetry.tracer_provider()).build().unwrap();
    for location in ["https://there.example/", "http://there.example/"] {
        *servers.answer.lock().unwrap() = (StatusCode::FOUND, Some(location.to_owned()));
        let url = "https://here.example/start";
        let (expected, actual) = (plain.get(url).send().await, ours.get(url).send().await);
        assert_eq!(outcome(actual).await, outcome(expected).await, "{location}");
    }
    std::fs::remove_file(&path).unwrap();
    let [_, followed, refused] = &telemetry.spans()[..] else { panic!("{}", telemetry.tree()) };
    assert!(followed.has("http.response.status_code", 200), "{}", telemetry.tree());
    assert!(refused.has("http.response.status_code", 302), "{}", telemetry.tree());
    assert!(refused.has("error.type", "redirect"), "{}", telemetry.tree());
}

#[tokio::test]
async fn the_setters_reach_reqwest() {
    let servers = Servers::default();
    let address = serve(Router::new().fallback(answer).with_state(servers.clone())).await;
    let url = format!("http://{address}/");
    let encrypted = Client::builder().no_proxy().https_only(true).build().unwrap();
    assert!(encrypted.get(&url).send().await.unwrap_err().is_builder());
    let mut defaults = http::HeaderMap::new();
    defaults.insert("x-default", "first".parse().unwrap());
    // Of several the last counts, as with reqwest.
    defaults.append("x-default", "last".parse().unwrap());
    let client = Client::builder().no_proxy().default_headers(defaults).user_agent("shop/1").build().unwrap();
    let request = client.patch(&url).basic_auth("user", Some("pw")).body("abc");
    let copy = request.try_clone().expect("a body in memory");
    for request in [request, copy] {
        request.send().await.unwrap();
        let arrived = servers.arrived.lock().unwrap().pop().unwrap();
        for part in ["PATCH", "Basic dXNlcjpwdw==", "shop/1", "abc", "(\"x-default\", \"last\")"] {
            assert!(arrived.contains(part), "{part} in {arrived}");
        }
    }
}

#[tokio::test]
async fn of_two_ways_to_say_the_user_agent_the_last_counts() {
    let servers = Servers::default();
    let address = serve(Router::new().fallback(answer).with_state(servers.clone())).await;
    let headers = || http::HeaderMap::from_iter([(http::header::USER_AGENT, "headers".parse().unwrap())]);
    let plain = || reqwest::Client::builder().no_proxy();
    let ours = || Client::builder().no_proxy();
    let plain = [
        plain().default_headers(headers()).user_agent("setter"),
        plain().user_agent("setter").default_headers(headers()),
    ];
    let ours = [
        ours().default_headers(headers()).user_agent("setter"),
        ours().user_agent("setter").default_headers(headers()),
    ];
    for (plain, ours) in plain.into_iter().zip(ours) {
        let url = format!("http://{address}/");
        plain.build().unwrap().get(&url).send().await.unwrap();
        ours.build().unwrap().get(&url).send().await.unwrap();
        let arrived = std::mem::take(&mut *servers.arrived.lock().unwrap());
        assert_eq!(arrived[1], arrived[0]);
    }
}
