//! What the browser talks to: the page, the carts, and the way to all other services.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use opentelemetry::KeyValue;
use serde::{Deserialize, Serialize};
use tower_http::cors::{Any, CorsLayer};

use super::inventory::{Item, Product};
use super::json::Body;
use super::orders::{NewOrder, Placed};
use super::peer::Peer;
use super::server::{ServerOptions, serve};
use super::users::{Credentials, Customer, Session, bearer};
use crate::error::{Outcome, ShopError};
use crate::instruments::GatewayInstruments;
use crate::{Failure, telemetry};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the users service listens.
    #[arg(long, env = "SHOP_USERS_URL")]
    users_url: String,
    /// Where the inventory service listens.
    #[arg(long, env = "SHOP_INVENTORY_URL")]
    inventory_url: String,
    /// Where the orders service listens.
    #[arg(long, env = "SHOP_ORDERS_URL")]
    orders_url: String,
    /// Milliseconds to wait for any of them.
    #[arg(long, env = "SHOP_GATEWAY_PEER_TIMEOUT_MS", default_value_t = 5_000)]
    peer_timeout_ms: u64,
    #[command(flatten)]
    server: ServerOptions,
}

/// How a customer pays for the cart.
#[derive(Serialize, Deserialize)]
pub(crate) struct Checkout {
    pub(crate) card: String,
    pub(crate) gift_note: Option<String>,
}

/// What a page tells about its visitor.
#[derive(Serialize, Deserialize)]
pub(crate) struct PageView {
    pub(crate) page: Page,
}

/// The pages there are: a word from outside may be an attribute of a metric only if it is one of a few.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Page {
    Home,
    Product,
    Checkout,
}

struct Gateway {
    users: Peer,
    inventory: Peer,
    orders: Peer,
    /// What every session has put into its cart.
    carts: Mutex<HashMap<String, Vec<Item>>>,
    instruments: GatewayInstruments,
}

type Shared = State<Arc<Gateway>>;

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("gateway")?;
    let patience = Duration::from_millis(options.peer_timeout_ms);
    let gateway = Arc::new(Gateway {
        users: Peer::new("users", &options.users_url, &["/login", "/session"], patience)?,
        inventory: Peer::new("inventory", &options.inventory_url, &["/products"], patience)?,
        orders: Peer::new("orders", &options.orders_url, &["/orders"], patience)?,
        carts: Mutex::default(),
        instruments: GatewayInstruments::new(),
    });
    let routes = Router::new()
        .route("/", get(page))
        .route("/products", get(products))
        .route("/login", post(login))
        .route("/cart", put(cart))
        .route("/orders", post(order))
        .route("/events", post(page_view))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&gateway), count_calls))
        .with_state(gateway);
    serve(options.server, routes, Some(cors()), telemetry).await
}

/// A page of another origin may call the shop, and may hand over the trace it is in.
fn cors() -> CorsLayer {
    let trace = ["traceparent", "tracestate", "baggage"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers(trace.into_iter().chain([AUTHORIZATION, CONTENT_TYPE]).collect::<Vec<_>>())
        .expose_headers([HeaderName::from_static("x-request-id")])
}

/// Counts every call by route and outcome: with one counter, all that can go wrong is told apart.
async fn count_calls(State(gateway): Shared, route: MatchedPath, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let outcome = response.extensions().get().copied().unwrap_or(Outcome::Success);
    let route = KeyValue::new("http.route", route.as_str().to_owned());
    gateway.instruments.api_calls.add(1, &[route, telemetry::outcome_attribute(outcome)]);
    response
}

async fn page() -> Html<&'static str> {
    Html(include_str!("../../assets/page.html"))
}

async fn products(State(gateway): Shared) -> Result<Json<Vec<Product>>, ShopError> {
    gateway.inventory.get("/products").await.map(Json)
}

async fn login(
    State(gateway): Shared,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Session>, ShopError> {
    gateway.users.post("/login", &credentials).await.map(Json)
}

/// Replaces the cart of the session.
async fn cart(
    State(gateway): Shared,
    headers: HeaderMap,
    Body(items): Body<Vec<Item>>,
) -> Result<StatusCode, ShopError> {
    let (token, customer) = gateway.customer(&headers).await?;
    customer
        .tier
        .scope(async {
            if items.is_empty() || items.iter().any(|item| !(1..=10).contains(&item.quantity)) {
                return Err(ShopError::new(
                    Outcome::ValidationError,
                    "a cart holds 1 to 10 pieces of a product",
                ));
            }
            if gateway.carts().insert(token.to_owned(), items).is_none() {
                gateway.instruments.active_carts.add(1, &[]);
            }
            gateway.count_step("cart");
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

/// Orders what is in the cart of the session.
async fn order(
    State(gateway): Shared,
    headers: HeaderMap,
    Body(checkout): Body<Checkout>,
) -> Result<(StatusCode, Json<Placed>), ShopError> {
    let (token, customer) = gateway.customer(&headers).await?;
    let items = gateway.carts().get(token).cloned().unwrap_or_default();
    let Checkout { card, gift_note } = checkout;
    let new = NewOrder { customer_id: customer.id, items, card, gift_note };
    // From here on every service that is called knows the customer's tier.
    let placed = customer.tier.scope(gateway.place(token, &new)).await?;
    Ok((StatusCode::CREATED, Json(placed)))
}

/// Counts a page view. Two pages are steps to an order as well; the other steps, cart and order, are counted where
/// they happen.
async fn page_view(State(gateway): Shared, Body(PageView { page }): Body<PageView>) -> StatusCode {
    let name = match page {
        Page::Home => "home",
        Page::Product => "product",
        Page::Checkout => "checkout",
    };
    gateway.instruments.page_views.add(1, &[KeyValue::new("shop.page", name)]);
    if matches!(page, Page::Product | Page::Checkout) {
        gateway.count_step(name);
    }
    StatusCode::NO_CONTENT
}

impl Gateway {
    fn carts(&self) -> MutexGuard<'_, HashMap<String, Vec<Item>>> {
        self.carts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_step(&self, step: &'static str) {
        self.instruments.funnel_steps.add(1, &[KeyValue::new("shop.funnel.step", step)]);
    }

    /// Whose session is it?
    async fn customer<'h>(&self, headers: &'h HeaderMap) -> Result<(&'h str, Customer), ShopError> {
        let token = bearer(headers).ok_or_else(|| ShopError::new(Outcome::NotLoggedIn, "log in first"))?;
        Ok((token, self.users.get_as("/session", token).await?))
    }

    async fn place(&self, token: &str, new: &NewOrder) -> Result<Placed, ShopError> {
        let placed = self.orders.post("/orders", new).await?;
        self.instruments.conversions.add(1, &[telemetry::tier_attribute()]);
        self.count_step("order");
        telemetry::record_outcome(Outcome::Success);
        if self.carts().remove(token).is_some() {
            self.instruments.active_carts.add(-1, &[]);
        }
        Ok(placed)
    }
}
