//! The command that the program runs, told where to send.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use otel_testing::OtlpReceiver;
use tokio::process::Command;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// As variables and paths name them.
const SIGNALS: [(&str, &str); 3] = [("TRACES", "traces"), ("METRICS", "metrics"), ("LOGS", "logs")];

/// Runs a command that sends to `receiver`, to its end. One that was stopped by a signal has no code; that is a failure.
pub(crate) async fn run(command: &[OsString], receiver: &OtlpReceiver) -> io::Result<ExitCode> {
    let [program, arguments @ ..] = command else { return Ok(ExitCode::SUCCESS) };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables(receiver, |name| std::env::var(name).ok()))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let code = status?.code().and_then(|code| u8::try_from(code).ok());
                return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
            }
            // A terminal sends Ctrl-C to the command too; what it says in its end is still to come.
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
}

/// What tells the command to send everything to `receiver`, in the protocols that it is set to.
///
/// "Signal-specific" variables "take precedence over" the general ones, so where the environment has one of a signal, it gets the
/// receiver's address too (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
fn variables(receiver: &OtlpReceiver, environment: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    // "An empty value" is "the same way as when the variable is unset".
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let protocol = set(PROTOCOL).unwrap_or_else(|| "http/protobuf".to_owned());
    let mut variables = vec![(ENDPOINT.to_owned(), endpoint(receiver, &protocol, ""))];
    for (signal, path) in SIGNALS {
        let own_endpoint = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        let own_protocol = set(&format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"));
        if set(&own_endpoint).is_some() || own_protocol.is_some() {
            // Of a signal's own endpoint the path is taken as it is.
            let path = format!("/v1/{path}");
            let protocol = own_protocol.as_ref().unwrap_or(&protocol);
            variables.push((own_endpoint, endpoint(receiver, protocol, &path)));
        }
    }
    variables.push((PROTOCOL.to_owned(), protocol));
    variables
}

fn endpoint(receiver: &OtlpReceiver, protocol: &str, path: &str) -> String {
    match protocol {
        "grpc" => receiver.grpc_endpoint(),
        _ => receiver.http_endpoint() + path,
    }
}

/// Ends when somebody wants the program to.
pub(crate) async fn interrupted() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
