//! Charges cards, over gRPC. Three test cards behave as their names say, all others are charged.

mod client;
mod proto;

use std::time::Duration;

use tokio_stream::Iter;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub(crate) use client::PaymentsPeer;
pub(crate) use proto::Charge;
use proto::{Payment, PaymentEvent, PaymentsServer, Receipt};

use super::grpc_server::serve_grpc;
use super::server::ServerOptions;
use crate::error::{Outcome, ShopError};
use crate::{Failure, telemetry};

/// A card that is charged.
pub(crate) const GOOD_CARD: &str = "4242424242424242";
/// A card whose bank says no.
pub(crate) const DECLINED_CARD: &str = "4000000000000002";
/// A card whose bank takes its time.
pub(crate) const SLOW_CARD: &str = "4000000000000044";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Milliseconds that the bank of the slow test card takes.
    #[arg(long, env = "SHOP_SLOW_CARD_MS", default_value_t = 4_000)]
    slow_card_ms: u64,
    #[command(flatten)]
    server: ServerOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("payments")?;
    let payments = Payments { slow: Duration::from_millis(options.slow_card_ms) };
    serve_grpc(options.server, PaymentsServer::new(payments), &proto::descriptor_set(), telemetry).await
}

/// The service: what it does about telemetry is its outcome, the layer does the rest.
pub(crate) struct Payments {
    slow: Duration,
}

/// What becomes of a payment, event by event.
type Events = Iter<std::vec::IntoIter<Result<PaymentEvent, Status>>>;

impl Payments {
    async fn charge(&self, request: Request<Charge>) -> Result<Response<Receipt>, Status> {
        telemetry::record_current_tier();
        self.ask_bank(request.get_ref()).await?;
        telemetry::record_outcome(Outcome::Success);
        Ok(Response::new(Receipt { payment_id: Uuid::new_v4().to_string() }))
    }

    /// A stream: its span lasts until the last event.
    async fn events(&self, request: Request<Payment>) -> Result<Response<Events>, Status> {
        telemetry::record_current_tier();
        if request.get_ref().payment_id.is_empty() {
            return Err(ShopError::new(Outcome::ValidationError, "a payment has an id").into());
        }
        let events = ["authorized", "captured"].map(|name| Ok(PaymentEvent { name: name.to_owned() }));
        telemetry::record_outcome(Outcome::Success);
        Ok(Response::new(tokio_stream::iter(Vec::from(events))))
    }

    /// A span of the application, made with `tracing`: it is a child of the server span, and records inside belong to it.
    #[tracing::instrument(skip_all)]
    async fn ask_bank(&self, charge: &Charge) -> Result<(), ShopError> {
        match charge.card.as_str() {
            DECLINED_CARD => return Err(ShopError::new(Outcome::CardDeclined, "the bank declined the card")),
            SLOW_CARD => tokio::time::sleep(self.slow).await,
            _ => {}
        }
        tracing::info!(shop.amount.cents = charge.cents, "card charged");
        Ok(())
    }
}
