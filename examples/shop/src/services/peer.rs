//! Another service, as its clients see it.

use std::time::Duration;

use otel_http::reqwest::{Client, RequestBuilder};
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ErrorBody, Outcome, ShopError};

/// A service that is called over HTTP.
#[derive(Clone)]
pub(crate) struct Peer {
    name: &'static str,
    url: String,
    timeout: Duration,
    http: Client,
}

impl Peer {
    /// `name` is for messages, `url` is where it listens, and `routes` are what the spans of calls are named by.
    pub(crate) fn new(
        name: &'static str,
        url: &str,
        routes: &[&'static str],
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        // Services of one shop find each other without the proxy that the way out may need.
        let client = reqwest::Client::builder().no_proxy().build()?;
        let http = Client::instrument(client).with_url_templates(routes.iter().copied()).build();
        Ok(Self { name, url: url.trim_end_matches('/').to_owned(), timeout, http })
    }

    pub(crate) async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, ShopError> {
        self.read(self.send(self.request(Method::GET, path)).await?).await
    }

    /// GET on behalf of the holder of this session token.
    pub(crate) async fn get_as<R: DeserializeOwned>(&self, path: &str, token: &str) -> Result<R, ShopError> {
        let request = self.request(Method::GET, path).header("authorization", format!("Bearer {token}"));
        self.read(self.send(request).await?).await
    }

    pub(crate) async fn post<R: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<R, ShopError> {
        self.read(self.send(self.request(Method::POST, path).json(body)).await?).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), ShopError> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).timeout(self.timeout)
    }

    /// The answer, if it is a good one.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ShopError> {
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(ShopError::passed_on(self.read::<ErrorBody>(answer).await?))
    }

    async fn read<R: DeserializeOwned>(&self, answer: Response) -> Result<R, ShopError> {
        answer.json().await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: reqwest::Error) -> ShopError {
        let name = self.name;
        let failed = match error.is_timeout() {
            true => ShopError::new(Outcome::GatewayTimeout, format!("{name} did not answer in time")),
            false => ShopError::new(Outcome::ServiceUnavailable, format!("{name} gave no usable answer")),
        };
        failed.because(error)
    }
}
