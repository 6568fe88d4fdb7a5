//! The options of both kinds of client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::Error;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};

use super::hop::reqwest_policy;
use super::sends::SendRules;
use super::{Client, redirect, retry};
use crate::DestinationPolicy;
use crate::client::{ClientOptions, client_setters};

/// Options for a [`Client`] around a client of yours, made by [`Client::instrument`].
///
/// ```
/// # let provider = opentelemetry_sdk::trace::SdkTracerProvider::default();
/// let client = otel_http::reqwest::Client::instrument(reqwest::Client::new())
///     .with_tracer_provider(provider)
///     .build();
/// ```
#[derive(Clone)]
#[must_use]
pub struct InstrumentBuilder {
    inner: ::reqwest::Client,
    options: ClientOptions,
}

impl InstrumentBuilder {
    pub(super) fn new(inner: ::reqwest::Client) -> Self {
        Self { inner, options: ClientOptions::default() }
    }

    client_setters!();

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        Client { inner: self.inner, settings: self.options.build(), rules: None }
    }
}

impl fmt::Debug for InstrumentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentBuilder")
            .field("inner", &self.inner)
            .field("options", &self.options)
            .finish()
    }
}

/// Builds a [`Client`] that follows redirects and sends again by itself, made by [`Client::builder`]. It is used like
/// [`reqwest::ClientBuilder`].
///
/// Each request on the wire has a span, a duration, and headers for its host: what the
/// [`DestinationPolicy`] allows, and no credentials of another host. The defaults are reqwest's: ten redirects, a
/// `Referer`, no timeout, and requests that an HTTP/2 server has refused are sent again.
///
/// ```
/// use std::time::Duration;
/// use otel_http::{DestinationPolicy, reqwest::Client};
///
/// let client = Client::builder()
///     .timeout(Duration::from_secs(5))
///     .configure(|reqwest| reqwest.pool_max_idle_per_host(8))
///     .with_destinations(DestinationPolicy::new().allow("*.internal"))
///     .build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
#[must_use]
pub struct ClientBuilder {
    inner: ::reqwest::ClientBuilder,
    options: ClientOptions,
    rules: SendRules,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        let rules = SendRules {
            redirect: redirect::Policy::default(),
            retry: retry::Policy::default(),
            default_headers: HeaderMap::new(),
            timeout: None,
            referer: true,
            https_only: false,
        };
        Self { inner: ::reqwest::Client::builder(), options: ClientOptions::default(), rules }
    }

    client_setters!();

    /// Hands trace context and baggage only to the hosts that the policy names, also after a redirect. Default: to all.
    pub fn with_destinations(mut self, destinations: DestinationPolicy) -> Self {
        self.options.destinations = Some(destinations);
        self
    }

    /// Which redirects are followed. Default: ten.
    pub fn redirect(mut self, policy: redirect::Policy) -> Self {
        self.rules.redirect = policy;
        self
    }

    /// Whether a redirected request says where it comes from. Default: `true`.
    pub fn referer(mut self, referer: bool) -> Self {
        self.rules.referer = referer;
        self
    }

    /// When a request is sent again. Default: when an HTTP/2 server has not looked at it.
    pub fn retry(mut self, policy: retry::Policy) -> Self {
        self.rules.retry = policy;
        self
    }

    /// Headers of each request that does not have them already. Those with credentials do not follow a redirect to
    /// another host.
    #[expect(clippy::needless_pass_by_value, reason = "as reqwest's builder takes them")]
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        for (name, value) in &headers {
            self.rules.default_headers.insert(name, value.clone());
        }
        self
    }

    /// The `User-Agent` of each request that has none.
    pub fn user_agent<V>(mut self, user_agent: V) -> Self
    where
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.rules.default_headers.remove(USER_AGENT);
        self.configure(|inner| inner.user_agent(user_agent))
    }

    /// Bounds a call from its start to the end of the response's body, redirects and retries included. Default: no bound.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.rules.timeout = Some(timeout);
        self
    }

    /// Bounds each pause while the response is read. Default: no bound.
    pub fn read_timeout(self, timeout: Duration) -> Self {
        self.configure(|inner| inner.read_timeout(timeout))
    }

    /// Bounds the time to connect. Default: no bound.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.configure(|inner| inner.connect_timeout(timeout))
    }

    /// Refuses URLs, and redirects to URLs, that are not encrypted. Default: `false`.
    pub fn https_only(mut self, https_only: bool) -> Self {
        self.rules.https_only = https_only;
        self.configure(|inner| inner.https_only(https_only))
    }

    /// Sends through a proxy.
    pub fn proxy(self, proxy: ::reqwest::Proxy) -> Self {
        self.configure(|inner| inner.proxy(proxy))
    }

    /// Sends through no proxy, whatever the environment says.
    pub fn no_proxy(self) -> Self {
        self.configure(::reqwest::ClientBuilder::no_proxy)
    }

    /// Does whatever else reqwest's builder can do.
    ///
    /// What this builder has a method of its own for belongs there: a redirect or retry policy set here has no effect, a
    /// timeout set here bounds each request of a call, and default headers set here go to every host.
    pub fn configure(
        mut self,
        change: impl FnOnce(::reqwest::ClientBuilder) -> ::reqwest::ClientBuilder,
    ) -> Self {
        self.inner = change(self.inner);
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// What [`reqwest::ClientBuilder::build`] returns: no TLS, or options that do not fit.
    pub fn build(self) -> Result<Client, Error> {
        let inner = self.inner.redirect(reqwest_policy()).retry(::reqwest::retry::never()).referer(false);
        let rules = Some(Arc::new(self.rules));
        Ok(Client { inner: inner.build()?, settings: self.options.build(), rules })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("inner", &self.inner)
            .field("options", &self.options)
            .field("rules", &self.rules)
            .finish()
    }
}
