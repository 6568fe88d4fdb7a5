//! Which names of methods come into telemetry, and how many.

use std::convert::Infallible;

use opentelemetry::trace::SpanKind;
use otel_testing::{AssertTelemetry, Conventions, Point, SpanDataExt, TestTelemetry, eventually};
use prost::Message;
use tonic::{Code, GrpcMethod};

use crate::echo::{Asked, EchoClient, End, Kind, words};
use crate::support::{
    BOUND, CLIENT_DURATION, SERVER_DURATION, channel, client_layer, client_of, of_kind, serve, server_layer,
    settled,
};

/// A call that ends, whatever it says.
async fn call_missing(telemetry: &TestTelemetry, layer: otel_grpc::GrpcServerLayer, path: &str) {
    let address = serve(layer).await;
    let mut client = EchoClient::new(channel(address));
    let status = client.missing(path).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
}

#[tokio::test]
async fn with_a_list_what_is_not_in_it_is_other_from_the_start() {
    let telemetry = TestTelemetry::new();
    let layer =
        server_layer(&telemetry).with_known_methods(["test.v1.Echo/Unary", "/test.v1.Echo/Bidi"]).build();
    call_missing(&telemetry, layer, "/test.v1.Echo/Missing").await;
    let span = telemetry.span("grpc");
    assert!(span.has("rpc.method", "_OTHER") && span.has("rpc.method_original", "test.v1.Echo/Missing"));
    let point = &telemetry.points(SERVER_DURATION)[0];
    assert!(point.has("rpc.method", "_OTHER") && point.attribute("rpc.method_original").is_none());
    telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
}

#[tokio::test]
async fn a_listed_method_that_is_not_implemented_keeps_its_name() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_known_methods(["test.v1.Echo/Unary"]).build();
    let mut client = client_of(client_layer(&telemetry), serve(layer).await);
    client.call(&Asked::new(Kind::Unary, Code::Unimplemented, End::TrailersOnly)).await.unwrap_err();
    settled(&telemetry).await;
    let span = of_kind(&telemetry, &SpanKind::Server);
    assert_eq!(span.name, "test.v1.Echo/Unary");
    assert!(span.has("error.type", "UNIMPLEMENTED") && span.attribute("rpc.method_original").is_none());
    assert!(telemetry.points(SERVER_DURATION)[0].has("rpc.method", "test.v1.Echo/Unary"));
}

/// `google.protobuf.FileDescriptorSet`, as far as it matters here.
mod descriptor {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Set {
        #[prost(message, repeated, tag = "1")]
        pub(super) file: Vec<File>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct File {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) package: String,
        #[prost(message, repeated, tag = "6")]
        pub(super) service: Vec<Service>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Service {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(message, repeated, tag = "2")]
        pub(super) method: Vec<Method>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Method {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) input_type: String,
    }
}

#[tokio::test]
async fn a_descriptor_set_is_a_list() {
    let method = |name: &str| descriptor::Method { name: name.into(), input_type: ".test.v1.Words".into() };
    let service =
        descriptor::Service { name: "Echo".into(), method: vec![method("Unary"), method("Missing")] };
    let file =
        descriptor::File { name: "echo.proto".into(), package: "test.v1".into(), service: vec![service] };
    let set = descriptor::Set { file: vec![file] }.encode_to_vec();
    for (path, name) in [("/test.v1.Echo/Missing", "test.v1.Echo/Missing"), ("/test.v1.Echo/Other", "grpc")] {
        let telemetry = TestTelemetry::new();
        call_missing(&telemetry, server_layer(&telemetry).with_descriptor_set(&set).build(), path).await;
        assert_eq!(of_kind(&telemetry, &SpanKind::Server).name, name);
    }
}

#[tokio::test]
async fn strangers_make_no_series_without_a_list_either() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).with_grpc_metrics(true).build()).await;
    let mut client = EchoClient::new(channel(address));
    for number in 0..200 {
        client.missing(&format!("/made.up.Service{number}/Method{number}")).await.unwrap_err();
    }
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 200).await;
    telemetry.assert_metric(SERVER_DURATION).has_series(1);
    for name in ["grpc.server.call.started", "grpc.server.call.duration", "grpc.server.active_requests"] {
        telemetry.assert_metric(name).has_at_most_series(1);
    }
    assert_eq!(telemetry.spans_named("grpc").len(), 200, "no name is made up");
    telemetry.assert_no_ids_in_metrics();
}

/// A stream may last as long as the process, so a method is known once a call of it is answered.
#[tokio::test]
async fn of_a_method_whose_calls_never_end_those_in_flight_have_its_name() {
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::{Empty, StreamBody};
    use tower::{Layer, ServiceExt};

    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).build();
    let watch = || {
        let endless = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
            let body = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
            std::future::ready(Ok::<_, Infallible>(http::Response::new(body)))
        });
        let request =
            http::Request::post("/test.v1.Endless/Watch").header("content-type", "application/grpc");
        layer.layer(endless).oneshot(request.body(Empty::new()).unwrap())
    };
    let in_flight = |method: &str| {
        let points = telemetry.points("grpc.server.active_requests");
        points.iter().find(|point| point.has("rpc.method", method)).map_or(0.0, Point::total)
    };
    let first = watch().await.unwrap();
    let others = [watch().await.unwrap(), watch().await.unwrap()];
    assert_eq!((in_flight("_OTHER"), in_flight("test.v1.Endless/Watch")), (1.0, 2.0));
    drop((first, others));
    assert_eq!((in_flight("_OTHER"), in_flight("test.v1.Endless/Watch")), (0.0, 0.0));
    telemetry.assert_metric(SERVER_DURATION).has_series(1);
}

/// "The fully-qualified logical name of the method": the way to a server that is behind others is no part of it.
#[tokio::test]
async fn the_prefix_of_a_client_s_origin_is_no_part_of_the_method() {
    use tower::ServiceBuilder;

    for is_listed in [false, true] {
        let telemetry = TestTelemetry::new();
        let mut layer = client_layer(&telemetry);
        if is_listed {
            layer = layer.with_known_methods([Kind::Unary.method()]);
        }
        let ingress = tower::service_fn(|request: http::Request<tonic::body::Body>| {
            assert_eq!(request.uri().path(), "/api/test.v1.Echo/Unary");
            let answer = tonic::Status::not_found("").into_http::<tonic::body::Body>();
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let channel = ServiceBuilder::new().layer(layer.build()).service(ingress);
        let mut client = EchoClient::with_origin(channel, "http://shop.example/api".parse().unwrap());
        client.unary(tonic::Request::new(words("one"))).await.unwrap_err();
        let span = telemetry.span(Kind::Unary.method());
        assert!(span.has("rpc.method", Kind::Unary.method()), "{}", telemetry.tree());
        assert!(span.attribute("rpc.method_original").is_none(), "{}", telemetry.tree());
        assert!(telemetry.points(CLIENT_DURATION)[0].has("rpc.method", Kind::Unary.method()));
    }
}

/// A gateway may use one constant for all that passes.
#[tokio::test]
async fn a_constant_that_does_not_name_the_path_says_nothing_of_it() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let mut client = client_of(client_layer(&telemetry), address);
    for number in 0..20 {
        let mut request = tonic::Request::new(words("hello"));
        request.extensions_mut().insert(GrpcMethod::new("test.v1.Gateway", "Any"));
        client.request(request, &format!("/made.up.Gateway{number}/Method")).await.unwrap_err();
    }
    telemetry.assert_metric(CLIENT_DURATION).has_series(1);
    assert!(telemetry.points(CLIENT_DURATION)[0].has("rpc.method", "_OTHER"));
}

#[tokio::test]
async fn a_hook_that_names_no_span_leaves_the_convention_s_name() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_span_name(|_| None).build();
    call_missing(&telemetry, layer, "/made.up.Service/Method").await;
    assert_eq!(of_kind(&telemetry, &SpanKind::Server).name, "grpc");
}

#[tokio::test]
async fn paths_that_name_no_method() {
    use http_body_util::{BodyExt, Empty};
    use tower::{Layer, ServiceExt};

    let serve = |layer: &otel_grpc::GrpcServerLayer| {
        layer.layer(tower::service_fn(|_: http::Request<Empty<bytes::Bytes>>| {
            let response = http::Response::builder().header("grpc-status", "12");
            let response = response.body(Empty::<bytes::Bytes>::new()).unwrap();
            std::future::ready(Ok::<_, Infallible>(response))
        }))
    };
    for path in ["*", "/", "//", "/Service", "/Service/", "//Method", "http://a.example"] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).build();
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let response = serve(&layer).oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
        let span = telemetry.span("grpc");
        assert!(span.has("rpc.method", "_OTHER"), "{path}: {}", telemetry.tree());
        assert!(span.attribute("rpc.method_original").is_some(), "{path}: {}", telemetry.tree());
    }
}
