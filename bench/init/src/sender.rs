//! The process that makes spans or log records and sends them.

use std::time::Duration;

use opentelemetry::logs::{LogRecord as _, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span as _, SpanKind, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    Compression, LogExporter, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanProcessor};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

pub const DROPPED: &str = "SDK, made and dropped";
pub const OURS_DROPPED: &str = "otel-init, made and dropped";
pub const OURS: &str = "otel-init";
pub const NO_REDACTION: &str = "otel-init, no redaction";
pub const SDK_QUEUE: &str = "otel-init, SDK's queue";
pub const SDK: &str = "SDK + opentelemetry-otlp";
pub const LOGS: &str = "log records, otel-init";
pub const LOGS_SDK: &str = "log records, SDK + opentelemetry-otlp";

/// Sends so many `items`, after each `round` what was not sent yet, and prints the microseconds of processor time for each of
/// them: of the process, and of the threads that make them.
pub fn run(
    sender: &str,
    protocol: &str,
    compression: &str,
    endpoint: &str,
    threads: usize,
    round: usize,
    items: usize,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let sent = Sent { threads, round, items };
    let (whole, pushing) = match sender {
        DROPPED | SDK => {
            let provider = match sender {
                SDK => upstream(protocol, compression, endpoint)?,
                _ => SdkTracerProvider::builder().with_span_processor(Drop).build(),
            };
            sent.measure(|requests| spans(&provider, requests), || Ok(provider.force_flush()?))?
        }
        LOGS_SDK => {
            let provider = upstream_logs(protocol, compression, endpoint)?;
            sent.measure(|requests| logs(&provider, requests), || Ok(provider.force_flush()?))?
        }
        _ => {
            let telemetry = ours(protocol, compression, endpoint, sender)?;
            let flush = || Ok(telemetry.flush_blocking().map(drop)?);
            let measured = match sender {
                LOGS => sent.measure(|requests| logs(telemetry.logger_provider(), requests), flush)?,
                _ => sent.measure(|requests| spans(telemetry.tracer_provider(), requests), flush)?,
            };
            let report = telemetry.shutdown_blocking()?;
            let signal = if sender == LOGS { otel_init::Signal::Logs } else { otel_init::Signal::Traces };
            if report.health().signal(signal).is_none_or(|health| health.lost() > 0) {
                return Err(report.to_string().into());
            }
            measured
        }
    };
    println!("{} {}", whole / items as f64 * 1e6, pushing / items as f64 * 1e6);
    Ok(())
}

/// How many spans or log records, and by whom.
struct Sent {
    threads: usize,
    round: usize,
    items: usize,
}

type Requests<'a> = std::iter::Take<std::iter::Cycle<std::slice::Iter<'a, Request>>>;

impl Sent {
    /// Seconds of processor time: of the process, and of the threads that pushed.
    fn measure(
        &self,
        push: impl Fn(Requests<'_>) + Sync,
        flush: impl Fn() -> Result<(), Failure>,
    ) -> Result<(f64, f64), Failure> {
        self.push(&push);
        flush()?;
        let start = seconds(ClockId::ProcessCPUTime);
        let mut pushing = 0.0;
        for _ in 0..self.items / self.round {
            pushing += self.push(&push);
            flush()?;
        }
        Ok((seconds(ClockId::ProcessCPUTime) - start, pushing))
    }

    /// One round.
    fn push(&self, push: &(impl Fn(Requests<'_>) + Sync)) -> f64 {
        let push = || {
            let requests: Vec<Request> = (0..REQUESTS).map(Request::new).collect();
            let start = seconds(ClockId::ThreadCPUTime);
            push(requests.iter().cycle().take(self.round / self.threads));
            seconds(ClockId::ThreadCPUTime) - start
        };
        std::thread::scope(|scope| {
            let pushers: Vec<_> = (0..self.threads).map(|_| scope.spawn(push)).collect();
            pushers.into_iter().map(|pusher| pusher.join().unwrap_or(f64::NAN)).sum()
        })
    }
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

fn spans(provider: &impl TracerProvider, requests: Requests<'_>) {
    let tracer = provider.tracer("bench");
    requests.for_each(|request| span(&tracer, request));
}

fn logs(provider: &impl LoggerProvider, requests: Requests<'_>) {
    let logger = provider.logger("bench");
    requests.for_each(|request| log(&logger, request));
}

/// What an access log has.
fn log(logger: &impl Logger, request: &Request) {
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Info);
    record.set_severity_text("INFO");
    record.set_target("shop::users");
    record.set_body("a request was answered".into());
    record.add_attribute("url.path", request.path.clone());
    record.add_attribute("client.address", request.address.clone());
    record.add_attribute("http.route", "/users/{id}");
    record.add_attribute("http.response.status_code", 200);
    record.add_attribute("duration_ms", 1.25);
    logger.emit(record);
}

/// A span with the ten attributes that an HTTP server span has.
fn span<T: Tracer>(tracer: &T, request: &Request) {
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
    let other = if sender == LOGS { "OTEL_TRACES_EXPORTER" } else { "OTEL_LOGS_EXPORTER" };
    let builder = otel_init::Telemetry::builder().with_environment(move |name| match name {
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.clone()),
        "OTEL_EXPORTER_OTLP_COMPRESSION" => Some(compression.clone()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        name if name == "OTEL_METRICS_EXPORTER" || name == other => Some("none".to_owned()),
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
        let builder = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        if is_zstd { builder.with_compression(Compression::Zstd) } else { builder }.build()?
    } else {
        let builder = SpanExporter::builder().with_http();
        let builder = builder.with_endpoint(format!("{endpoint}/v1/traces"));
        let builder = if is_zstd { builder.with_compression(Compression::Zstd) } else { builder };
        // Its blocking client must not be made inside of a runtime.
        std::thread::spawn(move || builder.build()).join().map_err(|_| "the exporter panicked")??
    };
    let processor = BatchSpanProcessor::builder(exporter).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).build())
}

fn upstream_logs(protocol: &str, compression: &str, endpoint: &str) -> Result<SdkLoggerProvider, Failure> {
    let is_zstd = compression == "zstd";
    let exporter = if protocol == "grpc" {
        let builder = LogExporter::builder().with_tonic().with_endpoint(endpoint);
        if is_zstd { builder.with_compression(Compression::Zstd) } else { builder }.build()?
    } else {
        let builder = LogExporter::builder().with_http().with_endpoint(format!("{endpoint}/v1/logs"));
        let builder = if is_zstd { builder.with_compression(Compression::Zstd) } else { builder };
        // Its blocking client must not be made inside of a runtime.
        std::thread::spawn(move || builder.build()).join().map_err(|_| "the exporter panicked")??
    };
    let processor = BatchLogProcessor::builder(exporter).build();
    Ok(SdkLoggerProvider::builder().with_log_processor(processor).build())
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
