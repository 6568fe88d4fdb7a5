//! An instrumented [`reqwest::Client`].
//!
//! ```no_run
//! # async fn example() -> Result<(), reqwest::Error> {
//! let client = otel_http::reqwest::Client::new(reqwest::Client::new());
//! let answer = client.get("http://localhost:3000/users/42").send().await?;
//! # Ok(()) }
//! ```
//!
//! One span covers what reqwest does inside of one call, its redirects included; it ends at the response's head.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ::reqwest::{Body, Error, IntoUrl, Method, Request, Response};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};
use otel_core::carrier::HeaderInjector;
use otel_core::{ErrorType, Instrumenter, Operation, Providers};
use serde::Serialize;

use crate::client::{ClientConvention, ClientResponse};
use crate::hook::call_hook;
use crate::url::Url;
use crate::{HttpRequest, scope};

type Filter = Arc<dyn Fn(&HttpRequest<'_>) -> bool + Send + Sync>;

/// reqwest keeps a request's extensions to itself.
static NO_EXTENSIONS: LazyLock<Extensions> = LazyLock::new(Extensions::new);

/// A [`reqwest::Client`] that gives each request a client span and a duration, and hands the context on.
///
/// It is used like the client inside; cloning it is as cheap.
#[derive(Clone)]
pub struct Client {
    inner: ::reqwest::Client,
    settings: Arc<Settings>,
}

struct Settings {
    instrumenter: Instrumenter<ClientConvention>,
    filter: Option<Filter>,
}

impl Client {
    /// Instruments `inner` with the defaults.
    #[must_use]
    pub fn new(inner: ::reqwest::Client) -> Self {
        ClientBuilder::new(inner).build()
    }

    /// Instruments `inner` with options.
    pub fn instrument(inner: ::reqwest::Client) -> ClientBuilder {
        ClientBuilder::new(inner)
    }

    /// A GET request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// A POST request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A PUT request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// A PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// A DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// A HEAD request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder { inner: self.inner.request(method, url), client: self.clone() }
    }

    /// Sends a request that was built before.
    ///
    /// # Errors
    ///
    /// What [`reqwest::Client::execute`] returns, unchanged.
    pub async fn execute(&self, mut request: Request) -> Result<Response, Error> {
        let parent = Context::current();
        let mut operation = self.settings.start(&parent, &request);
        let context = operation.as_ref().map_or(&parent, |operation| operation.context());
        let mut carrier = HeaderInjector::new(request.headers_mut());
        self.settings.instrumenter.providers().inject(context, &mut carrier);

        let mut sent = pin!(self.inner.execute(request));
        let result = match operation.as_mut() {
            Some(operation) => poll_fn(|cx| operation.run(|| sent.as_mut().poll(cx))).await,
            None => sent.await,
        };
        if let Some(operation) = operation {
            end(operation, &result);
        }
        result
    }

    /// The client inside: what it sends is not observed.
    #[must_use]
    pub fn inner(&self) -> &::reqwest::Client {
        &self.inner
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("inner", &self.inner)
            .field("instrumenter", &self.settings.instrumenter)
            .finish_non_exhaustive()
    }
}

impl Settings {
    fn start(&self, parent: &Context, request: &Request) -> Option<Operation<ClientConvention>> {
        let view = HttpRequest {
            method: request.method(),
            url: Url::from_url(request.url()),
            version: request.version(),
            headers: request.headers(),
            extensions: &NO_EXTENSIONS,
        };
        let wanted = self.filter.as_ref().is_none_or(|wanted| call_hook(|| wanted(&view), true));
        wanted.then(|| self.instrumenter.start(parent, &view))
    }
}

fn end(mut operation: Operation<ClientConvention>, result: &Result<Response, Error>) {
    match result {
        Ok(response) => {
            let (status, version) = (response.status(), response.version());
            operation.on_response(&ClientResponse { status, version });
            operation.end();
        }
        Err(error) => operation.fail(error_type(error)),
    }
}

/// The class of a reqwest error, the most telling one first: a connection that timed out is a timeout.
fn error_type(error: &Error) -> ErrorType {
    match error {
        error if error.is_timeout() => ErrorType::TIMEOUT,
        error if error.is_dns() => ErrorType::new("dns"),
        error if error.is_connect() => ErrorType::new("connect"),
        error if error.is_redirect() => ErrorType::new("redirect"),
        error if error.is_body() => ErrorType::new("body"),
        error if error.is_decode() => ErrorType::new("decode"),
        error if error.is_builder() || error.is_request() => ErrorType::new("request"),
        _ => ErrorType::OTHER,
    }
}

/// Options of a [`Client`].
///
/// ```
/// # let provider = opentelemetry_sdk::trace::SdkTracerProvider::default();
/// let client = otel_http::reqwest::Client::instrument(reqwest::Client::new())
///     .with_tracer_provider(provider)
///     .build();
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    inner: ::reqwest::Client,
    providers: Providers,
    filter: Option<Filter>,
}

impl ClientBuilder {
    fn new(inner: ::reqwest::Client) -> Self {
        Self { inner, providers: Providers::global(), filter: None }
    }

    /// Spans from this provider. Default: the global one, also if it is set later.
    pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.providers.set_tracer_provider(provider);
        self
    }

    /// Instruments from this provider. Default: the global one, also if it is set later.
    pub fn with_meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        self.providers.set_meter_provider(provider);
        self
    }

    /// Writes the context into the request with this propagator. Default: the global one.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.providers.set_propagator(propagator);
        self
    }

    /// Observes only requests for which `wanted` says yes; others pass without span and metrics. Default: all.
    pub fn with_filter(mut self, wanted: impl Fn(&HttpRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let instrumenter = Instrumenter::new(scope(), self.providers, ClientConvention);
        Client { inner: self.inner, settings: Arc::new(Settings { instrumenter, filter: self.filter }) }
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("inner", &self.inner)
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}

/// A request that is being put together, like [`reqwest::RequestBuilder`].
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    inner: ::reqwest::RequestBuilder,
    client: Client,
}

impl RequestBuilder {
    /// Adds a header.
    pub fn header<K, V>(self, key: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.map(|inner| inner.header(key, value))
    }

    /// Adds headers, in place of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.map(|inner| inner.headers(headers))
    }

    /// Adds pairs to the URL's query.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.map(|inner| inner.query(query))
    }

    /// Sets a bearer token.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.map(|inner| inner.bearer_auth(token))
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.map(|inner| inner.body(body))
    }

    /// Sets the body to `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.map(|inner| inner.json(value))
    }

    /// Bounds the time until the response's body has been read.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Does whatever else reqwest's builder can do.
    ///
    /// ```
    /// # let client = otel_http::reqwest::Client::new(reqwest::Client::new());
    /// let request = client.get("http://localhost/").map(|inner| inner.basic_auth("user", Some("secret")));
    /// ```
    pub fn map(self, change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder) -> Self {
        Self { inner: change(self.inner), client: self.client }
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// What [`reqwest::RequestBuilder::send`] returns, unchanged. A request that could not be built has no span.
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.inner.build()?;
        self.client.execute(request).await
    }
}
