//! OpenTelemetry in tests: what your code emits, in memory and per test, and a receiver that takes OTLP from any process.
//!
//! ```
//! use opentelemetry::metrics::MeterProvider;
//! use opentelemetry::trace::{SpanKind, Tracer, TracerProvider};
//! use opentelemetry::{KeyValue, trace::SpanBuilder};
//! use otel_testing::{SpanDataExt, TestTelemetry};
//!
//! let telemetry = TestTelemetry::new();
//!
//! // The code under test gets these providers, by whatever way it takes them.
//! let tracer = telemetry.tracer_provider().tracer("shop");
//! let orders = telemetry.meter_provider().meter("shop").u64_counter("shop.orders").build();
//! tracer.in_span("checkout", |_| {
//!     let charge = SpanBuilder::from_name("charge").with_kind(SpanKind::Client);
//!     tracer.build(charge.with_attributes([KeyValue::new("card.brand", "visa")]));
//!     orders.add(1, &[KeyValue::new("customer.tier", "gold")]);
//! });
//!
//! let charge = telemetry.span("charge");
//! assert!(charge.is_child_of(&telemetry.span("checkout")));
//! assert!(charge.has("card.brand", "visa"));
//! assert_eq!(telemetry.sum("shop.orders"), 1.0);
//! assert_eq!(
//!     telemetry.tree(),
//!     "trace 1\n  checkout internal\n    charge client {card.brand=\"visa\"}\n"
//! );
//! ```
//!
//! # What there is
//!
//! | item | for |
//! |---|---|
//! | [`TestTelemetry`] | unit tests: the providers of one test, and what was made with them, also after a shutdown |
//! | [`TestTelemetry::subscriber`] | code that uses `tracing`: a subscriber bound to those providers |
//! | [`AssertTelemetry`], [`span`](fn@span), [`log`](fn@log) | assertions that fail with what was there, what came closest, and the difference |
//! | [`assert_trace!`] | a whole trace as a tree |
//! | [`AssertTelemetry::assert_clean`] | nothing leaked, orphaned or in flight, no ids in attributes of metrics |
//! | [`Expectations`] | the same from a file, for the program `otel-receiver` |
//! | [`Conventions`] | whether everything follows the semantic conventions |
//! | [`AssertTelemetry::snapshot`] | text and JSON that are the same on every run |
//! | [`TestTelemetry::context`] | code that uses the global providers |
//! | [`TestTelemetry::route_tracing`] | code that uses `tracing` on several threads |
//! | [`SpanDataExt`] | questions to a finished span |
//! | [`OtlpReceiver`] | integration tests: OTLP over gRPC and HTTP on free ports, waiting with a bound |
//! | [`Captured::from_otlp_json`] | a file of OTLP/JSON, whoever wrote it: the same questions and assertions |
//! | [`eventually`], [`eventually_blocking`] | waiting for anything else, with a bound, instead of sleeping |
//! | [`shared_file!`], [`require_service`] | a file or a service that may not be there: skips in the open, or fails |
//!
//! Tests that use these run in parallel in one process: nothing is global, unless [`TestTelemetry::context`] is asked for,
//! which sets global providers that tell the tests apart. The environment is not read for anything but `REQUIRE_SHARED` and
//! `REQUIRE_SERVICES`.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `zstd` | the receiver takes zstd besides gzip; builds a C library |
//! | `tls` | `TestCertificates`, and a receiver over TLS and mutual TLS |
//! | `receiver` | the program `otel-receiver` |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assert;
mod attributes;
mod captured;
mod clock;
mod conventions;
mod deadline;
mod eventually;
mod globals;
mod lock;
mod log;
mod metric;
mod metric_from_sdk;
mod number;
mod receiver;
mod recorder;
mod require;
mod scope;
mod snapshot;
mod span;
mod span_fields;
mod subscriber;
mod test_telemetry;
mod tree;

pub use assert::{
    AssertTelemetry, Expectations, ExpectationsError, Expected, ExpectedLog, ExpectedSpan, ExpectedTrace,
    MetricAssertion, PointAssertion, any_value, containing, log, one_of, span, starting_with,
};
pub use attributes::{AttributeValue, Attributes};
pub use captured::Captured;
pub use conventions::{Conventions, Violation, ViolationKind};
pub use eventually::{Condition, eventually, eventually_blocking};
pub use log::Log;
pub use metric::{
    Exemplar, ExponentialHistogramPoint, HistogramPoint, Metric, MetricKind, Point, PointValue, SummaryPoint,
};
pub use number::Number;
#[cfg(feature = "tls")]
pub use receiver::{CertificateFiles, TestCertificates};
pub use receiver::{
    OtlpJsonError, OtlpReceiver, OtlpReceiverBuilder, Protocol, ReceivedEvent, ReceivedLink, ReceivedLog,
    ReceivedMetric, ReceivedRequest, ReceivedResource, ReceivedSpan, ReceivedTrace, Reply, Signal,
    WaitTimeout,
};
pub use require::{require_service, shared_file};
pub use scope::Scope;
pub use snapshot::Snapshot;
pub use span::SpanDataExt;
pub use test_telemetry::{ShowOnFailure, TestTelemetry, TestTelemetryBuilder};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
