//! OpenTelemetry in tests.

mod attributes;
mod eventually;
mod lock;
mod log;
mod metric;
mod metric_from_sdk;
mod receiver;
mod recorder;
mod require;
mod scope;
mod span;
mod test_telemetry;
mod tree;

pub use attributes::{AttributeValue, Attributes};
pub use eventually::{Condition, eventually, eventually_blocking};
pub use log::Log;
pub use metric::{
    ExponentialHistogramPoint, HistogramPoint, Metric, MetricKind, Number, Point, PointValue, SummaryPoint,
};
pub use receiver::{
    OtlpReceiver, OtlpReceiverBuilder, Protocol, ReceivedEvent, ReceivedLink, ReceivedLog, ReceivedMetric,
    ReceivedRequest, ReceivedResource, ReceivedSpan, ReceivedTrace, Reply, Signal, WaitTimeout,
};
pub use require::{require_service, shared_file};
pub use scope::Scope;
pub use span::SpanDataExt;
pub use test_telemetry::{TestTelemetry, TestTelemetryBuilder};
