//! Takes orders: notes them, has the goods set aside and the card charged, and leaves word in the outbox.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use otel_core::carry;
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::database::{self, Database};
use super::inventory::{Item, Reservation};
use super::json::Body;
use super::payments::{Charge, PaymentsPeer};
use super::peer::Peer;
use super::server::{ServerOptions, serve_and_finish};
use crate::error::{Outcome, ShopError};
use crate::instruments::{OrdersInstruments, euros, product_attribute};
use crate::{Failure, telemetry};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the inventory service listens.
    #[arg(long, env = "SHOP_INVENTORY_URL")]
    inventory_url: String,
    /// Where the payments service listens.
    #[arg(long, env = "SHOP_PAYMENTS_URL")]
    payments_url: String,
    /// The database: `postgres://..`, or `sqlite://FILE?mode=rwc`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Milliseconds to wait for the inventory and for the payments service.
    #[arg(long, env = "SHOP_ORDERS_PEER_TIMEOUT_MS", default_value_t = 1_500)]
    peer_timeout_ms: u64,
    #[command(flatten)]
    server: ServerOptions,
}

/// What a customer wants.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewOrder {
    pub(crate) customer_id: u32,
    pub(crate) items: Vec<Item>,
    pub(crate) card: String,
    pub(crate) gift_note: Option<String>,
}

/// What a customer gets.
#[derive(Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) order_id: String,
    pub(crate) total_cents: i64,
    pub(crate) trace_id: String,
}

struct Orders {
    inventory: Peer,
    payments: PaymentsPeer,
    database: Database,
    /// The orders that have begun.
    placing: TaskTracker,
    instruments: OrdersInstruments,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("orders")?;
    let patience = Duration::from_millis(options.peer_timeout_ms);
    let reserving = ["/reservations", "/reservations/{id}"];
    let orders = Orders {
        inventory: Peer::new("inventory", &options.inventory_url, &reserving, patience)?,
        payments: PaymentsPeer::new(&options.payments_url, patience)?,
        database: database::open(&options.database_url, "orders").await?,
        placing: TaskTracker::new(),
        instruments: OrdersInstruments::new(),
    };
    let orders = Arc::new(orders);
    let routes = Router::new().route("/orders", post(order)).with_state(Arc::clone(&orders));
    let finish = async {
        orders.placing.close();
        orders.placing.wait().await;
        // Its threads hold the spans of the last queries until then.
        orders.database.close().await;
    };
    serve_and_finish(options.server, routes, None, finish, telemetry).await
}

async fn order(
    State(orders): State<Arc<Orders>>,
    Body(new): Body<NewOrder>,
) -> Result<(StatusCode, Json<Placed>), ShopError> {
    // A task of its own: an order that has begun is brought to an end even if the customer does not wait for it, or the
    // service is asked to stop. `carry::future` keeps the trace and the baggage; in a task both would be lost.
    let placing = orders.placing.clone();
    let placed = placing.spawn(carry::future(async move { orders.place(&new).await })).await;
    let placed = placed.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
    telemetry::record_outcome(Outcome::Success);
    Ok((StatusCode::CREATED, Json(placed)))
}

impl Orders {
    /// Brings an order to an end, and counts it whatever that is.
    async fn place(&self, new: &NewOrder) -> Result<Placed, ShopError> {
        let placed = self.try_to_place(new).await;
        let outcome = placed.as_ref().map_or_else(ShopError::outcome, |_| Outcome::Success);
        let attributes = [telemetry::outcome_attribute(outcome), telemetry::tier_attribute()];
        self.instruments.orders.add(1, &attributes);
        if let Ok(placed) = &placed {
            self.count_sale(new, placed);
        }
        placed
    }

    async fn try_to_place(&self, new: &NewOrder) -> Result<Placed, ShopError> {
        validate(new)?;
        let order_id = Uuid::new_v4().to_string();
        let customer_id = new.customer_id.to_string();
        database::insert_order(&self.database, &order_id, &customer_id, new.gift_note.as_deref()).await?;
        match self.sell(new).await {
            Ok(total_cents) => {
                database::pay_order(&self.database, &order_id, total_cents).await?;
                tracing::info!(shop.order.id = order_id, "order placed");
                Ok(Placed { order_id, total_cents, trace_id: telemetry::trace_id() })
            }
            Err(error) => {
                database::fail_order(&self.database, &order_id).await?;
                Err(error)
            }
        }
    }

    /// Goods first, then money; without the money, the goods go back.
    async fn sell(&self, new: &NewOrder) -> Result<i64, ShopError> {
        let Reservation { reservation_id, total_cents } =
            self.inventory.post("/reservations", &new.items).await?;
        let charge = Charge { card: new.card.clone(), cents: total_cents };
        if let Err(error) = self.payments.charge(charge).await {
            if self.inventory.delete(&format!("/reservations/{reservation_id}")).await.is_err() {
                tracing::warn!("the goods of a failed order are still set aside");
            }
            return Err(error);
        }
        Ok(total_cents)
    }

    fn count_sale(&self, new: &NewOrder, placed: &Placed) {
        let tier = [telemetry::tier_attribute()];
        let value = euros(placed.total_cents);
        self.instruments.revenue.add(value, &tier);
        self.instruments.order_value.record(value, &tier);
        for item in &new.items {
            self.instruments.items_sold.add(item.quantity, &[product_attribute(item.sku.clone())]);
        }
    }
}

fn validate(new: &NewOrder) -> Result<(), ShopError> {
    let invalid = |message: &str| Err(ShopError::new(Outcome::ValidationError, message));
    if new.items.is_empty() {
        return invalid("the cart is empty");
    }
    if new.card.len() != 16 || !new.card.bytes().all(|digit| digit.is_ascii_digit()) {
        return invalid("a card number has 16 digits");
    }
    // That a gift note has at most 80 characters is known to the database alone: a mistake to find in the traces.
    Ok(())
}
