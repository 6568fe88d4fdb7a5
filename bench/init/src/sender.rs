//! The process that makes spans and sends them.

use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Compression, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanProcessor};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

pub const DROPPED: &str = "SDK, made and dropped";
pub const OURS_DROPPED: &str = "otel-init, made and dropped";
pub const OURS: &str = "otel-init";
pub const NO_REDACTION: &str = "otel-init, no redaction";
pub const SDK_QUEUE: &str = "otel-init, SDK's queue";
pub const SDK: &str = "SDK + opentelemetry-otlp";

/// Sends `spans`, after each `round` what was not sent yet, and prints the microseconds of processor time for each span:
/// of the process, and of the threads that make and end spans.
pub fn run(
    sender: &str,
    protocol: &str,
    compression: &str,
    endpoint: &str,
    threads: usize,
    round: usize,
    spans: usize,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let sent = Sent { threads, round, spans };
    let (whole, pushing) = match sender {
        DROPPED | SDK => {
            let provider = match sender {
                SDK => upstream(protocol, compression, endpoint)?,
                _ => SdkTracerProvider::builder().with_span_processor(Drop).build(),
            };
            sent.measure(&provider, || Ok(provider.force_flush()?))?
        }
        _ => {
            let telemetry = ours(protocol, compression, endpoint, sender)?;
            let provider = telemetry.tracer_provider();
            let measured = sent.measure(provider, || Ok(telemetry.flush_blocking().map(drop)?))?;
            let report = telemetry.shutdown_blocking()?;
            if report.health().signal(otel_init::Signal::Traces).is_none_or(|traces| traces.lost() > 0) {
                return Err(report.to_string().into());
            }
            measured
        }
    };
    println!("{} {}", whole / spans as f64 * 1e6, pushing / spans as f64 * 1e6);
    Ok(())
}

/// How many spans, and by whom.
struct Sent {
    threads: usize,
    round: usize,
    spans: usize,
}

impl Sent {
    /// Seconds of processor time: of the process, and of the threads that pushed.
    fn measure<P: TracerProvider + Sync>(
        &self,
        provider: &P,
        flush: impl Fn() -> Result<(), Failure>,
    ) -> Result<(f64, f64), Failure> {
        self.push(provider);
        flush()?;
        let start = seconds(ClockId::ProcessCPUTime);
        let mut pushing = 0.0;
        for _ in 0..self.spans / self.round {
            pushing += self.push(provider);
            flush()?;
        }
        Ok((seconds(ClockId::ProcessCPUTime) - start, pushing))
    }

    /// One round.
    fn push<P: TracerProvider + Sync>(&self, provider: &P) -> f64 {
        let push = || push(provider, self.round / self.threads);
        std::thread::scope(|scope| {
            let pushers: Vec<_> = (0..self.threads).map(|_| scope.spawn(push)).collect();
            pushers.into_iter().map(|pusher| pusher.join().unwrap_or(f64::NAN)).sum()
        })
    }
}

fn push<P: TracerProvider>(provider: &P, spans: usize) -> f64 {
    let requests: Vec<Request> = (0..REQUESTS).map(Request::new).collect();
    let start = seconds(ClockId::ThreadCPUTime);
    let tracer = provider.tracer("bench");
    for request in requests.iter().cycle().take(spans) {
        make(&tracer, request);
    }
    seconds(ClockId::ThreadCPUTime) - start
}

/// Different ones, so that nothing is the same again too soon.
const REQUESTS: usize = 1000;

/// What a server has in its hands when a span is made.
struct Request {
    path: String,
    address: String,
}

impl Request {
    fn new(number: usize) -> Self {
        Self { path: format!("/users/{number}"), address: format!("10.0.0.{}", number % 256) }
    }
}

/// A span with the ten attributes that an HTTP server span has.
fn make<T: Tracer>(tracer: &T, request: &Request) {
    let attributes = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("url.path", request.path.clone()),
        KeyValue::new("server.address", "shop.example"),
        KeyValue::new("server.port", 8443),
        KeyValue::new("client.address", request.address.clone()),
        KeyValue::new("network.protocol.version", "1.1"),
        KeyValue::new(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        KeyValue::new("http.route", "/users/{id}"),
        KeyValue::new("http.response.status_code", 200),
    ];
    let builder =
        tracer.span_builder("GET /users/{id}").with_kind(SpanKind::Server).with_attributes(attributes);
    tracer.build_with_context(builder, &Context::new()).end();
}

fn ours(
    protocol: &str,
    compression: &str,
    endpoint: &str,
    sender: &str,
) -> Result<otel_init::Telemetry, Failure> {
    let (protocol, compression, endpoint) =
        (protocol.to_owned(), compression.to_owned(), endpoint.to_owned());
    let builder = otel_init::Telemetry::builder().with_environment(move |name| match name {
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.clone()),
        "OTEL_EXPORTER_OTLP_COMPRESSION" => Some(compression.clone()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
        "RUST_LOG" => Some("off".to_owned()),
        _ => None,
    });
    let builder = match sender {
        NO_REDACTION => builder.with_redaction(otel_init::Redaction::new().without_secrets()),
        OURS_DROPPED => builder.with_drop_rule(otel_init::DropRule::span_name("*")),
        SDK_QUEUE => builder.with_queue(otel_init::Queue::Sdk),
        _ => builder,
    };
    Ok(builder.install()?)
}

fn upstream(protocol: &str, compression: &str, endpoint: &str) -> Result<SdkTracerProvider, Failure> {
    let is_zstd = compression == "zstd";
    let exporter = if protocol == "grpc" {
        let builder = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        if is_zstd { builder.with_compression(Compression::Zstd) } else { builder }.build()?
    } else {
        let builder = opentelemetry_otlp::SpanExporter::builder().with_http();
        let builder = builder.with_endpoint(format!("{endpoint}/v1/traces"));
        let builder = if is_zstd { builder.with_compression(Compression::Zstd) } else { builder };
        // Its blocking client must not be made inside of a runtime.
        std::thread::spawn(move || builder.build()).join().map_err(|_| "the exporter panicked")??
    };
    let processor = BatchSpanProcessor::builder(exporter).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).build())
}

/// Takes spans and drops them: what is left is the cost of making them.
#[derive(Debug)]
struct Drop;

impl SpanProcessor for Drop {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        std::hint::black_box(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
