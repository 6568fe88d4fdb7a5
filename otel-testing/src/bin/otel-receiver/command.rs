use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use otel_testing::OtlpReceiver;
use tokio::process::Command;

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// Runs a command that sends to `receiver`, to its end. One that was stopped by a signal has no code; that is a failure.
pub(crate) async fn run(command: &[OsString], receiver: &OtlpReceiver) -> io::Result<ExitCode> {
    let [program, arguments @ ..] = command else { return Ok(ExitCode::SUCCESS) };
    let protocol = std::env::var(PROTOCOL).unwrap_or_else(|_| "http/protobuf".to_owned());
    let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
    let mut child = Command::new(program)
        .args(arguments)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env(PROTOCOL, protocol)
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
