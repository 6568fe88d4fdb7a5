//! A client that follows redirects and sends again by itself: each request on the wire is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::any;
use opentelemetry::trace::Status;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::SpanData;
use otel_http::DestinationPolicy;
use otel_http::reqwest::{Client, ClientBuilder, redirect, retry};
use otel_testing::{Conventions, SpanDataExt, TestTelemetry};

use crate::support::{BOUND, CLIENT_DURATION, NOBODY, serve};

fn builder(telemetry: &TestTelemetry) -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

/// What a request looked like when it arrived, as the body of the answer.
async fn seen(method: Method, uri: Uri, headers: HeaderMap, body: String) -> String {
    let names = ["authorization", "cookie", "content-type", "referer", "x-kept", "traceparent", "baggage"];
    let headers = names.into_iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().unwrap();
        Some(format!("{name}={value}"))
    });
    format!("{method} {uri} {body}\n{}", headers.collect::<Vec<_>>().join("\n"))
}

/// `/to/{status}/{location}` redirects; anything else tells what it was asked.
fn app() -> Router {
    let redirect = |Path((status, location)): Path<(u16, String)>| async move {
        (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)]).into_response()
    };
    Router::new().route("/to/{status}/{*location}", any(redirect)).fallback(seen)
}

/// Each span by its place in the call.
#[track_caller]
fn assert_sends(telemetry: &TestTelemetry, count: usize) -> Vec<SpanData> {
    let spans = telemetry.spans();
    assert_eq!(spans.len(), count, "{}", telemetry.tree());
    assert!(telemetry.open_spans().is_empty());
    assert_eq!(telemetry.histogram_count(CLIENT_DURATION), count as u64);
    for (resends, span) in spans.iter().enumerate() {
        let expected = (resends > 0).then(|| resends.to_string());
        let recorded = span.attribute("http.request.resend_count").map(ToString::to_string);
        assert_eq!(recorded, expected, "{}", telemetry.tree());
    }
    assert_eq!(Conventions::new().check(telemetry), []);
    spans
}

#[tokio::test]
async fn each_redirect_has_a_span_and_a_context_of_its_own() {
    let telemetry = TestTelemetry::new();
    let address = serve(app()).await;
    let url = format!("http://{address}/to/302//to/307//users/42");
    let client = builder(&telemetry).with_url_templates(["/users/{id}"]).build().unwrap();
    let response = client.get(url).url_template("/to/{status}/{location}").send().await.unwrap();
    assert_eq!(response.url().path(), "/users/42");
    let body = response.text().await.unwrap();
    let spans = assert_sends(&telemetry, 3);
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /to/{status}/{location}", "GET", "GET /users/{id}"]);
    for (span, (status, path)) in
        spans.iter().zip([(302, "/to/302//to/307//users/42"), (307, "/to/307//users/42"), (200, "/users/42")])
    {
        assert!(span.has("http.response.status_code", status), "{}", telemetry.tree());
        assert!(span.has("url.full", format!("http://{address}{path}")));
        assert_eq!(span.status, Status::Unset);
    }
    let last = &spans[2].span_context;
    assert!(body.contains(&format!("traceparent=00-{}-{}-01", last.trace_id(), last.span_id())), "{body}");
    assert!(body.contains("referer=http"), "{body}");
}

#[tokio::test]
async fn methods_and_bodies_change_as_with_reqwest() {
    let address = serve(app()).await;
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    for status in [301, 302, 303, 307, 308] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT] {
            let telemetry = TestTelemetry::new();
            let ours = builder(&telemetry).build().unwrap();
            let url = format!("http://{address}/to/{status}//end");
            let request = |client: &reqwest::Client| {
                client
                    .request(method.clone(), &url)
                    .header("content-type", "text/x")
                    .body("body")
                    .build()
                    .unwrap()
            };
            let expected = plain.execute(request(&plain)).await.unwrap();
            let got = ours.execute(request(ours.inner())).await.unwrap();
            assert_eq!((got.status(), got.url()), (expected.status(), expected.url()));
            let without_context = |text: String| {
                text.lines().filter(|line| !line.starts_with("traceparent")).collect::<Vec<_>>().join("\n")
            };
            let (got, expected) = (got.text().await.unwrap(), expected.text().await.unwrap());
            assert_eq!(without_context(got), expected, "{status} {method}");
            assert_sends(&telemetry, 2);
        }
    }
}

#[tokio::test]
async fn credentials_stay_with_their_host_for_good() {
    let telemetry = TestTelemetry::new();
    let (first, second) = (serve(app()).await, serve(app()).await);
    let mut defaults = HeaderMap::new();
    defaults.insert(header::COOKIE, "session=default".parse().unwrap());
    defaults.insert("x-kept", "1".parse().unwrap());
    let client = builder(&telemetry).default_headers(defaults).build().unwrap();
    // Twice on the second host: what was taken away does not come back.
    let url = format!("http://{first}/to/307/http://{second}/to/307//end");
    let body = client.get(url).bearer_auth("token").send().await.unwrap().text().await.unwrap();
    assert!(body.starts_with("GET /end"), "{body}");
    assert!(
        body.contains("x-kept=1") && !body.contains("authorization=") && !body.contains("cookie="),
        "{body}"
    );
    assert_sends(&telemetry, 3);

    let same_host = format!("http://{first}/to/307//end");
    let body = client.get(same_host).bearer_auth("token").send().await.unwrap().text().await.unwrap();
    assert!(body.contains("authorization=Bearer token") && body.contains("cookie=session=default"), "{body}");
}

#[tokio::test]
async fn the_context_goes_only_where_the_policy_says() {
    let (trusted, other) = (serve(app()).await, serve(app()).await);
    let policy = DestinationPolicy::new().allow(&trusted.to_string());
    let telemetry = TestTelemetry::new();
    let client = builder(&telemetry).with_destinations(policy).build().unwrap();
    let send = async |url: String| {
        let request = client.get(url).header("traceparent", "by hand").header("baggage", "secret=1");
        request.send().await.unwrap().text().await.unwrap()
    };
    for (url, is_told) in [
        (format!("http://{trusted}/end"), true),
        (format!("http://{other}/end"), false),
        (format!("http://{trusted}/to/307/http://{other}/end"), false),
        (format!("http://{other}/to/307/http://{trusted}/end"), true),
    ] {
        let body = send(url.clone()).await;
        assert_eq!(body.contains("traceparent=00-"), is_told, "{url}: {body}");
        assert_eq!(body.contains("baggage=secret=1"), is_told, "{url}: {body}");
        assert!(!body.contains("by hand"));
    }
}

#[tokio::test]
async fn trace_context_and_baggage_are_told_apart() {
    use opentelemetry::Context;
    use opentelemetry::baggage::BaggageExt;
    use opentelemetry::context::FutureExt;
    use opentelemetry::propagation::TextMapCompositePropagator;

    let address = serve(app()).await;
    let host = address.to_string();
    for (policy, trace_context, baggage) in [
        (DestinationPolicy::new().allow(&host), true, true),
        (DestinationPolicy::new().allow_trace_context(&host), true, false),
        (DestinationPolicy::new().allow_baggage(&host), false, true),
        (DestinationPolicy::new().deny(&host).allow("*"), false, false),
    ] {
        let telemetry = TestTelemetry::new();
        let propagator = TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]);
        let client =
            builder(&telemetry).with_propagator(propagator).with_destinations(policy).build().unwrap();
        let context = Context::new().with_baggage([opentelemetry::KeyValue::new("tenant", "7")]);
        let sent = client.get(format!("http://{address}/end")).send().with_context(context);
        let body = sent.await.unwrap().text().await.unwrap();
        assert_eq!(body.contains("traceparent=00-"), trace_context, "{body}");
        assert_eq!(body.contains("baggage=tenant=7"), baggage, "{body}");
    }
}

#[tokio::test]
async fn the_limit_and_the_other_policies_are_reqwest_s() {
    let address =
        serve(app().route("/loop", any(|| async { (StatusCode::FOUND, [("location", "/loop")]) }))).await;
    let url = format!("http://{address}/loop");

    let telemetry = TestTelemetry::new();
    let error = builder(&telemetry).build().unwrap().get(&url).send().await.unwrap_err();
    assert!(error.is_redirect() && error.url().unwrap().path() == "/loop");
    let spans = assert_sends(&telemetry, 11);
    let last = spans.last().unwrap();
    assert!(last.has("error.type", "redirect") && last.has("http.response.status_code", 302));

    let telemetry = TestTelemetry::new();
    let client = builder(&telemetry).redirect(redirect::Policy::none()).build().unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::FOUND);
    assert_sends(&telemetry, 1);

    let telemetry = TestTelemetry::new();
    let policy = redirect::Policy::custom(|attempt| match attempt.previous().len() {
        1 => attempt.follow(),
        2 => attempt.stop(),
        _ => attempt.error("too far"),
    });
    let client = builder(&telemetry).redirect(policy).build().unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::FOUND);
    assert_sends(&telemetry, 2);

    let telemetry = TestTelemetry::new();
    let client = builder(&telemetry).build().unwrap();
    let error = client.get(format!("http://{address}/to/302/ftp://x/")).send().await.unwrap_err();
    assert!(error.is_builder(), "{error:?}");
    assert!(assert_sends(&telemetry, 1)[0].has("error.type", "request"));
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_is_not() {
    let telemetry = TestTelemetry::new();
    let address = serve(app()).await;
    let client = builder(&telemetry).build().unwrap();
    let stream = || reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("once")]));
    let post = |status: u16| client.post(format!("http://{address}/to/{status}//end")).body(stream()).send();
    assert_eq!(post(307).await.unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
    assert_sends(&telemetry, 1);
    telemetry.clear();
    assert!(post(303).await.unwrap().text().await.unwrap().starts_with("GET /end \n"));
    assert_eq!(telemetry.spans().len(), 2);
}

/// Says 503 so many times, then what it was asked.
fn flaky(failures: usize) -> Router {
    let count = Arc::new(AtomicUsize::new(0));
    Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: String| async move {
        match count.fetch_add(1, Ordering::Relaxed) < failures {
            true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            false => seen(method, uri, headers, body).await.into_response(),
        }
    })
}

fn on_503() -> retry::Policy {
    retry::Policy::when(|attempt| attempt.status().is_some_and(|status| status == 503))
}

#[tokio::test]
async fn retries_are_counted_and_bounded() {
    for (failures, sends, waited, last) in [(0, 1, 0, 200), (1, 2, 10, 200), (2, 3, 30, 200), (9, 3, 30, 503)]
    {
        let telemetry = TestTelemetry::new();
        let address = serve(flaky(failures)).await;
        let policy = on_503().delay(|resend| Duration::from_millis(10) * resend);
        let client = builder(&telemetry).retry(policy).build().unwrap();
        let request = client.post(format!("http://{address}/a")).url_template("/{letter}").body("body");
        let start = Instant::now();
        assert_eq!(request.send().await.unwrap().status().as_u16(), last);
        assert!(start.elapsed() >= Duration::from_millis(waited), "{:?}", start.elapsed());
        let spans = assert_sends(&telemetry, sends);
        assert!(spans.iter().all(|span| span.name == "POST /{letter}"), "the URL is the same");
        assert_eq!(spans[0].has("error.type", "503"), failures > 0);
    }
}

#[tokio::test]
async fn a_redirect_leads_to_a_request_that_may_be_sent_again_as_often() {
    let telemetry = TestTelemetry::new();
    let count = Arc::new(AtomicUsize::new(0));
    let app = Router::new().fallback(move |uri: Uri| async move {
        match (count.fetch_add(1, Ordering::Relaxed), uri.path()) {
            (0 | 1 | 3 | 4, _) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            (_, "/from") => (StatusCode::FOUND, [("location", "/to")]).into_response(),
            _ => StatusCode::OK.into_response(),
        }
    });
    let address = serve(app).await;
    let client = builder(&telemetry).retry(on_503()).build().unwrap();
    let answer = client.get(format!("http://{address}/from")).send().await.unwrap();
    assert_eq!((answer.status(), answer.url().path()), (StatusCode::OK, "/to"));
    assert_sends(&telemetry, 6);
}

#[tokio::test]
async fn errors_are_retried_too_but_streams_are_not() {
    let always = || retry::Policy::when(|_| true).max_retries(1);
    let telemetry = TestTelemetry::new();
    let client = builder(&telemetry).retry(always()).build().unwrap();
    assert!(client.get(format!("http://{NOBODY}/")).send().await.unwrap_err().is_connect());
    assert!(assert_sends(&telemetry, 2).iter().all(|span| span.has("error.type", "connect")));

    telemetry.clear();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("once")]));
    assert!(client.post(format!("http://{NOBODY}/")).body(stream).send().await.is_err());
    assert_eq!(telemetry.spans().len(), 1);
}

/// As with reqwest, whose retries are below its redirects.
#[tokio::test]
async fn a_redirect_that_is_not_followed_is_no_reason_to_ask_again() {
    let address =
        serve(app().route("/loop", any(|| async { (StatusCode::FOUND, [("location", "/loop")]) }))).await;
    for (path, sends) in [("loop", 2), ("to/302/ftp://x/", 1)] {
        let telemetry = TestTelemetry::new();
        let on_error = retry::Policy::when(|attempt| attempt.error().is_some());
        let client = builder(&telemetry).retry(on_error).redirect(redirect::Policy::limited(1));
        client.build().unwrap().get(format!("http://{address}/{path}")).send().await.unwrap_err();
        assert_sends(&telemetry, sends);
    }
}

/// An HTTP/2 server that looks at no request but the last, and says so; gives how many it saw.
async fn refuse(listener: tokio::net::TcpListener, refused: usize) {
    let (socket, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(socket).await.unwrap();
    let mut seen = 0;
    while let Some(request) = connection.accept().await {
        let (_, mut respond) = request.unwrap();
        if seen < refused {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
        } else {
            respond.send_response(http::Response::new(()), true).unwrap();
        }
        seen += 1;
    }
}

#[tokio::test]
async fn what_an_http2_server_has_refused_is_sent_again_as_reqwest_does() {
    for (refused, is_answered, sends) in [(1, true, 2), (2, true, 3), (3, false, 3)] {
        for with_ours in [false, true] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            tokio::spawn(refuse(listener, refused));
            let telemetry = TestTelemetry::new();
            let answer = if with_ours {
                let client = builder(&telemetry).configure(reqwest::ClientBuilder::http2_prior_knowledge);
                client.build().unwrap().post(url).body("body").send().await
            } else {
                let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
                client.post(url).body("body").send().await
            };
            assert_eq!(answer.is_ok(), is_answered, "{refused} {with_ours} {answer:?}");
            if with_ours {
                let spans = assert_sends(&telemetry, sends);
                assert!(spans[0].has("error.type", "connection_lost"), "{}", telemetry.tree());
            }
        }
    }
}

#[tokio::test]
async fn one_timeout_covers_the_whole_call() {
    let telemetry = TestTelemetry::new();
    let address = serve(app().route("/slow", any(std::future::pending::<()>))).await;
    let client = builder(&telemetry).timeout(Duration::from_secs(6)).build().unwrap();
    let error = client.get(format!("http://{address}/to/302//slow")).send().await.unwrap_err();
    assert!(error.is_timeout());
    let spans = assert_sends(&telemetry, 2);
    assert!(spans[1].has("error.type", "timeout"), "{}", telemetry.tree());

    // No time is left to wait for another try, so the last answer stands.
    let telemetry = TestTelemetry::new();
    let policy = on_503().delay(|_| Duration::from_secs(3_600));
    let client = builder(&telemetry).retry(policy).build().unwrap();
    let address = serve(flaky(9)).await;
    let request = client.get(format!("http://{address}/")).timeout(BOUND);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_sends(&telemetry, 1);
}

#[tokio::test]
async fn calls_at_the_same_time_do_not_mix() {
    let telemetry = TestTelemetry::new();
    let address = serve(app()).await;
    let client = builder(&telemetry).build().unwrap();
    let calls = (0..50).map(|number| {
        let call = client.get(format!("http://{address}/to/302//{number}")).send();
        tokio::spawn(async move { (number, call.await.unwrap().text().await.unwrap()) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (number, body) = call.await.unwrap();
        assert!(body.starts_with(&format!("GET /{number} ")), "{body}");
    }
    assert_eq!(telemetry.spans().len(), 100);
}

/// Nobody wants the body of a redirect, nor of an answer that is asked for again.
#[tokio::test]
async fn an_answer_that_the_client_itself_drops_has_not_ended_early() {
    let telemetry = TestTelemetry::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let app = Router::new()
        .route("/old", any(|| async { (StatusCode::FOUND, [(header::LOCATION, "/job")], "moved") }))
        .route(
            "/job",
            any(move || async move {
                let is_first = asked.fetch_add(1, Ordering::SeqCst) == 0;
                (if is_first { StatusCode::ACCEPTED } else { StatusCode::OK }, "body")
            }),
        );
    let address = serve(app).await;
    let until_done = retry::Policy::when(|attempt| attempt.status() == Some(StatusCode::ACCEPTED));
    let client = builder(&telemetry).with_end_at_body(true).with_active_requests(true).retry(until_done);
    let response = client.build().unwrap().get(format!("http://{address}/old")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "body");
    for span in assert_sends(&telemetry, 3) {
        assert_eq!(span.attribute("otel_http.ended_early"), None, "{}", telemetry.tree());
    }
}

/// A fragment is never sent, so a policy that looks for loops does not see it, and it makes no other URL.
#[tokio::test]
async fn a_fragment_makes_no_difference() {
    let telemetry = TestTelemetry::new();
    let is_first = Arc::new(AtomicUsize::new(0));
    let bounce = move || async move {
        match is_first.fetch_add(1, Ordering::SeqCst) {
            0 => (StatusCode::FOUND, [(header::LOCATION, "/users/42")]).into_response(),
            1 => (StatusCode::FOUND, [(header::LOCATION, "/end")]).into_response(),
            _ => StatusCode::OK.into_response(),
        }
    };
    let address = serve(Router::new().fallback(any(bounce))).await;
    let policy = redirect::Policy::custom(|attempt| {
        assert!(attempt.previous().iter().all(|url| url.fragment().is_none()), "{attempt:?}");
        attempt.follow()
    });
    let client = builder(&telemetry).redirect(policy).build().unwrap();
    let request = client.get(format!("http://{address}/users/42#top")).url_template("/users/{id}");
    request.send().await.unwrap();
    let names: Vec<_> = assert_sends(&telemetry, 3).iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["GET /users/{id}", "GET /users/{id}", "GET"]);
}
