//! A customer in place of a browser: logs in, looks around, fills a cart and orders.

use std::fmt;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use crate::Failure;
use crate::error::{ErrorBody, Outcome};
use crate::services::assistant::{self, Question};
use crate::services::gateway::{Checkout, Page, PageView};
use crate::services::inventory::Item;
use crate::services::orders::Placed;
use crate::services::payments::{DECLINED_CARD, GOOD_CARD, SLOW_CARD};
use crate::services::users::{ACCOUNTS, Credentials, Session};

/// A sample order and what must come of it.
pub(crate) struct Sample {
    pub(crate) number: usize,
    pub(crate) expected: Outcome,
    item: Item,
    checkout: Checkout,
}

impl Sample {
    /// The `number`th order, counted from 1. What goes wrong with it is told by the last digit.
    pub(crate) fn new(number: usize) -> Self {
        let ordinary = ["mug", "beans", "grinder"][number % 3];
        let note = || Some("Happy birthday! ".repeat(8));
        let (expected, sku, quantity, card, gift_note) = match number % 10 {
            3 => (Outcome::CardDeclined, ordinary, 1, DECLINED_CARD, None),
            5 => (Outcome::OutOfStock, "machine", 4, GOOD_CARD, None),
            7 => (Outcome::GatewayTimeout, ordinary, 1, SLOW_CARD, None),
            8 => (Outcome::ValidationError, ordinary, 1, "4242", None),
            9 => (Outcome::DatabaseError, ordinary, 1, GOOD_CARD, note()),
            digit => (Outcome::Success, ordinary, 1 + digit as u64 % 3, GOOD_CARD, None),
        };
        let item = Item { sku: sku.to_owned(), quantity };
        Self { number, expected, item, checkout: Checkout { card: card.to_owned(), gift_note } }
    }
}

/// What came of a sample order.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) number: usize,
    pub(crate) expected: Outcome,
    pub(crate) outcome: Outcome,
    pub(crate) status: StatusCode,
    pub(crate) trace_id: String,
}

/// The customers of the shop, all logged in.
pub(crate) struct Shopper {
    http: Client,
    gateway: String,
    tokens: Vec<String>,
}

/// The customer of the first order asks the assistant; gives what it says.
pub(crate) async fn ask(assistant: &str) -> Result<String, Failure> {
    let question = Question {
        customer_id: ACCOUNTS[1 % ACCOUNTS.len()].2.id,
        question: "What became of my last order?".to_owned(),
    };
    let http = Client::builder().no_proxy().build()?;
    let answer = http.post(format!("{assistant}/questions")).json(&question).send().await?;
    Ok(answer.error_for_status()?.json::<assistant::Answer>().await?.answer)
}

impl Shopper {
    /// Logs every customer in, after one has mistyped the password.
    pub(crate) async fn log_in(gateway: &str) -> Result<Self, Failure> {
        let http = Client::builder().no_proxy().build()?;
        let mut shopper = Self { http, gateway: gateway.to_owned(), tokens: Vec::new() };
        shopper.view(Page::Home).await?;
        for (attempt, (user, password, _)) in ACCOUNTS.iter().enumerate() {
            let credentials =
                |password: &str| Credentials { user: (*user).to_owned(), password: password.to_owned() };
            if attempt == 0 {
                let refused =
                    shopper.request(Method::POST, "/login").json(&credentials("mistyped")).send().await?;
                expect(refused.status(), StatusCode::UNAUTHORIZED)?;
            }
            let login = shopper.request(Method::POST, "/login").json(&credentials(password));
            let session: Session = login.send().await?.error_for_status()?.json().await?;
            shopper.tokens.push(session.token);
        }
        Ok(shopper)
    }

    /// Sends one order, and whatever a customer does before.
    pub(crate) async fn order(&self, sample: &Sample) -> Result<Answer, Failure> {
        let authorization = format!("Bearer {}", self.tokens[sample.number % self.tokens.len()]);
        self.view(Page::Product).await?;
        let cart = self.request(Method::PUT, "/cart").header("authorization", &authorization);
        cart.json(&[&sample.item]).send().await?.error_for_status()?;
        self.view(Page::Checkout).await?;
        let order = self.request(Method::POST, "/orders").header("authorization", &authorization);
        let answer = order.json(&sample.checkout).send().await?;

        let status = answer.status();
        let (outcome, trace_id) = if status.is_success() {
            (Outcome::Success, read::<Placed>(answer).await?.trace_id)
        } else {
            let error: ErrorBody = read(answer).await?;
            (error.outcome, error.trace_id)
        };
        Ok(Answer { number: sample.number, expected: sample.expected, outcome, status, trace_id })
    }

    async fn view(&self, page: Page) -> Result<(), Failure> {
        self.request(Method::POST, "/events").json(&PageView { page }).send().await?.error_for_status()?;
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.gateway))
    }
}

fn expect(got: StatusCode, wanted: StatusCode) -> Result<(), Failure> {
    if got == wanted { Ok(()) } else { Err(format!("the gateway answered {got}, not {wanted}").into()) }
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T, Failure> {
    let status = answer.status();
    let body = answer.text().await?;
    serde_json::from_str(&body).map_err(|_| format!("the gateway answered {status}: {body}").into())
}

impl Answer {
    /// What is wrong with it, if it is not the one that was expected.
    pub(crate) fn problem(&self) -> Option<String> {
        (self.outcome != self.expected).then(|| format!("{self}: {} was expected", self.expected.as_str()))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, outcome, status, trace_id, .. } = self;
        write!(f, "order {number}: {} {} (trace {trace_id})", status.as_u16(), outcome.as_str())
    }
}
