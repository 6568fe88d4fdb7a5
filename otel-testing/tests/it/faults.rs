//! Every scripted answer, over HTTP and over gRPC.

use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otel_testing::{OtlpReceiver, Reply};
use prost::Message;
use reqwest::blocking::{Client, Response};
use tonic::{Code, Status};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn request() -> ExportTraceServiceRequest {
    let span =
        Span { name: "checkout".to_owned(), trace_id: vec![1; 16], span_id: vec![1; 8], ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

/// On a connection of its own.
fn post(receiver: &OtlpReceiver) -> reqwest::Result<Response> {
    post_to(&receiver.http_endpoint())
}

fn post_to(endpoint: &str) -> reqwest::Result<Response> {
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let url = format!("{endpoint}/v1/traces");
    client.post(url).header("content-type", "application/x-protobuf").body(request().encode_to_vec()).send()
}

fn export(receiver: &OtlpReceiver) -> Result<(), Status> {
    export_to(receiver.grpc_endpoint())
}

fn export_to(endpoint: String) -> Result<(), Status> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = TraceServiceClient::connect(endpoint)
            .await
            .map_err(|error| Status::unavailable(format!("{error:?}")))?;
        let mut request = tonic::Request::new(request());
        request.set_timeout(PATIENCE);
        client.export(request).await.map(|_| ())
    })
}

fn receiver(replies: impl IntoIterator<Item = Reply>) -> OtlpReceiver {
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_in_turn(replies);
    receiver
}

#[test]
fn a_script_is_played_once_and_then_the_lasting_answer_holds() {
    let receiver = receiver([Reply::Unavailable, Reply::InvalidArgument]);
    let statuses: Vec<u16> = (0..4).map(|_| post(&receiver).unwrap().status().as_u16()).collect();
    assert_eq!(statuses, [503, 400, 200, 200]);
    assert_eq!(receiver.spans().len(), 2);
    let accepted: Vec<bool> = receiver.requests().iter().map(|request| request.accepted).collect();
    assert_eq!(accepted, [false, false, true, true]);
}

#[test]
fn retry_after_over_http() {
    let receiver = receiver([
        Reply::Throttle(Duration::from_millis(1500)),
        Reply::UnavailableFor(SECOND * 7),
        Reply::Unavailable,
    ]);
    for (status, after) in [(429, Some("2")), (503, Some("7")), (503, None)] {
        let response = post(&receiver).unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), after);
    }
    assert!(receiver.spans().is_empty());
}

#[test]
fn retry_info_over_grpc() {
    let receiver = receiver([
        Reply::Throttle(Duration::from_millis(1500)),
        Reply::UnavailableFor(SECOND * 7),
        Reply::Unavailable,
        Reply::InvalidArgument,
        Reply::Garbage,
    ]);
    let answers: Vec<Status> = (0..5).map(|_| export(&receiver).unwrap_err()).collect();
    let codes: Vec<Code> = answers.iter().map(Status::code).collect();
    let expected = [
        Code::ResourceExhausted,
        Code::Unavailable,
        Code::Unavailable,
        Code::InvalidArgument,
        Code::DataLoss,
    ];
    assert_eq!(codes, expected);
    // Duration { seconds: 1, nanos: 500000000 } and Duration { seconds: 7 }, as Protobuf writes them.
    let holds =
        |status: &Status, bytes: &[u8]| status.details().windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(&answers[0], b"type.googleapis.com/google.rpc.RetryInfo"));
    assert!(holds(&answers[0], &[0x08, 0x01, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]));
    assert!(holds(&answers[1], &[0x0a, 0x02, 0x08, 0x07]));
    assert!(answers[2].details().is_empty());
    assert!(export(&receiver).is_ok());
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn a_slow_answer_comes_after_its_time() {
    let pause = Duration::from_millis(60);
    let receiver = receiver([Reply::Slow(pause), Reply::Slow(pause)]);
    let start = Instant::now();
    assert_eq!(post(&receiver).unwrap().status(), 200);
    assert!(start.elapsed() >= pause);
    let start = Instant::now();
    assert!(export(&receiver).is_ok());
    assert!(start.elapsed() >= pause);
    assert_eq!(receiver.spans().len(), 2);
}

#[test]
fn a_hanging_receiver_answers_never_and_others_meanwhile() {
    let receiver = receiver([Reply::Hang, Reply::Hang]);
    let (http, grpc) = (receiver.http_endpoint(), receiver.grpc_endpoint());
    let over_http = thread::spawn(move || post_to(&http).unwrap_err());
    let over_grpc = thread::spawn(move || export_to(grpc).unwrap_err());
    receiver.wait_for_blocking(PATIENCE, |receiver| receiver.request_count() == 2).unwrap();
    assert_eq!(post(&receiver).unwrap().status(), 200);
    assert_eq!(receiver.spans().len(), 1);
    assert!(!over_http.is_finished() && !over_grpc.is_finished());
    // The end of the receiver is that of the connections.
    drop(receiver);
    assert!(!over_http.join().unwrap().is_timeout());
    over_grpc.join().unwrap();
}

#[test]
fn a_cut_is_an_answer_that_never_came() {
    let receiver = receiver([Reply::Cut, Reply::Cut]);
    let error = post(&receiver).unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "{error:?}");
    assert!(export(&receiver).is_err());
    assert_eq!(receiver.request_count(), 2);
    assert!(receiver.spans().is_empty());
    assert_eq!(post(&receiver).unwrap().status(), 200);
}

#[test]
fn a_refused_connection_brings_no_request() {
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Refuse);
    let error = post(&receiver).unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");
    assert!(export(&receiver).is_err());
    assert_eq!(receiver.request_count(), 0);
    receiver.respond_with(Reply::Accept);
    assert_eq!(post(&receiver).unwrap().status(), 200);
    assert!(export(&receiver).is_ok());
}

#[test]
fn garbage_is_no_answer_of_otlp() {
    let receiver = receiver([Reply::Garbage]);
    let response = post(&receiver).unwrap();
    assert_eq!(response.status(), 200);
    let body = response.bytes().unwrap();
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    assert!(ExportTraceServiceResponse::decode(body).is_err());
    assert!(receiver.spans().is_empty());
}

#[test]
fn what_was_taken_is_answered_although_the_receiver_stops() {
    for _ in 0..20 {
        let receiver = receiver([]);
        let (http, grpc) = (receiver.http_endpoint(), receiver.grpc_endpoint());
        let over_http = thread::spawn(move || post_to(&http).map(|answer| answer.status()));
        let over_grpc = thread::spawn(move || export_to(grpc));
        receiver.wait_for_blocking(PATIENCE, |receiver| receiver.request_count() == 2).unwrap();
        drop(receiver);
        assert_eq!(over_http.join().unwrap().unwrap(), 200);
        over_grpc.join().unwrap().unwrap();
    }
}
