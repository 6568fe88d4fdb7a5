//! Customers, their passwords and their sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use opentelemetry::KeyValue;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json::Body;
use super::server::{ServerOptions, serve};
use crate::Failure;
use crate::error::{Outcome, ShopError};
use crate::instruments::UsersInstruments;
use crate::telemetry::{self, Tier};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

/// A person who buys. The id says nothing about who it is, so it may leave the service.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: u32,
    pub(crate) tier: Tier,
}

/// Who wants to log in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What a login gives.
#[derive(Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) tier: Tier,
}

/// Name, password and customer. A real shop stores no password, but a salted hash.
pub(crate) const ACCOUNTS: [(&str, &str, Customer); 2] = [
    ("ada.lovelace@example.com", "correct-horse-battery", Customer { id: 1001, tier: Tier::Gold }),
    ("grace.hopper@example.com", "staple-nanosecond-wire", Customer { id: 1002, tier: Tier::Standard }),
];

struct Users {
    sessions: Mutex<HashMap<String, Customer>>,
    instruments: UsersInstruments,
}

pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let telemetry = telemetry::install("users")?;
    let users = Users { sessions: Mutex::default(), instruments: UsersInstruments::new() };
    let routes = Router::new()
        .route("/login", post(login))
        .route("/session", get(session))
        .with_state(Arc::new(users));
    serve(options.server, routes, None, telemetry).await
}

async fn login(
    State(users): State<Arc<Users>>,
    Body(credentials): Body<Credentials>,
) -> Result<Json<Session>, ShopError> {
    let started = Instant::now();
    let checked = check(&credentials);

    // The reason is for the operator alone: the caller must not learn which names exist.
    let (outcome, reason) = match &checked {
        Ok(_) => (Outcome::Success, "none"),
        Err(reason) => (Outcome::WrongPassword, *reason),
    };
    let attributes = [telemetry::outcome_attribute(outcome), KeyValue::new("app.reason", reason)];
    users.instruments.login_attempts.add(1, &attributes);
    users.instruments.login_duration.record(started.elapsed().as_secs_f64(), &attributes);

    let customer = checked.map_err(|_| ShopError::new(outcome, "user name or password is wrong"))?;
    let token = Uuid::new_v4().to_string();
    users.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), customer);
    telemetry::record_outcome(outcome);
    Ok(Json(Session { token, tier: customer.tier }))
}

fn check(credentials: &Credentials) -> Result<Customer, &'static str> {
    let (_, password, customer) =
        ACCOUNTS.iter().find(|(name, ..)| *name == credentials.user).ok_or("unknown_user")?;
    if *password == credentials.password { Ok(*customer) } else { Err("wrong_password") }
}

/// Whose session is it?
async fn session(State(users): State<Arc<Users>>, headers: HeaderMap) -> Result<Json<Customer>, ShopError> {
    let sessions = users.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let customer = bearer(&headers).and_then(|token| sessions.get(token));
    customer.copied().map(Json).ok_or_else(|| ShopError::new(Outcome::NotLoggedIn, "log in first"))
}

/// The token of an `authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}
