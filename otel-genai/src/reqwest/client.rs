//! A client to use in the place of reqwest's.

use std::fmt::{self, Display};
use std::future::poll_fn;
use std::time::Duration;

use ::reqwest::{Body, Error, IntoUrl, Method, Request, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tower_layer::Layer;
use tower_service::Service;

use crate::{GenAiLayer, GenAiService};

/// A [`reqwest::Client`](::reqwest::Client) whose calls of models are observed; others pass as ever. Cloning it is cheap.
#[derive(Clone)]
pub struct Client<S = ::reqwest::Client> {
    requests: ::reqwest::Client,
    service: GenAiService<S>,
}

impl Client {
    /// Observes the calls of `inner`.
    #[must_use]
    pub fn new(layer: GenAiLayer, inner: ::reqwest::Client) -> Self {
        Self::through(layer, inner.clone(), inner)
    }
}

impl<S> Client<S> {
    /// Makes requests with `requests` and sends them through `send`, any tower service of reqwest's requests.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a layer is handed over to what it is for")]
    pub fn through(layer: GenAiLayer, requests: ::reqwest::Client, send: S) -> Self {
        Self { requests, service: layer.layer(send) }
    }
}

impl<S> Client<S>
where
    S: Service<Request, Response = Response, Error = Error> + Clone,
{
    /// A POST request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder<S> {
        self.request(Method::POST, url)
    }

    /// A GET request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder<S> {
        self.request(Method::GET, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder<S> {
        RequestBuilder { client: self.clone(), inner: self.requests.request(method, url) }
    }

    /// Sends a request that was built before.
    ///
    /// # Errors
    ///
    /// What the client inside returns, unchanged.
    pub async fn execute(&self, request: Request) -> Result<Response, Error> {
        let mut service = self.service.clone();
        poll_fn(|cx| Service::<Request>::poll_ready(&mut service, cx)).await?;
        service.call(request).await
    }
}

impl<S: fmt::Debug> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A request that is being put together, like [`reqwest::RequestBuilder`](::reqwest::RequestBuilder).
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder<S = ::reqwest::Client> {
    client: Client<S>,
    inner: ::reqwest::RequestBuilder,
}

impl<S> RequestBuilder<S>
where
    S: Service<Request, Response = Response, Error = Error> + Clone,
{
    /// Adds a header.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|inner| inner.header(name, value))
    }

    /// Adds headers.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|inner| inner.headers(headers))
    }

    /// Adds a token.
    pub fn bearer_auth(self, token: impl Display) -> Self {
        self.map(|inner| inner.bearer_auth(token))
    }

    /// The body, as JSON. What cannot be written is the error of [`send`](Self::send), and nothing is sent.
    pub fn json(self, json: &(impl Serialize + ?Sized)) -> Self {
        self.map(|inner| inner.json(json))
    }

    /// The body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// Bounds the call, from its start to the end of the response's body.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Does whatever else reqwest's builder can do.
    pub fn map(
        mut self,
        change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder,
    ) -> Self {
        self.inner = change(self.inner);
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// The request cannot be built, or what the client inside returns.
    pub async fn send(self) -> Result<Response, Error> {
        self.client.execute(self.inner.build()?).await
    }
}
