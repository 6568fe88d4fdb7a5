//! Four kinds of calls, seventeen codes, in trailers and instead of a response, over sockets, on both sides.

use opentelemetry::trace::SpanKind;
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use tonic::Code;

use crate::echo::{Asked, End, Kind};
use crate::support::{
    BOUND, CLIENT_DURATION, Outcome, SERVER_DURATION, assert_outcome, connected, of_kind, settled,
};

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// "UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS"
const SERVER_ERRORS: [usize; 6] = [2, 4, 12, 13, 14, 15];

async fn ends_as_told(kind: Kind, number: usize, end: End) {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    let code = Code::from_i32(i32::try_from(number).unwrap());
    let answer = client.call(&Asked::new(kind, code, end)).await;
    match (&answer, end, code) {
        // A stream may end well without a message; where one message is expected, tonic misses it.
        (Ok(_), _, Code::Ok) => {}
        (Err(status), End::TrailersOnly, Code::Ok) => assert_eq!(status.code(), Code::Internal),
        (Err(status), _, _) => assert_eq!(status.code(), code, "{kind:?} {end:?}"),
        (Ok(_), _, _) => panic!("{kind:?} {code:?} {end:?}: {answer:?}"),
    }
    settled(&telemetry).await;

    let name = CODES[number];
    // There is no list of methods: on the server, what is not implemented is no method.
    let served = if code == Code::Unimplemented { "_OTHER" } else { kind.method() };
    let error_on_server = SERVER_ERRORS.contains(&number).then_some(name);
    let on_server = Outcome::new(served, name, error_on_server);
    assert_outcome(&telemetry, &SpanKind::Server, on_server);
    assert_outcome(
        &telemetry,
        &SpanKind::Client,
        Outcome::new(kind.method(), name, (number != 0).then_some(name)),
    );

    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    assert!(server.is_child_of(&client), "{}", telemetry.tree());
    telemetry.assert_clean();
    telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
}

#[tokio::test]
async fn every_code_in_trailers() {
    for kind in Kind::ALL {
        for code in 0..CODES.len() {
            ends_as_told(kind, code, End::Trailers).await;
        }
    }
}

#[tokio::test]
async fn every_code_without_a_response() {
    for kind in Kind::ALL {
        for code in 0..CODES.len() {
            ends_as_told(kind, code, End::TrailersOnly).await;
        }
    }
}

#[tokio::test]
async fn the_codes_of_one_method_are_series_of_their_own() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    for number in 0..CODES.len() {
        let code = Code::from_i32(i32::try_from(number).unwrap());
        // What is not implemented is no method.
        if code != Code::Unimplemented {
            let _ = client.call(&Asked::new(Kind::Unary, code, End::Trailers)).await;
        }
    }
    otel_testing::eventually(BOUND, || telemetry.spans().len() == 32).await;
    for metric in [SERVER_DURATION, CLIENT_DURATION] {
        let points = telemetry.points(metric);
        assert_eq!(points.len(), 16, "{points:?}");
        assert!(points.iter().all(|point| point.count() == Some(1)), "{points:?}");
    }
}
