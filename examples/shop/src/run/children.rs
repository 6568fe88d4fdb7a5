//! The seven services as processes of their own: this program, started once for each.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::Failure;
use crate::services::{LISTENING, TELEMETRY_LOST};

/// How long a service may take to listen, and how long to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The running services.
pub(crate) struct Services {
    /// In the order in which they are stopped: callers before those they call.
    running: Vec<Service>,
}

pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// Where it listens, or what it reads.
    pub(crate) place: String,
    process: Child,
    /// The service stops when this is closed, so the system stops it however we end.
    stop: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Services {
    /// Starts all services. Their telemetry goes to `receiver`; without one, wherever the environment says.
    pub(crate) async fn start(
        receiver: Option<&str>,
        folder: &Path,
        gateway_address: SocketAddr,
    ) -> Result<Self, Failure> {
        let start = |name, arguments| Service::start(name, arguments, receiver);
        let database = database_in(folder);
        let database: Vec<String> =
            database.iter().flat_map(|url| ["--database-url".to_owned(), url.clone()]).collect();
        let local = || vec!["--listen".to_owned(), "127.0.0.1:0".to_owned()];
        let flag = |name: &str, value: &str| [format!("--{name}"), value.to_owned()];

        let users = start("users", local()).await?;
        let inventory = start("inventory", local()).await?;
        let payments = start("payments", local()).await?;
        let mut arguments = local();
        arguments.extend(flag("inventory-url", &inventory.place));
        arguments.extend(flag("payments-url", &payments.place));
        arguments.extend_from_slice(&database);
        let orders = start("orders", arguments).await?;
        let notifications = start("notifications", database.clone()).await?;
        let mut arguments = local();
        arguments.extend(database);
        let assistant = start("assistant", arguments).await?;
        let mut arguments: Vec<String> = flag("listen", &gateway_address.to_string()).into();
        arguments.extend(flag("users-url", &users.place));
        arguments.extend(flag("inventory-url", &inventory.place));
        arguments.extend(flag("orders-url", &orders.place));
        let gateway = start("gateway", arguments).await?;
        Ok(Self { running: vec![gateway, assistant, orders, payments, inventory, users, notifications] })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Service> {
        self.running.iter()
    }

    /// Where the browser goes.
    pub(crate) fn gateway_url(&self) -> &str {
        self.place_of("gateway")
    }

    /// Where questions go.
    pub(crate) fn assistant_url(&self) -> &str {
        self.place_of("assistant")
    }

    fn place_of(&self, name: &str) -> &str {
        self.running.iter().find(|service| service.name == name).map_or("", |service| &service.place)
    }

    /// The services that ended although nobody stopped them, and what ended them; they are named once.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        self.running.retain_mut(|service| match service.process.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                said.push(format!("{} has ended: {status}", service.name));
                false
            }
            Err(error) => {
                said.push(format!("{} cannot be waited for: {error}", service.name));
                false
            }
        });
        said
    }

    /// Stops the services, and says what went wrong with that.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut problems = Vec::new();
        for service in self.running {
            problems.extend(service.stop().await);
        }
        problems
    }
}

impl Service {
    async fn start(
        name: &'static str,
        arguments: Vec<String>,
        receiver: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(name).args(arguments).arg("--stop-with-stdin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if let Some(receiver) = receiver {
            use_receiver(&mut command, receiver);
        }
        // Ctrl-C goes to every process of the terminal's group. It is for us alone: we stop the services in order.
        #[cfg(unix)]
        command.process_group(0);

        let mut process = command.spawn()?;
        let (Some(stop), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{name} has no pipes").into());
        };
        let mut output = BufReader::new(output).lines();
        let first =
            timeout(PATIENCE, output.next_line()).await.map_err(|_| format!("{name} does not start"))??;
        let place = first.as_deref().and_then(|line| line.strip_prefix(LISTENING));
        let place =
            place.ok_or_else(|| format!("{name} ended at its start; its reason is above"))?.to_owned();
        Ok(Self { name, place, process, stop, output })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Asks the service to stop and waits; kills it if it takes too long. Gives what went wrong.
    async fn stop(mut self) -> Option<String> {
        let name = self.name;
        drop(self.stop);
        let mut lost = None;
        let last_words = async {
            while let Ok(Some(line)) = self.output.next_line().await {
                lost = line.strip_prefix(TELEMETRY_LOST).map(str::to_owned);
            }
            self.process.wait().await
        };
        match timeout(PATIENCE, last_words).await {
            Ok(Ok(status)) if status.success() => lost.map(|reason| format!("{name}: {reason}")),
            Ok(Ok(status)) => Some(format!("{name} ended with {status}")),
            Ok(Err(error)) => Some(format!("{name} cannot be waited for: {error}")),
            Err(_) => {
                let _ = self.process.kill().await;
                Some(format!("{name} did not stop and was killed"))
            }
        }
    }
}

/// The URL of a file in this folder, unless the services find another database in the environment, as we do.
fn database_in(folder: &Path) -> Option<String> {
    let is_set = env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty());
    (!is_set).then(|| format!("sqlite://{}?mode=rwc", folder.join("shop.sqlite").display()))
}

/// Has the service send to `receiver` and show everything, whatever exporter, sampler or limit the shell is set up for.
fn use_receiver(command: &mut Command, receiver: &str) {
    let of_telemetry = |variable: &OsString| variable.to_string_lossy().starts_with("OTEL_");
    for variable in env::vars_os().map(|(variable, _)| variable).filter(of_telemetry) {
        command.env_remove(variable);
    }
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver);
    command.env("NO_PROXY", "127.0.0.1,localhost");
    // A person waits for the trees, so nothing is held back for long.
    command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    command.env("OTEL_BLRP_SCHEDULE_DELAY", "100");
    command.env("OTEL_METRIC_EXPORT_INTERVAL", "1000");
    // The trees show the logs at their place; seven services need not write them between the trees as well.
    if env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "off,otel_init=warn");
    }
}
