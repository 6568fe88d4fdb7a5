//! Takes OTLP from any process, shows it, writes it down, and checks it against a file of expectations.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod arguments;
mod command;
mod traces;

use std::fs::{self, File};
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use otel_testing::{Expectations, OtlpReceiver};
use tokio::time::{Instant, sleep};

use arguments::Arguments;
use traces::Traces;

/// How often it is looked whether a trace can be shown. Expectations are looked at whenever something arrives.
const LOOK_EVERY: Duration = Duration::from_millis(200);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("otel-receiver: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let expectations = arguments.expect.as_deref().map(read).transpose()?;
    let receiver = start(&arguments)?;
    eprintln!("OTLP over gRPC on {}, over HTTP on {}", receiver.grpc_endpoint(), receiver.http_endpoint());
    let mut traces = Traces::new(arguments.quiet || arguments.writes_to_output());
    let command_code = match arguments.command.as_slice() {
        [] => None,
        command => Some(show_while(&receiver, &mut traces, command::run(command, &receiver)).await?),
    };
    let met = match (&expectations, command_code.is_some()) {
        (Some(expectations), _) => {
            let met = receiver.wait_for(arguments.timeout, |seen| expectations.unmet(seen).is_empty());
            tokio::select! {
                met = show_while(&receiver, &mut traces, met) => met.is_ok(),
                interrupted = command::interrupted() => { interrupted?; false }
            }
        }
        (None, true) => true,
        (None, false) => {
            show_while(&receiver, &mut traces, command::interrupted()).await?;
            true
        }
    };
    traces.show_rest(&receiver);
    if let Some(first) = receiver.not_understood().first() {
        eprintln!("what is no OTLP came too, the first one: {first}");
    }
    eprintln!("{}", traces::summary(&receiver));
    if let Some(error) = receiver.json_lines_error() {
        return Err(format!("not everything was written to the file of --json: {error}").into());
    }
    if let Some(expectations) = expectations.filter(|_| !met) {
        let unmet = expectations.unmet(&receiver);
        unmet.iter().for_each(|text| eprintln!("{}", text.trim_end()));
        eprintln!("{} expectations are not met", unmet.len());
        return Ok(ExitCode::FAILURE);
    }
    Ok(command_code.unwrap_or(ExitCode::SUCCESS))
}

fn read(path: &std::path::Path) -> Result<Expectations, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    Ok(Expectations::from_json(&text).map_err(|error| named(&error))?)
}

fn start(arguments: &Arguments) -> Result<OtlpReceiver, Failure> {
    let builder = OtlpReceiver::builder()
        .with_grpc_address(arguments.grpc_address())
        .with_http_address(arguments.http_address())
        .with_max_items(arguments.max_items);
    let builder = match &arguments.json {
        None => builder,
        Some(_) if arguments.writes_to_output() => builder.with_json_lines(io::stdout()),
        Some(path) => {
            let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
            builder.with_json_lines(file)
        }
    };
    Ok(builder.start()?)
}

/// Shows traces as they settle, until `end` is there.
async fn show_while<T>(receiver: &OtlpReceiver, traces: &mut Traces, end: impl Future<Output = T>) -> T {
    let mut end = pin!(end);
    let mut seen = 0;
    loop {
        let requests = receiver.request_count();
        traces.show_settled(receiver, requests != seen, Instant::now());
        seen = requests;
        tokio::select! {
            ended = &mut end => return ended,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}
