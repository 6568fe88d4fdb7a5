//! The arguments of the program.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Takes OTLP over gRPC and HTTP from any process and shows the traces.
///
/// Ends with 0 when all expectations are met, with 1 when one is not, with 2 when it could not do its work, and otherwise
/// as the command ended.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where OTLP over gRPC is taken [default: 127.0.0.1:4317, or a free port for a command]
    #[arg(long, value_name = "ADDRESS:PORT")]
    grpc: Option<SocketAddr>,
    /// Where OTLP over HTTP is taken [default: 127.0.0.1:4318, or a free port for a command]
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// Writes each request as a line of OTLP/JSON, to standard output for "-", which shows no traces then
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Ends when what has arrived is what this JSON file expects
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// How many seconds expectations are waited for; after a command that has ended, from then on
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Shows no traces, only the summary
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How many spans, log records and data points are kept
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    pub(crate) max_items: usize,
    /// A command to run with OTEL_EXPORTER_OTLP_ENDPOINT set, and the endpoints of signals that have their own; the program ends
    /// after it
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  otel-receiver                                       show what services send to the usual ports
  otel-receiver --json telemetry.jsonl -- ./service   run it, and write down what it sends
  otel-receiver --expect expected.json -- ./service   and fail unless it is what was expected

A file of expectations; all keys may be left out, \"count\" is at least one then:
  {\"spans\": [{\"name\": \"charge\", \"kind\": \"client\", \"failed\": false, \"service\": \"payments\", \"child_of\": \"checkout\",
              \"attributes\": {\"card.brand\": \"visa\"}, \"count\": 1}],
   \"logs\": [{\"body\": \"order placed\"}], \"metrics\": [{\"name\": \"http.server.request.duration\", \"unit\": \"s\"}],
   \"services\": [\"payments\"], \"most_orphans\": 0, \"conventions\": {\"allow\": [\"card\"]}}";

impl Arguments {
    pub(crate) fn grpc_address(&self) -> SocketAddr {
        self.grpc.unwrap_or_else(|| self.usual(4317))
    }

    pub(crate) fn http_address(&self) -> SocketAddr {
        self.http.unwrap_or_else(|| self.usual(4318))
    }

    /// Whoever reads lines of JSON there wants no trees between them.
    pub(crate) fn writes_to_output(&self) -> bool {
        self.json.as_deref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// A command learns the port, everybody else must know it.
    fn usual(&self, port: u16) -> SocketAddr {
        let port = if self.command.is_empty() { port } else { 0 };
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

/// More than a clock can express is for ever; less than nothing is a mistake.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        _ => Err("expected a number of seconds, 0 or more".to_owned()),
    }
}
