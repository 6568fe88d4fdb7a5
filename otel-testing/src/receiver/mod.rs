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
mod json_lines;
mod json_path;
mod json_reader;
mod json_reading;
mod json_writing;
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
pub(crate) use json_reader::Documents;
pub use json_reader::OtlpJsonError;
pub use log::ReceivedLog;
pub use metric::ReceivedMetric;
pub use otlp_receiver::OtlpReceiver;
pub use request::{Protocol, ReceivedRequest, Reply, Signal};
pub use span::{ReceivedEvent, ReceivedLink, ReceivedResource, ReceivedSpan};
pub use trace::ReceivedTrace;
pub(crate) use trace::{group, trace_of};
pub use wait::WaitTimeout;
