//! An adapter for `reqwest-middleware`.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use ::reqwest::{Request, Response};
use http::Extensions;
use otel_core::{ErrorType, HttpFailure, current_context};
use reqwest_middleware::{Error, Next};

use super::client::view;
use super::error::error_type;
use super::request_bytes::RequestBytes;
use super::response::respond;
use crate::client::{ClientOptions, ClientSettings, RequestFacts, client_setters};
use crate::{ResendCount, UrlTemplate};

/// Gives each request that passes a `reqwest-middleware` client a client span and a duration, and hands the context on.
///
/// What is added to the client before it is outside: after `reqwest-retry`, each attempt has a span, and
/// `http.request.resend_count` numbers those after the first. Redirects are followed by reqwest, inside of one span and
/// with the same headers to every host, so there is no policy for destinations here; [`Client::builder`] has one.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use otel_http::UrlTemplate;
///
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(otel_http::reqwest::Middleware::new())
///     .build();
/// let request = client.get("http://localhost/users/42").with_extension(UrlTemplate::new("/users/{id}"));
/// ```
///
/// [`Client::builder`]: super::Client::builder
#[derive(Clone)]
pub struct Middleware {
    settings: Arc<ClientSettings>,
}

impl Middleware {
    /// A middleware with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A middleware with options.
    pub fn builder() -> MiddlewareBuilder {
        MiddlewareBuilder::default()
    }
}

impl Default for Middleware {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Middleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let settings = &self.settings;
        let parent = current_context();
        // A retry hands on the extensions that this has been put into.
        extensions.get_or_insert_default::<ResendCount>();
        let template = extensions.get::<UrlTemplate>();
        let facts = RequestFacts { template, resend_count: ResendCount::count_in(extensions) };
        let sending = settings.start(&parent, &view(&request, extensions), &facts);
        settings.inject(&parent, &sending, request.headers_mut());
        let Some(mut observed) = sending.observed else { return next.run(request, extensions).await };
        let bytes = observed.counts_bytes().then(|| RequestBytes::count(&mut request));

        let mut sent = observed.operation.run(|| next.run(request, extensions));
        match poll_fn(|cx| observed.operation.run(|| sent.as_mut().poll(cx))).await {
            Ok(response) => {
                let bytes = bytes.and_then(RequestBytes::known);
                Ok(respond(observed, response, bytes, settings.end_at_body))
            }
            Err(error) => {
                observed.operation.fail(class_of(&error));
                Err(error)
            }
        }
    }
}

fn class_of(error: &Error) -> ErrorType {
    match error {
        Error::Reqwest(error) => error_type(error),
        Error::Middleware(error) => {
            // Another middleware's error may wrap reqwest's.
            let mut causes = error.chain();
            let inner = causes.find_map(|cause| cause.downcast_ref::<::reqwest::Error>());
            let class = || HttpFailure::of(&**error).map(HttpFailure::error_type);
            inner.map(error_type).or_else(class).unwrap_or(ErrorType::OTHER)
        }
    }
}

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Middleware").field("settings", &self.settings).finish()
    }
}

/// Options of a [`Middleware`].
#[derive(Clone, Default)]
#[must_use]
pub struct MiddlewareBuilder {
    options: ClientOptions,
}

impl MiddlewareBuilder {
    client_setters!();

    /// The middleware.
    #[must_use]
    pub fn build(self) -> Middleware {
        Middleware { settings: self.options.build() }
    }
}

impl fmt::Debug for MiddlewareBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiddlewareBuilder").field("options", &self.options).finish()
    }
}
