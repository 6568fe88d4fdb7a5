//! One span, one counter and one log record, delivered or reported.
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_EXPORTER_OTLP_PROTOCOL` say where to and how.

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use otel_init::{Telemetry, opentelemetry};

#[allow(clippy::print_stdout)] // The report is what this example is for.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("minimal")
        .with_service_version(env!("CARGO_PKG_VERSION"))
        .install()?;

    let span = global::tracer("minimal").start("greet");
    let entered = Context::current_with_span(span).attach();
    global::meter("minimal").u64_counter("greetings").build().add(1, &[KeyValue::new("language", "en")]);
    tracing::info!(language = "en", "hello");
    Context::current().span().end();
    drop(entered);

    let report = telemetry.shutdown_blocking()?;
    println!("{report}");
    Ok(())
}
