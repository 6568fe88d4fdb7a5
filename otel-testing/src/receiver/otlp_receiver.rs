//! The receiver, and what it is asked.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::builder::Endpoint;
use super::store::Store;
use super::{
    OtlpReceiverBuilder, ReceivedLog, ReceivedMetric, ReceivedRequest, ReceivedSpan, ReceivedTrace, Reply,
    json, trace,
};

/// A receiver of OTLP over gRPC and HTTP (protobuf and JSON, plain or gzip) on free local ports, which keeps everything in
/// memory. It runs on a thread of its own, so that it can be started from any code, and makes no telemetry itself. It
/// stops when it is dropped.
///
/// ```
/// use std::time::Duration;
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use opentelemetry_otlp::{SpanExporter, WithExportConfig};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let receiver = otel_testing::OtlpReceiver::start().unwrap();
///
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
/// # let _entered = runtime.enter();
/// let exporter = SpanExporter::builder().with_tonic().with_endpoint(receiver.grpc_endpoint()).build().unwrap();
/// let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
/// provider.tracer("checkout").in_span("charge", |_| ());
/// provider.force_flush().unwrap();
///
/// receiver.wait_for_blocking(Duration::from_secs(5), |receiver| receiver.spans().len() == 1).unwrap();
/// assert_eq!(receiver.spans()[0].name, "charge");
/// ```
pub struct OtlpReceiver {
    pub(super) store: Arc<Store>,
    pub(super) grpc: Endpoint,
    pub(super) http: Endpoint,
    pub(super) runtime: Handle,
    pub(super) stop: Option<oneshot::Sender<()>>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl OtlpReceiver {
    /// Starts one that keeps 200 000 items: see [`OtlpReceiverBuilder::with_max_items`].
    ///
    /// # Errors
    ///
    /// When no local port or no thread is to be had.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// With other bounds, addresses, or TLS.
    pub fn builder() -> OtlpReceiverBuilder {
        OtlpReceiverBuilder::new()
    }

    /// Endpoint for OTLP over gRPC, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn grpc_endpoint(&self) -> String {
        self.grpc.to_string()
    }

    /// Base endpoint for OTLP over HTTP, such as `http://127.0.0.1:40124`; `/v1/traces`, `/v1/metrics` and `/v1/logs` are
    /// below it. `OTEL_EXPORTER_OTLP_ENDPOINT` takes it as it is; an exporter built in code wants the full path.
    #[must_use]
    pub fn http_endpoint(&self) -> String {
        self.http.to_string()
    }

    /// All spans, in the order in which they arrived.
    #[must_use]
    pub fn spans(&self) -> Vec<Arc<ReceivedSpan>> {
        self.store.kept().spans.clone()
    }

    /// All log records, in the order in which they arrived.
    #[must_use]
    pub fn logs(&self) -> Vec<Arc<ReceivedLog>> {
        self.store.kept().logs.clone()
    }

    /// All metrics as they were sent: one entry per metric and export, in the order in which they arrived.
    #[must_use]
    pub fn metrics(&self) -> Vec<Arc<ReceivedMetric>> {
        self.store.kept().metrics.clone()
    }

    /// Spans and logs by trace, in the order in which the first span of each trace arrived.
    #[must_use]
    pub fn traces(&self) -> Vec<ReceivedTrace> {
        trace::group(&self.spans(), &self.logs())
    }

    /// The trace of this id (lower-case hex), if any of its spans has arrived.
    #[must_use]
    pub fn trace(&self, trace_id: &str) -> Option<ReceivedTrace> {
        trace::trace_of(&self.spans(), &self.logs(), trace_id)
    }

    /// The first 10 000 requests that came in, without their bodies, the refused ones too.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.store.kept().requests.clone()
    }

    /// How many well-formed requests came in.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.store.kept().request_count
    }

    /// How many spans, log records and data points were dropped because the receiver was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.store.kept().dropped
    }

    /// What came in and is no OTLP: requests over HTTP, such as `POST /: OTLP over HTTP goes to /v1/traces, /v1/metrics, /v1/logs`,
    /// and spans, links and log records with ids that the specification calls invalid, such as
    /// `span "charge": the trace id 0102 must have 16 bytes and has 2`. Those are kept as they came besides. The first 100, in the
    /// order in which they came.
    #[must_use]
    pub fn not_understood(&self) -> Vec<String> {
        self.store.kept().not_understood.clone()
    }

    /// Answers the next requests this way, one each, and those after them as [`OtlpReceiver::respond_with`] says.
    ///
    /// ```
    /// use std::time::Duration;
    /// use otel_testing::{OtlpReceiver, Reply};
    ///
    /// let receiver = OtlpReceiver::start().unwrap();
    /// receiver.respond_in_turn([Reply::Throttle(Duration::from_secs(1)), Reply::Cut, Reply::Garbage]);
    /// ```
    pub fn respond_in_turn(&self, replies: impl IntoIterator<Item = Reply>) {
        self.store.kept().script.extend(replies);
    }

    /// Answers all further requests this way.
    pub fn respond_with(&self, reply: Reply) {
        self.store.kept().reply = reply;
    }

    /// Forgets everything that came in, and its counts. How requests are answered stays.
    pub fn clear(&self) {
        self.store.clear();
    }

    /// Everything that came in as one document of OTLP/JSON with `resourceSpans`, `resourceMetrics` and `resourceLogs`.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write_json(&self, writer: &mut impl Write) -> io::Result<()> {
        // Not to the writer while the lock is held: it may be slow, and senders must not wait for it.
        writer.write_all(&self.json()?)
    }

    /// As [`OtlpReceiver::write_json`], as text.
    ///
    /// # Errors
    ///
    /// When something that was received cannot be written as JSON, which no known input causes.
    pub fn to_otlp_json(&self) -> io::Result<String> {
        String::from_utf8(self.json()?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn json(&self) -> io::Result<Vec<u8>> {
        Ok(json::to_vec(&self.store.kept().document)?)
    }

    /// Why not everything was written to [`OtlpReceiverBuilder::with_json_lines`]; `None` if everything was.
    #[must_use]
    pub fn json_lines_error(&self) -> Option<io::Error> {
        self.store.json_lines_error()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // The thread waits for nothing but this signal: connections that are still open are closed.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for OtlpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpReceiver")
            .field("grpc_endpoint", &self.grpc_endpoint())
            .field("http_endpoint", &self.http_endpoint())
            .field("requests", &self.request_count())
            .finish_non_exhaustive()
    }
}
