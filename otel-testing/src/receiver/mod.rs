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
mod json;
mod json_lines;
mod json_mapping;
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
pub use log::ReceivedLog;
pub use metric::ReceivedMetric;
pub use otlp_receiver::OtlpReceiver;
pub use request::{Protocol, ReceivedRequest, Reply, Signal};
pub use span::{ReceivedEvent, ReceivedLink, ReceivedResource, ReceivedSpan};
pub use trace::ReceivedTrace;
pub use wait::WaitTimeout;
