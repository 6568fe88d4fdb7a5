//! A test for each protocol of OTLP.

use otel_testing::OtlpReceiver;

use crate::child;

const PROTOCOLS: [&str; 3] = ["http/protobuf", "http/json", "grpc"];

/// Runs `action` once in a process of its own for each protocol.
pub(crate) fn for_each_protocol(test: &str, action: impl Fn(&'static str)) {
    const PROTOCOL: &str = "TEST_PROTOCOL";
    if child::is_child() {
        let chosen = std::env::var(PROTOCOL).unwrap();
        return action(PROTOCOLS.into_iter().find(|protocol| *protocol == chosen).unwrap());
    }
    // Most of them wait, so they do at the same time.
    std::thread::scope(|scope| {
        for protocol in PROTOCOLS {
            scope.spawn(move || child::run(test, &[(PROTOCOL, protocol), ("RUST_LOG", "error")]));
        }
    });
}

pub(crate) fn endpoint(receiver: &OtlpReceiver, protocol: &str) -> String {
    if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() }
}
