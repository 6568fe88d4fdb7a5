//! What these variables make of telemetry, and whether it arrives: one span, one data point and one log record.
//!
//! ```sh
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 cargo run -p otel-init --example doctor
//! cargo run -p otel-init --example doctor -- --check otel.yaml     # reads a configuration file, and sends nothing
//! ```
//!
//! The exit code is 1 if the configuration cannot be used, or something was not delivered.

use std::error::Error;
use std::process::ExitCode;

use opentelemetry::global;
use opentelemetry::trace::Tracer;
use otel_init::{EffectiveConfig, Telemetry, opentelemetry};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => deliver(),
        ["--check", file] => check(file),
        _ => Err("usage: doctor [--check FILE]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("\nnot good: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn check(file: &str) -> Result<(), Box<dyn Error>> {
    show(&Telemetry::builder().with_config_file(file).check()?);
    Ok(())
}

fn deliver() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder().install()?;
    show(telemetry.config());
    global::meter("doctor").u64_counter("doctor.visits").build().add(1, &[]);
    global::tracer("doctor").in_span("doctor", |_| tracing::info!("does this arrive?"));
    let report = telemetry.shutdown_blocking()?;
    tell(&format!("\n{report}"));
    Ok(())
}

fn show(config: &EffectiveConfig) {
    tell(&format!("{config}"));
    for warning in config.warnings() {
        tell(&format!("warning: {warning}"));
    }
}

#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn tell(text: &str) {
    println!("{text}");
}
