//! Spans per second of processor time, from `start` to the answer of a local collector.
//!
//! The sender and the collector are processes of their own; the time is that of the sender's process, user and system, so
//! a busy machine changes it little. The variants take turns, and the median of the turns is shown.
//!
//! ```sh
//! cargo run --release -p bench-init
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use otel_testing::OtlpReceiver;

/// As many as fit in the queue go out before the next ones are made, so nothing is dropped.
const ROUND: usize = 2000;
const ROUNDS: usize = 50;
const TURNS: usize = 5;
const SENDERS: [&str; 4] =
    ["otel-init", "otel-init, no redaction", "otel-init, SDK's queue", "SDK + opentelemetry-otlp"];
const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "collect"] => collect(),
        [_, "send", sender, protocol, endpoint] => send(sender, protocol, endpoint),
        _ => compare(),
    }
}

fn compare() -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let (mut collector, grpc, http) = start_collector(&program)?;
    println!("{:<16} {:<26} {:>14} {:>12}", "protocol", "sender", "spans/s of CPU", "us of CPU");
    for protocol in PROTOCOLS {
        let endpoint = if protocol == "grpc" { &grpc } else { &http };
        let mut results: Vec<Vec<f64>> = vec![Vec::new(); SENDERS.len()];
        for _ in 0..TURNS {
            for (sender, results) in SENDERS.iter().zip(&mut results) {
                let output = Command::new(&program).args(["send", sender, protocol, endpoint]).output()?;
                let text = String::from_utf8(output.stdout)?;
                let seconds: f64 = text.trim().parse().map_err(|_| {
                    format!("{sender} over {protocol}: {text}{}", String::from_utf8_lossy(&output.stderr))
                })?;
                results.push(seconds);
            }
        }
        for (sender, mut results) in SENDERS.iter().zip(results) {
            results.sort_by(f64::total_cmp);
            let median = results[results.len() / 2];
            let spans = (ROUND * ROUNDS) as f64;
            println!("{protocol:<16} {sender:<26} {:>14.0} {:>12.2}", spans / median, median / spans * 1e6);
        }
    }
    collector.kill()?;
    collector.wait()?;
    Ok(())
}

fn start_collector(program: &std::path::Path) -> Result<(Child, String, String), Failure> {
    let mut collector = Command::new(program).arg("collect").stdout(Stdio::piped()).spawn()?;
    let output = collector.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut next = || lines.next().ok_or("the collector did not start")?.map_err(Failure::from);
    let (grpc, http) = (next()?, next()?);
    Ok((collector, grpc, http))
}

/// Takes everything and keeps nothing for long.
fn collect() -> Result<(), Failure> {
    let receiver = OtlpReceiver::start()?;
    println!("{}\n{}", receiver.grpc_endpoint(), receiver.http_endpoint());
    std::io::stdout().flush()?;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        receiver.clear();
    }
}

/// Sends all rounds and prints the seconds of processor time they took.
fn send(sender: &str, protocol: &str, endpoint: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    let (provider, _guard) = match sender {
        "SDK + opentelemetry-otlp" => (upstream(protocol, endpoint)?, None),
        _ => {
            let telemetry = ours(protocol, endpoint, sender)?;
            (telemetry.tracer_provider().clone(), Some(telemetry))
        }
    };
    let tracer = provider.tracer("bench");
    work(&tracer, &provider, 2)?;
    let (start, wall) = (processor_seconds()?, Instant::now());
    work(&tracer, &provider, ROUNDS)?;
    let seconds = processor_seconds()? - start;
    eprintln!("{sender} over {protocol}: {:.2?}", wall.elapsed());
    println!("{seconds}");
    Ok(())
}

fn work(
    tracer: &opentelemetry_sdk::trace::SdkTracer,
    provider: &SdkTracerProvider,
    rounds: usize,
) -> Result<(), Failure> {
    for round in 0..rounds {
        for index in 0..ROUND {
            let mut span = tracer.start("GET /users/{id}");
            span.set_attribute(KeyValue::new("http.request.method", "GET"));
            span.set_attribute(KeyValue::new("http.route", "/users/{id}"));
            span.set_attribute(KeyValue::new("url.path", format!("/users/{index}")));
            span.set_attribute(KeyValue::new("http.response.status_code", 200));
            span.set_attribute(KeyValue::new("round", i64::try_from(round)?));
            span.end();
        }
        provider.force_flush()?;
    }
    Ok(())
}

fn ours(protocol: &str, endpoint: &str, sender: &str) -> Result<otel_init::Telemetry, Failure> {
    let (protocol, endpoint) = (protocol.to_owned(), endpoint.to_owned());
    let builder = otel_init::Telemetry::builder().with_environment(move |name| match name {
        "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.clone()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
        "RUST_LOG" => Some("off".to_owned()),
        _ => None,
    });
    let builder = match sender {
        "otel-init, no redaction" => builder.with_redaction(otel_init::Redaction::new().without_secrets()),
        "otel-init, SDK's queue" => builder.with_queue(otel_init::Queue::Sdk),
        _ => builder,
    };
    Ok(builder.install()?)
}

fn upstream(protocol: &str, endpoint: &str) -> Result<SdkTracerProvider, Failure> {
    let exporter = if protocol == "grpc" {
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?
    } else {
        // Its blocking client must not be made inside of a runtime.
        let url = format!("{endpoint}/v1/traces");
        std::thread::spawn(move || opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(url).build())
            .join()
            .map_err(|_| "the exporter panicked")??
    };
    let processor = BatchSpanProcessor::builder(exporter).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).build())
}

/// User and system time of this process, all threads: clock ticks of a hundredth of a second.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no fields")?;
    let ticks: Result<Vec<f64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / 100.0)
}
