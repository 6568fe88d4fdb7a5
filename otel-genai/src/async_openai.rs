//! Clients of the crate `async-openai`.
//!
//! That crate sends through any tower service that it is given; [`HttpService`] is one that observes what passes:
//!
//! ```
//! use async_openai::{Client, config::OpenAIConfig, middleware::retry::OpenAIRetryLayer};
//! use otel_genai::{GenAiLayer, async_openai::HttpService};
//! use tower::ServiceBuilder;
//!
//! let service = ServiceBuilder::new()
//!     .layer(OpenAIRetryLayer::default()) // outside: each attempt is a call
//!     .service(HttpService::new(GenAiLayer::new(), reqwest::Client::new()));
//! let client = Client::with_config(OpenAIConfig::new()).with_http_service(service);
//! ```
//!
//! A server of your own that speaks OpenAI's API is named with
//! [`with_openai_compatible`](crate::GenAiLayerBuilder::with_openai_compatible).

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::async_openai::error::OpenAIError;
use ::async_openai::middleware::HttpRequestFactory;
use ::reqwest::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{GenAiLayer, GenAiService};

/// Sends the requests of an `async_openai::Client` and observes the calls of models among them.
#[derive(Clone)]
pub struct HttpService<S = ::reqwest::Client> {
    service: GenAiService<S>,
}

impl<S> HttpService<S> {
    /// Sends through `inner`, a `reqwest::Client` or any tower service of its requests.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a layer is handed over to what it is for")]
    pub fn new(layer: GenAiLayer, inner: S) -> Self {
        Self { service: layer.layer(inner) }
    }
}

impl<S> Service<HttpRequestFactory> for HttpService<S>
where
    S: Service<Request, Response = Response, Error = ::reqwest::Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = OpenAIError;
    /// That crate boxes what it awaits, once for each call.
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let mut service = self.service.clone();
        Box::pin(async move {
            let request = factory.build().await?;
            poll_fn(|cx| Service::<Request>::poll_ready(&mut service, cx))
                .await
                .map_err(OpenAIError::Reqwest)?;
            service.call(request).await.map_err(OpenAIError::Reqwest)
        })
    }
}

impl<S: fmt::Debug> fmt::Debug for HttpService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("service", &self.service).finish()
    }
}
