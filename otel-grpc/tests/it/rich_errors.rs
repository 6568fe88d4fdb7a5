//! What a service says of its error beyond the code.

use opentelemetry::trace::SpanKind;
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use prost::Message;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};

use crate::echo::{EchoClient, Kind};
use crate::support::{client_layer, of_kind, server_layer, settled, well};

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

/// An encoded `google.rpc.Status` with a reason.
fn details_of(reason: &str) -> Vec<u8> {
    let info = Info { reason: reason.into(), domain: "shop.example".into() };
    let any =
        Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(), value: info.encode_to_vec() };
    RpcStatus { code: 8, message: "s3cr3t-message".into(), details: vec![any] }.encode_to_vec()
}

#[tokio::test]
async fn rich_errors_name_the_class_of_the_error() {
    let details = details_of("OUT_OF_COFFEE");
    for asked in [false, true] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_rich_errors(asked).build();
        let details = details.clone();
        let service = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
            let status = Status::with_details(Code::ResourceExhausted, "none left", details.clone().into());
            std::future::ready(Ok::<_, std::convert::Infallible>(status.into_http::<tonic::body::Body>()))
        });
        let client = client_layer(&telemetry).with_rich_errors(asked).with_target("http://x").build();
        let service = tower::ServiceBuilder::new().layer(client).layer(server).service(service);
        EchoClient::new(service).call(&well(Kind::Unary)).await.unwrap_err();
        settled(&telemetry).await;
        let (server, client) =
            (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
        let class = if asked { "OUT_OF_COFFEE" } else { "RESOURCE_EXHAUSTED" };
        assert!(client.has("error.type", class), "{}", telemetry.tree());
        assert!(server.attribute("error.type").is_none(), "no fault of the server");
        for span in [&server, &client] {
            assert!(span.has("rpc.status_code", "RESOURCE_EXHAUSTED"));
            assert_eq!(span.has("grpc.error.reason", "OUT_OF_COFFEE"), asked);
            assert_eq!(span.has("grpc.error.domain", "shop.example"), asked);
            assert_eq!(span.attribute("grpc.error.details").is_some(), asked);
        }
        telemetry.assert_no_secrets(["s3cr3t"]);
        telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
    }
}

#[tokio::test]
async fn reasons_of_what_is_no_error_take_no_room_from_those_that_are() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_rich_errors(true).build();
    let answer = |code: Code, reason: String| {
        let service = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
            let status = Status::with_details(code, "", details_of(&reason).into());
            std::future::ready(Ok::<_, std::convert::Infallible>(status.into_http::<tonic::body::Body>()))
        });
        let request = http::Request::post("/test.v1.Echo/Unary").header("content-type", "application/grpc");
        let request = request.body(tonic::body::Body::empty()).unwrap();
        layer.layer(service).oneshot(request)
    };
    for number in 0..300 {
        drop(answer(Code::NotFound, format!("NO_USER_{number}")).await);
    }
    drop(answer(Code::Internal, "DISK_FULL".into()).await);
    let failed = telemetry.spans().into_iter().find(|span| span.has("rpc.status_code", "INTERNAL")).unwrap();
    assert!(failed.has("error.type", "DISK_FULL"), "{failed:?}");
}
