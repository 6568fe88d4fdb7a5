use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otel_testing::OtlpReceiver;
use tokio::runtime::Runtime;

/// A service that exports all three signals with upstream's own exporters.
pub(crate) struct Sender {
    pub(crate) traces: SdkTracerProvider,
    pub(crate) metrics: SdkMeterProvider,
    pub(crate) logs: SdkLoggerProvider,
    // tonic's channel needs it for as long as the exporters live.
    _runtime: Runtime,
}

impl Sender {
    pub(crate) fn grpc(receiver: &OtlpReceiver, compression: Option<Compression>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        macro_rules! exporter {
            ($exporter:ident) => {{
                let builder = $exporter::builder().with_tonic().with_endpoint(receiver.grpc_endpoint());
                match compression {
                    Some(compression) => builder.with_compression(compression).build().unwrap(),
                    None => builder.build().unwrap(),
                }
            }};
        }
        let (spans, metrics, logs) =
            (exporter!(SpanExporter), exporter!(MetricExporter), exporter!(LogExporter));
        drop(entered);
        Self::new(spans, metrics, logs, runtime)
    }

    pub(crate) fn http(receiver: &OtlpReceiver, compression: Option<Compression>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Explicit, because the default client depends on the features of everyone in the build.
        let client = reqwest::blocking::Client::new();
        macro_rules! exporter {
            ($exporter:ident, $path:literal) => {{
                let builder = $exporter::builder()
                    .with_http()
                    .with_http_client(client.clone())
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(format!("{}{}", receiver.http_endpoint(), $path));
                match compression {
                    Some(compression) => builder.with_compression(compression).build().unwrap(),
                    None => builder.build().unwrap(),
                }
            }};
        }
        let spans = exporter!(SpanExporter, "/v1/traces");
        let metrics = exporter!(MetricExporter, "/v1/metrics");
        let logs = exporter!(LogExporter, "/v1/logs");
        Self::new(spans, metrics, logs, runtime)
    }

    fn new(spans: SpanExporter, metrics: MetricExporter, logs: LogExporter, runtime: Runtime) -> Self {
        let resource = Resource::builder_empty().with_service_name("shop").build();
        Self {
            traces: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_resource(resource.clone())
                .with_span_limits(opentelemetry_sdk::trace::SpanLimits::default())
                .with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOn)
                .build(),
            metrics: SdkMeterProvider::builder()
                .with_periodic_exporter(metrics)
                .with_resource(resource.clone())
                .build(),
            logs: SdkLoggerProvider::builder().with_batch_exporter(logs).with_resource(resource).build(),
            _runtime: runtime,
        }
    }

    /// Everything made so far is at the receiver when this returns.
    pub(crate) fn flush(&self) {
        self.traces.force_flush().unwrap();
        self.metrics.force_flush().unwrap();
        self.logs.force_flush().unwrap();
    }
}
