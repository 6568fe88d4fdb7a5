//! An OTLP receiver on free local ports.

mod builder;
#[cfg(feature = "tls")]
mod certificates;
mod connection;
mod convert;
mod decompress;
mod export;
mod fault;
mod grpc;
mod http;
mod ids;
mod json;
mod log;
mod metric;
mod otlp_receiver;
mod request;
mod span;
mod store;
mod trace;
mod wait;

pub use builder::OtlpReceiverBuilder;
#[cfg(feature = "tls")]
pub use certificates::{CertificateFiles, TestCertificates};
pub(crate) use json::Documents;
pub use json::OtlpJsonError;
pub use log::ReceivedLog;
pub use metric::ReceivedMetric;
pub use otlp_receiver::OtlpReceiver;
pub use request::{Protocol, ReceivedRequest, Reply, Signal};
pub use span::{ReceivedEvent, ReceivedLink, ReceivedResource, ReceivedSpan};
pub use trace::ReceivedTrace;
pub(crate) use trace::{group, trace_of};
pub use wait::WaitTimeout;
