//! Every way out of a call that is no status: cancelled, out of time, broken, panicked. Four kinds of calls, both sides.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::SpanKind;
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, eventually};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tower::{ServiceBuilder, ServiceExt};

use crate::echo::{Asked, EchoClient, EchoServer, End, Kind, words};
use crate::support::{
    BOUND, NOBODY, Outcome, assert_outcome, breakable, client_layer, client_of, connected, endpoint, of_kind,
    serve, server_layer, settled,
};

/// Waits until the call is under way on both ends.
async fn under_way(telemetry: &TestTelemetry) {
    eventually(BOUND, || telemetry.open_spans().len() == 2).await;
}

fn hanging(kind: Kind, end: End) -> Asked {
    Asked::new(kind, Code::Ok, end)
}

#[tokio::test]
async fn a_call_that_its_client_drops_is_cancelled_on_both_ends() {
    for kind in Kind::ALL {
        for end in [End::Hang, End::HangInStream] {
            let telemetry = TestTelemetry::new();
            let mut client = connected(&telemetry).await;
            let call = tokio::spawn(async move { client.call(&hanging(kind, end)).await });
            under_way(&telemetry).await;
            call.abort();
            settled(&telemetry).await;
            let on_server = Outcome::new(kind.method(), "CANCELLED", None);
            assert_outcome(&telemetry, &SpanKind::Server, on_server);
            let on_client = Outcome::new(kind.method(), "CANCELLED", Some("CANCELLED"));
            assert_outcome(&telemetry, &SpanKind::Client, on_client);
            telemetry.assert_clean();
        }
    }
}

/// Long enough for a busy machine: what the client sends when its time is up must arrive about then.
const DEADLINE: Duration = Duration::from_secs(1);

/// What the server may hear later of the call than the client begins it, to see the same deadline.
const LATE: Duration = Duration::from_millis(100);

/// Both ends of a call whose time is up, on a machine that did not stand still while it was on its way to the server.
async fn out_of_time(kind: Kind, end: End) {
    for _ in 0..20 {
        let telemetry = TestTelemetry::new();
        until_its_time_is_up(&telemetry, kind, end).await;
        let ended = || telemetry.spans().len() == telemetry.started_spans();
        eventually(BOUND, ended).await;
        let started = |wanted| {
            telemetry.spans().iter().find(|span| span.span_kind == wanted).map(|span| span.start_time)
        };
        let (client, server) = (started(SpanKind::Client).unwrap(), started(SpanKind::Server));
        if server.is_none_or(|server| server.duration_since(client).unwrap_or_default() > LATE) {
            continue;
        }
        settled(&telemetry).await;
        let late = Outcome::new(kind.method(), "DEADLINE_EXCEEDED", Some("DEADLINE_EXCEEDED"));
        assert_outcome(&telemetry, &SpanKind::Client, late);
        return assert_outcome(&telemetry, &SpanKind::Server, late);
    }
    panic!("the server hears of no call within {LATE:?}");
}

/// The connection is there before the clock starts.
async fn until_its_time_is_up(telemetry: &TestTelemetry, kind: Kind, end: End) {
    let address = serve(server_layer(telemetry).build()).await;
    let channel = endpoint(address).connect().await.unwrap();
    let layer = client_layer(telemetry).with_target("http://127.0.0.1:1").build();
    let mut client = EchoClient::new(ServiceBuilder::new().layer(layer).service(channel));
    let mut asked = hanging(kind, end);
    asked.timeout = Some(DEADLINE);
    // tonic watches the deadline until the headers are there, the application for the rest.
    let late = tokio::time::timeout(DEADLINE, client.call(&asked)).await;
    assert!(late.map_or(true, |answer| answer.is_err()));
}

#[tokio::test]
async fn a_deadline_is_no_cancellation() {
    join_all(Kind::ALL.map(|kind| out_of_time(kind, End::Hang))).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_when_its_time_is_up() {
    join_all(Kind::ALL.map(|kind| out_of_time(kind, End::HangInStream))).await;
}

/// tonic drops the call and answers `CANCELLED`, whoever has set the time.
#[tokio::test]
async fn a_server_that_gives_up_by_itself_was_out_of_time() {
    let telemetry = TestTelemetry::new();
    let timeout = Duration::from_millis(10);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = server_layer(&telemetry).with_timeout(timeout).build();
    let server = tonic::transport::Server::builder().timeout(timeout).layer(layer).add_service(EchoServer);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let mut client = client_of(client_layer(&telemetry), address);
    let status = client.call(&hanging(Kind::Unary, End::Hang)).await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    settled(&telemetry).await;
    let late = Outcome::new(Kind::Unary.method(), "DEADLINE_EXCEEDED", Some("DEADLINE_EXCEEDED"));
    assert_outcome(&telemetry, &SpanKind::Server, late);
    let as_told = Outcome::new(Kind::Unary.method(), "CANCELLED", Some("CANCELLED"));
    assert_outcome(&telemetry, &SpanKind::Client, as_told);
}

/// The time of a server is for the head of its response, and a caller may go before it is up.
#[tokio::test]
async fn a_caller_that_goes_is_no_server_that_gives_up() {
    for (timeout, end) in [(Duration::ZERO, End::HangInStream), (Duration::from_secs(3600), End::Hang)] {
        let telemetry = TestTelemetry::new();
        let address = serve(server_layer(&telemetry).with_timeout(timeout).build()).await;
        let mut client = client_of(client_layer(&telemetry), address);
        let call = tokio::spawn(async move {
            let mut answers =
                client.server_stream(hanging(Kind::ServerStream, end).request(words("one"))).await?;
            answers.get_mut().message().await?;
            Ok::<_, tonic::Status>(())
        });
        match end {
            End::HangInStream => call.await.unwrap().unwrap(),
            _ => {
                under_way(&telemetry).await;
                call.abort();
            }
        }
        settled(&telemetry).await;
        let gone = Outcome::new(Kind::ServerStream.method(), "CANCELLED", None);
        assert_outcome(&telemetry, &SpanKind::Server, gone);
    }
}

#[tokio::test]
async fn a_cancellation_long_before_the_deadline_is_one() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    let mut asked = hanging(Kind::Unary, End::Hang);
    asked.timeout = Some(Duration::from_secs(3600));
    let call = tokio::spawn(async move { client.call(&asked).await });
    under_way(&telemetry).await;
    call.abort();
    settled(&telemetry).await;
    let method = Kind::Unary.method();
    assert_outcome(&telemetry, &SpanKind::Server, Outcome::new(method, "CANCELLED", None));
    assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(method, "CANCELLED", Some("CANCELLED")));
}

#[tokio::test]
async fn a_connection_that_breaks_midway() {
    for kind in Kind::ALL {
        for end in [End::Hang, End::HangInStream] {
            let telemetry = TestTelemetry::new();
            let address = serve(server_layer(&telemetry).build()).await;
            let (address, connection) = breakable(address).await;
            let mut client = client_of(client_layer(&telemetry), address);
            let call = tokio::spawn(async move { client.call(&hanging(kind, end)).await });
            under_way(&telemetry).await;
            connection.abort();
            let status = call.await.unwrap().unwrap_err();
            settled(&telemetry).await;
            let code = code_name(status.code());
            assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(kind.method(), code, Some(code)));
            assert_outcome(&telemetry, &SpanKind::Server, Outcome::new(kind.method(), "CANCELLED", None));
        }
    }
}

/// The names that a broken connection may have in tonic.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Unknown => "UNKNOWN",
        Code::Unavailable => "UNAVAILABLE",
        Code::Internal => "INTERNAL",
        Code::Cancelled => "CANCELLED",
        other => panic!("{other:?} is no name of a broken connection"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    for kind in Kind::ALL {
        let telemetry = TestTelemetry::new();
        let mut client = client_of(client_layer(&telemetry), NOBODY.parse().unwrap());
        let status = client.call(&hanging(kind, End::Trailers)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(telemetry.open_spans().is_empty());
        let outcome = Outcome::new(kind.method(), "UNAVAILABLE", Some("UNAVAILABLE"));
        assert_outcome(&telemetry, &SpanKind::Client, outcome);
    }
}

#[tokio::test]
async fn a_panic_in_the_handler_and_in_its_stream() {
    for kind in Kind::ALL {
        for end in [End::Panic, End::PanicInStream] {
            let telemetry = TestTelemetry::new();
            let mut client = connected(&telemetry).await;
            let status = client.call(&hanging(kind, end)).await.unwrap_err();
            settled(&telemetry).await;
            assert_outcome(
                &telemetry,
                &SpanKind::Server,
                Outcome::new(kind.method(), "UNKNOWN", Some("panic")),
            );
            let code = code_name(status.code());
            assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(kind.method(), code, Some(code)));
        }
    }
}

#[tokio::test]
async fn a_stream_without_a_status_is_unknown() {
    for kind in Kind::ALL {
        let telemetry = TestTelemetry::new();
        let mut client = connected(&telemetry).await;
        let status = client.call(&hanging(kind, End::Truncate)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown);
        settled(&telemetry).await;
        let outcome = Outcome::new(kind.method(), "UNKNOWN", Some("UNKNOWN"));
        assert_outcome(&telemetry, &SpanKind::Server, outcome);
        assert_outcome(&telemetry, &SpanKind::Client, outcome);
    }
}

#[tokio::test]
async fn a_stream_s_span_lasts_as_long_as_the_stream() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    let asked = hanging(Kind::ServerStream, End::HangInStream);
    let answer = client.server_stream(asked.request(words("one"))).await.unwrap();
    let mut answers = answer.into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().text, "one");
    assert_eq!((telemetry.spans().len(), telemetry.open_spans().len()), (0, 2), "the stream goes on");
    drop(answers);
    settled(&telemetry).await;
    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    assert!(server.is_child_of(&client));
    assert!(client.has("rpc.status_code", "CANCELLED") && server.has("rpc.status_code", "CANCELLED"));
}

/// What a service answers, through both layers and no socket.
async fn answered_with<B>(
    telemetry: &TestTelemetry,
    response: http::Response<B>,
) -> http::Response<impl http_body::Body<Data = Bytes, Error = Infallible>>
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let response = std::sync::Mutex::new(Some(response));
    let service = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(response.lock().unwrap().take().unwrap()))
    });
    let client = client_layer(telemetry).with_target("http://x").with_message_counts(true).build();
    let service = ServiceBuilder::new().layer(client).layer(server_layer(telemetry).build()).service(service);
    let request =
        http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", "application/grpc");
    service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap()
}

fn status_ok() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))])
}

/// A body that says how long it is has not ended with its last byte: the status is still to come.
#[tokio::test]
async fn a_stream_that_is_dropped_before_its_trailers_is_cancelled_whatever_it_says_of_its_length() {
    for message in [&b"\0\0\0\0\0"[..], &b""[..]] {
        let telemetry = TestTelemetry::new();
        let body =
            Full::new(Bytes::from_static(message))
                .with_trailers(std::future::ready(Some(Ok::<_, Infallible>(status_ok()))));
        let mut response = answered_with(&telemetry, http::Response::new(Box::pin(body))).await;
        if !message.is_empty() {
            assert!(response.body_mut().frame().await.unwrap().unwrap().is_data());
        }
        drop(response);
        settled(&telemetry).await;
        let method = Kind::Unary.method();
        assert_outcome(&telemetry, &SpanKind::Server, Outcome::new(method, "CANCELLED", None));
        assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(method, "CANCELLED", Some("CANCELLED")));
    }
}

/// A page of HTML is no message, so tonic drops it before its end.
#[tokio::test]
async fn a_proxy_s_page_is_what_its_http_status_stands_for() {
    for (status, code) in [
        (503, "UNAVAILABLE"),
        (504, "UNAVAILABLE"),
        (429, "UNAVAILABLE"),
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (500, "UNKNOWN"),
        (302, "UNKNOWN"),
    ] {
        let telemetry = TestTelemetry::new();
        let proxy = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
            let page = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"<html>no healthy upstream")));
            let unfinished = stream::iter([page]).chain(stream::pending());
            let response = http::Response::builder().status(status).header("content-type", "text/html");
            std::future::ready(Ok::<_, Infallible>(response.body(StreamBody::new(unfinished)).unwrap()))
        });
        let layer = client_layer(&telemetry).with_target("http://x").build();
        let service = ServiceBuilder::new().layer(layer).service(proxy);
        EchoClient::new(service).call(&hanging(Kind::Unary, End::Trailers)).await.unwrap_err();
        let outcome = Outcome::new(Kind::Unary.method(), code, Some(code));
        assert_outcome(&telemetry, &SpanKind::Client, outcome);
    }
}

#[tokio::test]
async fn for_its_server_a_page_that_is_dropped_is_cancelled() {
    let telemetry = TestTelemetry::new();
    let page = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let response = http::Response::builder().status(502).body(page).unwrap();
    drop(answered_with(&telemetry, response).await);
    settled(&telemetry).await;
    let method = Kind::Unary.method();
    assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(method, "UNAVAILABLE", Some("UNAVAILABLE")));
    assert_outcome(&telemetry, &SpanKind::Server, Outcome::new(method, "CANCELLED", None));
}

/// Some servers say `grpc-status: 0` before they begin. tonic reads the messages all the same.
#[tokio::test]
async fn a_stream_whose_status_is_in_its_head_lasts_until_its_end() {
    let message = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\x05\n\x03one")));
    let failed =
        HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("15"))]);
    for (last, code) in [(None, "OK"), (Some(status_ok()), "OK"), (Some(failed), "DATA_LOSS")] {
        let telemetry = TestTelemetry::new();
        let frames = [message(), message()].into_iter().chain(last.map(|last| Ok(Frame::trailers(last))));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let response = http::Response::builder().header("grpc-status", "0").body(body).unwrap();
        let mut response = answered_with(&telemetry, response).await;
        assert!(response.body_mut().frame().await.unwrap().unwrap().is_data());
        assert_eq!((telemetry.spans().len(), telemetry.open_spans().len()), (0, 2), "the stream goes on");
        while response.body_mut().frame().await.is_some() {}
        settled(&telemetry).await;
        let method = Kind::Unary.method();
        let error = (code != "OK").then_some(code);
        assert_outcome(&telemetry, &SpanKind::Server, Outcome::new(method, code, error));
        assert_outcome(&telemetry, &SpanKind::Client, Outcome::new(method, code, error));
        let client = of_kind(&telemetry, &SpanKind::Client);
        assert!(client.has("grpc.rcvd_messages", 2), "{}", telemetry.tree());
    }
}

/// A server that resets every stream, before its head or after.
async fn resetting(reason: h2::Reason, after_head: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if after_head {
                let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                body.send_reset(reason);
            } else {
                respond.send_reset(reason);
            }
        }
    });
    address
}

#[tokio::test]
async fn a_reset_is_the_status_that_the_application_sees_whichever_client_it_has() {
    for (reason, code) in [
        (h2::Reason::ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"),
        (h2::Reason::INADEQUATE_SECURITY, "PERMISSION_DENIED"),
        (h2::Reason::PROTOCOL_ERROR, "INTERNAL"),
        (h2::Reason::REFUSED_STREAM, "UNAVAILABLE"),
    ] {
        for after_head in [false, true] {
            let asked = hanging(Kind::Unary, End::Trailers);
            let outcome = Outcome::new(Kind::Unary.method(), code, Some(code));

            let telemetry = TestTelemetry::new();
            let mut client = client_of(client_layer(&telemetry), resetting(reason, after_head).await);
            let status = client.call(&asked).await.unwrap_err();
            assert_eq!(code_name_of(status.code()), code, "{reason:?} {after_head}");
            assert_outcome(&telemetry, &SpanKind::Client, outcome);

            let telemetry = TestTelemetry::new();
            let address = resetting(reason, after_head).await;
            let origin: http::Uri = format!("http://{address}").parse().unwrap();
            let mut hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
            let hyper = hyper.http2_only(true).build_http();
            let layer = client_layer(&telemetry).with_target(&origin).build();
            let service = ServiceBuilder::new().layer(layer).service(hyper);
            let status = EchoClient::with_origin(service, origin).call(&asked).await.unwrap_err();
            assert_eq!(code_name_of(status.code()), code, "{reason:?} {after_head}");
            assert_outcome(&telemetry, &SpanKind::Client, outcome);
        }
    }
}

fn code_name_of(code: Code) -> String {
    // `ResourceExhausted` is `RESOURCE_EXHAUSTED`.
    let words = format!("{code:?}");
    let upper = words.chars().enumerate().flat_map(|(place, letter)| {
        let gap = (place > 0 && letter.is_ascii_uppercase()).then_some('_');
        gap.into_iter().chain([letter.to_ascii_uppercase()])
    });
    upper.collect()
}
