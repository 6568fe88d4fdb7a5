//! Charges cards. Three test cards behave as their names say, all others are charged.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json::Body;
use super::server::{ServerOptions, serve};
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

/// What to charge. The card number goes no further than this service.
#[derive(Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) card: String,
    pub(crate) cents: i64,
}

/// What was charged.
#[derive(Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) payment_id: String,
}

struct Payments {
    slow: Duration,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("payments")?;
    let payments = Payments { slow: Duration::from_millis(options.slow_card_ms) };
    let routes = Router::new().route("/charges", post(charge)).with_state(Arc::new(payments));
    serve(options.server, routes, None, telemetry).await
}

async fn charge(
    State(payments): State<Arc<Payments>>,
    Body(charge): Body<Charge>,
) -> Result<Json<Receipt>, ShopError> {
    ask_bank(&payments, &charge).await?;
    telemetry::record_outcome(Outcome::Success);
    Ok(Json(Receipt { payment_id: Uuid::new_v4().to_string() }))
}

/// A span of the application, made with `tracing`: it is a child of the server span, and records inside belong to it.
#[tracing::instrument(skip_all)]
async fn ask_bank(payments: &Payments, charge: &Charge) -> Result<(), ShopError> {
    match charge.card.as_str() {
        DECLINED_CARD => return Err(ShopError::new(Outcome::CardDeclined, "the bank declined the card")),
        SLOW_CARD => tokio::time::sleep(payments.slow).await,
        _ => {}
    }
    tracing::info!(shop.amount.cents = charge.cents, "card charged");
    Ok(())
}
