//! The six services, each started alone as a person would deploy it, all sending to a receiver of the test.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::trace::SpanKind;
use otel_testing::{OtlpReceiver, ReceivedSpan, ReceivedTrace};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::process::{Folder, PATIENCE, Process, shop};

/// A card whose bank takes as long as the test wants.
pub(crate) const SLOW_CARD: &str = "4000000000000044";

pub(crate) struct Fleet {
    pub(crate) receiver: OtlpReceiver,
    services: BTreeMap<&'static str, Process>,
    pub(crate) gateway: String,
    token: String,
    pub(crate) http: Client,
    _folder: Folder,
}

impl Fleet {
    /// Starts all services, logs in and fills a cart. The bank of the slow card takes `slow_card`; nobody is less patient.
    pub(crate) async fn start(slow_card: Duration) -> Self {
        let receiver = OtlpReceiver::start().expect("the receiver starts");
        let folder = Folder::create();
        let database = format!("sqlite://{}?mode=rwc", folder.path.join("shop.sqlite").display());
        let mut services = BTreeMap::new();
        let mut start = |name: &'static str, variables: &[(&str, &str)]| {
            let mut command = shop([name]);
            command
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.http_endpoint())
                .env("OTEL_BSP_SCHEDULE_DELAY", "50")
                .env("OTEL_METRIC_EXPORT_INTERVAL", "50")
                .env("NO_PROXY", "127.0.0.1")
                .env("SHOP_REQUEST_TIMEOUT_MS", "120000")
                .env("SHOP_GRACE_MS", "120000")
                .env("SHOP_ORDERS_PEER_TIMEOUT_MS", "120000")
                .env("SHOP_GATEWAY_PEER_TIMEOUT_MS", "120000")
                .env("SHOP_SLOW_CARD_MS", slow_card.as_millis().to_string())
                .envs(variables.iter().copied());
            let mut process = Process::start(command);
            let place = process.read_until(|line| line.strip_prefix("listening on ").map(str::to_owned));
            services.insert(name, process);
            place
        };
        let users = start("users", &[]);
        let inventory = start("inventory", &[]);
        let payments = start("payments", &[]);
        let peers = [("SHOP_INVENTORY_URL", &*inventory), ("SHOP_PAYMENTS_URL", &*payments)];
        let orders = start("orders", &[peers[0], peers[1], ("DATABASE_URL", &database)]);
        start("notifications", &[("DATABASE_URL", &database)]);
        let gateway = start("gateway", &[("SHOP_USERS_URL", &users), peers[0], ("SHOP_ORDERS_URL", &orders)]);
        let http = Client::builder().no_proxy().build().expect("a client");
        let mut fleet = Self { receiver, services, gateway, token: String::new(), http, _folder: folder };
        fleet.log_in().await;
        fleet
    }

    async fn log_in(&mut self) {
        let credentials = json!({"user": "ada.lovelace@example.com", "password": "correct-horse-battery"});
        let login = self.http.post(format!("{}/login", self.gateway)).json(&credentials);
        let session: Value = login.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        self.token = session["token"].as_str().expect("a session has a token").to_owned();
        let cart = self.http.put(format!("{}/cart", self.gateway)).bearer_auth(&self.token);
        let filled = cart.json(&json!([{"sku": "mug", "quantity": 1}])).send().await.unwrap();
        assert_eq!(filled.status(), 204);
    }

    /// An order that is paid with the slow card.
    pub(crate) fn slow_order(&self) -> RequestBuilder {
        let order = self.http.post(format!("{}/orders", self.gateway)).bearer_auth(&self.token);
        order.json(&json!({"card": SLOW_CARD, "gift_note": null}))
    }

    /// Stops all services that still run, callers first.
    pub(crate) fn stop(&mut self) {
        for name in ["gateway", "orders", "payments", "inventory", "users", "notifications"] {
            self.stop_one(name);
        }
    }

    /// Asks a service to stop, if it still runs, and waits until it has.
    pub(crate) fn stop_one(&mut self, name: &str) {
        if let Some(mut service) = self.services.remove(name) {
            service.terminate();
            assert_eq!(service.wait().code(), Some(0), "{name}");
        }
    }

    /// Kills a service.
    pub(crate) fn kill(&mut self, name: &str) {
        self.services.remove(name).expect("it runs").kill();
    }

    /// How many requests a service has last said to be in flight.
    pub(crate) fn in_flight(&self, service: &str) -> Option<f64> {
        let metrics = self.receiver.metrics();
        let last = metrics.iter().rfind(|metric| {
            metric.service() == service && metric.name().ends_with(".server.active_requests")
        })?;
        Some(last.metric.total())
    }

    /// Waits until this many requests are in flight in each of these services.
    pub(crate) async fn wait_for_in_flight(&self, services: &[&str], wanted: f64) {
        let holds = |_: &OtlpReceiver| services.iter().all(|service| self.in_flight(service) == Some(wanted));
        self.receiver.wait_for(PATIENCE, holds).await.expect("requests in flight");
    }

    /// The trace of the one order.
    pub(crate) fn order_trace(&self) -> ReceivedTrace {
        let is_order = |trace: &ReceivedTrace| {
            trace.spans.iter().any(|span| span.service() == "gateway" && span.name == "POST /orders")
        };
        self.receiver.traces().into_iter().find(is_order).expect("the gateway has reported the order")
    }
}

/// The server span of a service in a trace, the first one if it was called more than once.
pub(crate) fn server_span<'t>(trace: &'t ReceivedTrace, service: &str) -> Option<&'t ReceivedSpan> {
    let mut spans = trace.spans.iter().map(AsRef::as_ref);
    spans.find(|span: &&ReceivedSpan| span.service() == service && span.kind == SpanKind::Server)
}
