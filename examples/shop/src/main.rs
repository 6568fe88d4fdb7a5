//! An online shop of seven services that call each other, observed end to end.
//!
//! `shop` starts all of them and shows what they report; `shop orders`, `shop payments` and so on run one alone.

mod error;
mod instruments;
mod report;
mod run;
mod services;
mod telemetry;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An online shop of seven services that call each other, observed end to end.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    service: Option<Service>,
    #[command(flatten)]
    run: run::Options,
}

#[derive(Subcommand)]
enum Service {
    /// What the browser talks to: the page, carts, and the way to all others.
    Gateway(services::gateway::Options),
    /// Customers, passwords and sessions.
    Users(services::users::Options),
    /// Takes orders and writes the outbox.
    Orders(services::orders::Options),
    /// Products, prices and stock.
    Inventory(services::inventory::Options),
    /// Charges cards.
    Payments(services::payments::Options),
    /// Reads the outbox and tells customers.
    Notifications(services::notifications::Options),
    /// Answers questions about orders, with a language model.
    Assistant(services::assistant::Options),
}

/// Anything that ends the process early; it is shown to the person who started it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.service {
        None => run::run(cli.run).await,
        Some(service) => run_one(service).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|failure| {
        complain(&*failure);
        ExitCode::FAILURE
    })
}

async fn run_one(service: Service) -> Result<(), Failure> {
    match service {
        Service::Gateway(options) => services::gateway::run(options).await,
        Service::Users(options) => services::users::run(options).await,
        Service::Orders(options) => services::orders::run(options).await,
        Service::Inventory(options) => services::inventory::run(options).await,
        Service::Payments(options) => services::payments::run(options).await,
        Service::Notifications(options) => services::notifications::run(options).await,
        Service::Assistant(options) => services::assistant::run(options).await,
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a command-line program")]
fn complain(failure: &dyn std::error::Error) {
    eprintln!("shop: {failure}");
    let mut cause = failure.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
}
