//! The client and what it does with one request.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use ::reqwest::{Error, IntoUrl, Method, Request, Response};
use http::Extensions;
use opentelemetry::Context;
use otel_core::current_context;

use super::builder::{ClientBuilder, InstrumentBuilder};
use super::error::error_type;
use super::hop::Hop;
use super::request::RequestBuilder;
use super::request_bytes::RequestBytes;
use super::response::Sent;
use super::sends::{self, SendRules};
use crate::HttpRequest;
use crate::UrlTemplate;
use crate::client::{ClientSettings, RequestFacts};
use crate::url::Url;

/// reqwest keeps a request's extensions to itself.
static NO_EXTENSIONS: LazyLock<Extensions> = LazyLock::new(Extensions::new);

/// A [`reqwest::Client`] that gives each request a client span and a duration, and hands the context
/// on.
///
/// It is used like the client inside; cloning it is as cheap.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: ::reqwest::Client,
    pub(super) settings: Arc<ClientSettings>,
    /// Of a client that follows redirects and sends again by itself.
    pub(super) rules: Option<Arc<SendRules>>,
}

impl Client {
    /// Instruments `inner` with the defaults: one span for each call.
    #[must_use]
    pub fn new(inner: ::reqwest::Client) -> Self {
        InstrumentBuilder::new(inner).build()
    }

    /// Instruments `inner` with options: one span for each call.
    pub fn instrument(inner: ::reqwest::Client) -> InstrumentBuilder {
        InstrumentBuilder::new(inner)
    }

    /// A client that follows redirects and sends again by itself: one span for each request on the wire.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
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
        RequestBuilder::new(self.clone(), self.inner.request(method, url))
    }

    /// Sends a request that was built before.
    ///
    /// # Errors
    ///
    /// What [`reqwest::Client::execute`] returns, unchanged.
    pub async fn execute(&self, request: Request) -> Result<Response, Error> {
        self.execute_as(request, None).await
    }

    pub(super) async fn execute_as(
        &self,
        request: Request,
        template: Option<UrlTemplate>,
    ) -> Result<Response, Error> {
        let parent = current_context();
        match &self.rules {
            Some(rules) => sends::execute(self, rules, &parent, request, template).await,
            None => {
                let facts = RequestFacts { template: template.as_ref(), resend_count: 0 };
                self.send(&parent, request, &facts, None).await.map(Sent::into_response)
            }
        }
    }

    /// Sends once: one span.
    pub(super) async fn send(
        &self,
        parent: &Context,
        mut request: Request,
        facts: &RequestFacts<'_>,
        hop: Option<&Arc<Hop>>,
    ) -> Result<Sent, Error> {
        let sending = self.settings.start(parent, &view(&request, &NO_EXTENSIONS), facts);
        self.settings.inject(parent, &sending, request.headers_mut());
        let Some(mut observed) = sending.observed else {
            let mut sent = pin!(self.inner.execute(request));
            return poll_fn(|cx| Hop::watch(hop, || sent.as_mut().poll(cx))).await.map(Sent::unobserved);
        };
        let request_bytes = observed.counts_bytes().then(|| RequestBytes::count(&mut request));

        let mut sent = pin!(self.inner.execute(request));
        let poll_sent = |cx: &mut std::task::Context<'_>| -> Poll<_> {
            observed.operation.run(|| Hop::watch(hop, || sent.as_mut().poll(cx)))
        };
        let result = poll_fn(poll_sent).await;
        match result {
            Ok(response) => {
                let bytes = request_bytes.and_then(RequestBytes::known);
                Ok(Sent::new(observed, response, bytes, self.settings.end_at_body))
            }
            Err(error) => {
                if let Some(status) = hop.and_then(|hop| hop.failed_status()) {
                    let mut attributes = observed.operation.attributes();
                    attributes.both("http.response.status_code", i64::from(status.as_u16()));
                }
                observed.operation.fail(error_type(&error));
                Err(error)
            }
        }
    }

    /// The client inside: what it sends is not observed. That of a [`Client::builder`] follows no redirects, sends nothing
    /// again, and knows neither the timeout of a call nor the default headers.
    #[must_use]
    pub fn inner(&self) -> &::reqwest::Client {
        &self.inner
    }
}

pub(super) fn view<'a>(request: &'a Request, extensions: &'a Extensions) -> HttpRequest<'a> {
    HttpRequest {
        method: request.method(),
        url: Url::from_url(request.url()),
        version: request.version(),
        headers: request.headers(),
        extensions,
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("inner", &self.inner)
            .field("settings", &self.settings)
            .field("rules", &self.rules)
            .finish()
    }
}
