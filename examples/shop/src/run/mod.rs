//! The whole shop: starts the services, sends sample orders, shows what they report, stops the services.

mod checks;
mod children;
mod shopper;
mod watch;

use std::env;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use clap::error::ErrorKind;
use otel_testing::OtlpReceiver;

use self::children::Services;
use self::shopper::{Answer, Sample, Shopper};
use self::watch::Watch;
use crate::report;
use crate::services::{Stop, say};
use crate::{Cli, Failure};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How many orders are sent when nobody says how many.
const A_FEW: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Send this many sample orders, show them and end; without it, send a few and stay.
    #[arg(long, value_name = "N")]
    orders: Option<usize>,
    /// Write what the embedded receiver got to this file, as OTLP/JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the gateway listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

impl Options {
    /// The numbers of the orders to send.
    fn numbers(&self) -> RangeInclusive<usize> {
        1..=self.orders.unwrap_or(A_FEW)
    }

    /// Says that fewer orders were sent than asked for.
    fn not_sent(&self, sent: usize) -> Option<String> {
        let wanted = self.orders.filter(|wanted| sent < *wanted)?;
        Some(format!("stopped after {sent} of {wanted} orders"))
    }
}

/// Runs the shop. The exit code is a failure if anything was not as it should be.
pub(crate) async fn run(options: Options) -> Result<ExitCode, Failure> {
    let external = env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.trim().is_empty());
    if external.is_some() && options.json.is_some() {
        let message =
            format!("--json writes what the embedded receiver got, but {ENDPOINT} names another one");
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    let folder = Folder::create()?;
    let stop = Stop::listen(false);
    let problems = match external {
        Some(endpoint) => run_external(&options, &folder, &endpoint, &stop).await?,
        None => run_embedded(&options, &folder, &stop).await?,
    };
    for problem in &problems {
        say(&format!("PROBLEM  {problem}"));
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything goes to a receiver of our own, so every trace can be shown and checked.
async fn run_embedded(options: &Options, folder: &Folder, stop: &Stop) -> Result<Vec<String>, Failure> {
    let receiver = OtlpReceiver::start()?;
    let mut services = Services::start(Some(&receiver.http_endpoint()), &folder.path, options.listen).await?;
    introduce(&services, "an embedded receiver");
    let mut watch = Watch::new(&receiver);
    let mut answers = Vec::new();
    let shopper = Shopper::log_in(services.gateway_url()).await?;
    for number in options.numbers().take_while(|_| !stop.is_requested()) {
        let answer = shopper.order(&Sample::new(number)).await?;
        watch.note(&answer);
        watch.show_complete();
        answers.push(answer);
    }
    watch.show_orders().await;
    ask(&services).await?;
    if options.orders.is_none() {
        invite(&services);
        until(stop, &mut services, || watch.show_complete()).await;
    }
    drop(shopper);

    // The services deliver what they still hold when they stop; only then can anything be missing.
    let mut problems = services.stop().await;
    watch.show_rest();
    let traces = report::traces(&receiver);
    problems.extend(checks::problems(&traces, &answers));
    problems.extend(options.not_sent(answers.len()));
    say(&report::summary(&traces, &report::figures(&receiver)));
    if let Some(file) = &options.json {
        receiver.write_json(&mut std::fs::File::create(file)?)?;
    }
    if options.orders.is_some() && problems.is_empty() {
        say(&format!("{} orders, all traces complete", answers.len()));
    }
    Ok(problems)
}

/// Everything goes to somebody else's receiver: only the answers can be shown.
async fn run_external(
    options: &Options,
    folder: &Folder,
    endpoint: &str,
    stop: &Stop,
) -> Result<Vec<String>, Failure> {
    let mut services = Services::start(None, &folder.path, options.listen).await?;
    introduce(&services, endpoint);
    let shopper = Shopper::log_in(services.gateway_url()).await?;
    let mut answers = Vec::new();
    for number in options.numbers().take_while(|_| !stop.is_requested()) {
        let answer = shopper.order(&Sample::new(number)).await?;
        say(&answer.to_string());
        answers.push(answer);
    }
    ask(&services).await?;
    if options.orders.is_none() {
        invite(&services);
        until(stop, &mut services, || {}).await;
    }
    drop(shopper);
    let mut problems = services.stop().await;
    problems.extend(answers.iter().filter_map(Answer::problem));
    problems.extend(options.not_sent(answers.len()));
    Ok(problems)
}

fn introduce(services: &Services, receiver: &str) {
    say(&format!("seven services, telemetry to {receiver}"));
    for service in services.iter() {
        say(&format!("  {:<14} pid {:<8} {}", service.name, service.pid(), service.place));
    }
}

/// Has the assistant look the orders up; its trace is shown with the others.
async fn ask(services: &Services) -> Result<(), Failure> {
    let answer = shopper::ask(services.assistant_url()).await?;
    say(&format!("the assistant says: {answer}"));
    Ok(())
}

fn invite(services: &Services) {
    say(&format!("\nmore orders: open {} in a browser; Ctrl-C ends the shop\n", services.gateway_url()));
}

/// Stays up until it is time to stop; now and then it does `chore`, and tells of services that have ended.
async fn until(stop: &Stop, services: &mut Services, mut chore: impl FnMut()) {
    while !stop.is_requested() {
        chore();
        for ended in services.ended() {
            say(&ended);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
            () = stop.clone().requested() => {}
        }
    }
}

/// A folder for the database, which is gone when the shop is.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn create() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("shop-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which empties its folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
