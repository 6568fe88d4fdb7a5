//! Products, their prices, and how many are left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json::Body;
use super::server::{ServerOptions, serve};
use crate::error::{Outcome, ShopError};
use crate::instruments::{InventoryInstruments, euros, product_attribute};
use crate::{Failure, telemetry};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

/// What is for sale: sku, name, price in cents, pieces in stock at the start.
const CATALOGUE: [(&str, &str, i64, u64); 4] = [
    ("mug", "Coffee mug", 1250, 100_000),
    ("beans", "Coffee beans, 1 kg", 1890, 100_000),
    ("grinder", "Hand grinder", 8900, 100_000),
    ("machine", "Espresso machine", 64900, 3),
];

/// A product as the page shows it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Product {
    sku: String,
    name: String,
    price_cents: i64,
    in_stock: u64,
}

/// Some pieces of one product.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) sku: String,
    pub(crate) quantity: u64,
}

/// Goods that are set aside until they are paid for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) reservation_id: String,
    pub(crate) total_cents: i64,
}

#[derive(Default)]
struct Shelves {
    stock: HashMap<&'static str, u64>,
    reserved: HashMap<String, Vec<Item>>,
}

type Inventory = Arc<Mutex<Shelves>>;

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("inventory")?;
    let stock = CATALOGUE.iter().map(|(sku, _, _, pieces)| (*sku, *pieces)).collect();
    let inventory: Inventory = Arc::new(Mutex::new(Shelves { stock, ..Shelves::default() }));
    report_figures(Arc::clone(&inventory));
    let routes = Router::new()
        .route("/products", get(products))
        .route("/reservations", post(reserve))
        .route("/reservations/{reservation_id}", delete(release))
        .with_state(inventory);
    serve(options.server, routes, None, telemetry).await
}

fn report_figures(inventory: Inventory) {
    let instruments = InventoryInstruments::new(move || {
        lock(&inventory).stock.iter().map(|(sku, pieces)| (*sku, *pieces)).collect()
    });
    for (sku, _, cents, _) in CATALOGUE {
        instruments.price.record(euros(cents), &[product_attribute(sku)]);
    }
}

fn lock(inventory: &Inventory) -> MutexGuard<'_, Shelves> {
    inventory.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn products(State(inventory): State<Inventory>) -> Json<Vec<Product>> {
    let shelves = lock(&inventory);
    let product = |(sku, name, price_cents, _): (&'static str, &str, i64, u64)| Product {
        sku: sku.to_owned(),
        name: name.to_owned(),
        price_cents,
        in_stock: shelves.stock.get(sku).copied().unwrap_or_default(),
    };
    Json(CATALOGUE.map(product).into())
}

/// Sets all items aside, or none.
async fn reserve(
    State(inventory): State<Inventory>,
    Body(items): Body<Vec<Item>>,
) -> Result<Json<Reservation>, ShopError> {
    let mut shelves = lock(&inventory);
    let total_cents = total_cents(&items)?;
    let mut left = shelves.stock.clone();
    for item in &items {
        let pieces = left.get_mut(item.sku.as_str()).ok_or_else(unknown_product)?;
        *pieces = pieces.checked_sub(item.quantity).ok_or_else(|| {
            ShopError::new(Outcome::OutOfStock, format!("only {pieces} of {} are left", item.sku))
        })?;
    }
    shelves.stock = left;
    let reservation_id = Uuid::new_v4().to_string();
    shelves.reserved.insert(reservation_id.clone(), items);
    telemetry::record_outcome(Outcome::Success);
    Ok(Json(Reservation { reservation_id, total_cents }))
}

fn total_cents(items: &[Item]) -> Result<i64, ShopError> {
    items.iter().try_fold(0_i64, |total, item| {
        let (_, _, cents, _) =
            CATALOGUE.iter().find(|(sku, ..)| *sku == item.sku).ok_or_else(unknown_product)?;
        let quantity = i64::try_from(item.quantity).unwrap_or(i64::MAX);
        Ok(total.saturating_add(cents.saturating_mul(quantity)))
    })
}

fn unknown_product() -> ShopError {
    ShopError::new(Outcome::UnknownProduct, "the shop does not sell that")
}

/// Puts the goods of an order that came to nothing back on the shelves.
async fn release(State(inventory): State<Inventory>, Path(reservation_id): Path<String>) -> StatusCode {
    let mut shelves = lock(&inventory);
    for item in shelves.reserved.remove(&reservation_id).unwrap_or_default() {
        if let Some(pieces) = shelves.stock.get_mut(item.sku.as_str()) {
            *pieces += item.quantity;
        }
    }
    StatusCode::NO_CONTENT
}
