//! A request that is being put together.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use ::reqwest::{Body, Error, Request, Response, Version};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::Client;
use crate::UrlTemplate;

/// A request that is being put together, like [`reqwest::RequestBuilder`].
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    client: Client,
    inner: ::reqwest::RequestBuilder,
    template: Option<UrlTemplate>,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, inner: ::reqwest::RequestBuilder) -> Self {
        Self { client, inner, template: None }
    }

    /// Says what the URL has in common with others, such as `/users/{id}`: it names the span and is recorded as
    /// `url.template` (stability: development) on span and metrics. It must have few different values.
    pub fn url_template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.template = Some(UrlTemplate::new(template));
        self
    }

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

    /// Sets a user name and perhaps a password.
    pub fn basic_auth(self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.map(|inner| inner.basic_auth(user, password))
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

    /// Sets the body to the pairs of `form`, as a browser does for `application/x-www-form-urlencoded`.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.map(|inner| inner.form(form))
    }

    /// Bounds the time until the response's body has been read.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|inner| inner.timeout(timeout))
    }

    /// Sets the version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.map(|inner| inner.version(version))
    }

    /// Does whatever else reqwest's builder can do, such as `.map(|inner| inner.multipart(form))` with reqwest's feature
    /// `multipart`.
    ///
    /// ```
    /// # let client = otel_http::reqwest::Client::new(reqwest::Client::new());
    /// let request = client.get("http://localhost/").map(|inner| inner.basic_auth("user", Some("secret")));
    /// ```
    pub fn map(self, change: impl FnOnce(::reqwest::RequestBuilder) -> ::reqwest::RequestBuilder) -> Self {
        Self { inner: change(self.inner), ..self }
    }

    /// The request, for [`Client::execute`]. It does not remember its template.
    ///
    /// # Errors
    ///
    /// What [`reqwest::RequestBuilder::build`] returns.
    pub fn build(self) -> Result<Request, Error> {
        self.inner.build()
    }

    /// The same request once more; `None` if its body is a stream.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        let (client, template) = (self.client.clone(), self.template.clone());
        Some(Self { client, inner: self.inner.try_clone()?, template })
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// What [`reqwest::RequestBuilder::send`] returns, unchanged. A request that could
    /// not be built has no span.
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.inner.build()?;
        self.client.execute_as(request, self.template).await
    }
}
