use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use otel_testing::{OtlpReceiver, Protocol};
use prost::Message;
use reqwest::blocking::Client;
use tonic::codec::CompressionEncoding;

use crate::faults::request;

fn post(receiver: &OtlpReceiver, body: Vec<u8>) -> u16 {
    let url = format!("{}/v1/traces", receiver.http_endpoint());
    let request = Client::new().post(url).header("content-type", "application/x-protobuf");
    request.header("content-encoding", "zstd").body(body).send().unwrap().status().as_u16()
}

#[test]
fn zstd_over_http() {
    let receiver = OtlpReceiver::start().unwrap();
    assert_eq!(post(&receiver, zstd::encode_all(request().encode_to_vec().as_slice(), 0).unwrap()), 200);
    assert_eq!(receiver.spans()[0].name, "checkout");
    assert_eq!(post(&receiver, b"garbage".to_vec()), 400);
    // 65 MiB of zeros, in a few kilobytes.
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 65 << 20), 0).unwrap();
    assert_eq!(post(&receiver, bomb), 413);
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn zstd_over_grpc() {
    let receiver = OtlpReceiver::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = TraceServiceClient::connect(receiver.grpc_endpoint()).await.unwrap();
        client.send_compressed(CompressionEncoding::Zstd).export(request()).await.unwrap();
    });
    assert_eq!(receiver.spans()[0].name, "checkout");
    let requests = receiver.requests();
    assert_eq!((requests[0].protocol, requests[0].header("grpc-encoding")), (Protocol::Grpc, Some("zstd")));
}
