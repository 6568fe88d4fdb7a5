//! The layer and its options.

use std::error::Error;
use std::sync::Arc;

use otel_core::HttpFailure;
use tower_layer::Layer;

use super::endpoints::Endpoints;
use super::service::GenAiService;
use super::settings::{ClientError, LayerSettings};
use crate::GenAi;
use crate::provider::{Endpoint, Provider};

/// Observes the calls of models that an HTTP client sends: recognises the APIs by host and path, and reads requests and
/// responses as they pass, unchanged and not held back.
///
/// For any tower client of `http::Request`, and with the feature `reqwest` for `reqwest::Client`:
///
/// ```
/// # use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy, rt::TokioExecutor};
/// use otel_genai::{GenAiLayer, GenAiRequestBody};
/// use tower::ServiceBuilder;
///
/// let client = legacy::Client::builder(TokioExecutor::new()).build_http::<GenAiRequestBody<Full<Bytes>>>();
/// let client = ServiceBuilder::new().layer(GenAiLayer::new()).service(client);
/// ```
///
/// An HTTP client layer inside of this one makes its spans children of the call's. This layer belongs inside of a retry
/// layer, so that each attempt is a call, and outside of whatever decompresses. A call that the application observes by
/// hand, with [`GenAi::chat`] for example, is not observed again.
#[derive(Clone, Debug)]
pub struct GenAiLayer {
    settings: Arc<LayerSettings>,
}

impl GenAiLayer {
    /// A layer with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A layer with options.
    pub fn builder() -> GenAiLayerBuilder {
        GenAiLayerBuilder::default()
    }
}

impl Default for GenAiLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// A layer of this [`GenAi`], which recognises the known hosts.
impl From<GenAi> for GenAiLayer {
    fn from(genai: GenAi) -> Self {
        Self::builder().with_genai(genai).build()
    }
}

impl<S> Layer<S> for GenAiLayer {
    type Service = GenAiService<S>;

    fn layer(&self, inner: S) -> GenAiService<S> {
        GenAiService::new(inner, Arc::clone(&self.settings))
    }
}

/// Options of a [`GenAiLayer`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GenAiLayerBuilder {
    genai: Option<GenAi>,
    endpoints: Endpoints,
    client_errors: Vec<ClientError>,
}

impl GenAiLayerBuilder {
    /// Providers, conventions, content policy, prices. Default: [`GenAi::new`].
    pub fn with_genai(mut self, genai: GenAi) -> Self {
        self.genai = Some(genai);
        self
    }

    /// Requests to `host` speak OpenAI's API: chat, responses, completions, embeddings, below any path. With a port only
    /// that one is meant. `provider` is what the telemetry says: `Provider::OpenAi`, or a name of yours.
    ///
    /// ```
    /// # use otel_genai::{GenAiLayer, provider::Provider};
    /// let layer = GenAiLayer::builder().with_openai_compatible("vllm.internal", Provider::Other("vllm".into()));
    /// ```
    pub fn with_openai_compatible(mut self, host: impl Into<String>, provider: Provider) -> Self {
        self.endpoints.add_openai_compatible(host.into(), provider);
        self
    }

    /// Asks `endpoint` first, with the host (and the port, if one was given) and the path; what it does not know is
    /// recognised as ever. Several may be given; what was given first counts.
    pub fn with_endpoints(
        mut self,
        endpoint: impl Fn(&str, &str) -> Option<Endpoint> + Send + Sync + 'static,
    ) -> Self {
        self.endpoints.add(endpoint);
        self
    }

    /// Every POST through this layer is a call of this endpoint, unless what was given before knows it.
    pub fn with_endpoint(self, endpoint: Endpoint) -> Self {
        self.with_endpoints(move |_, _| Some(endpoint.clone()))
    }

    /// Looks into the inner client's errors of type `E`, and into what caused them, for the classes that
    /// [How an operation ends](crate#how-an-operation-ends) lists, as otel-http's layer does. Without it only reqwest's
    /// errors, [`std::io::Error`] and boxed errors are looked into, because Rust gives a layer no way into other types.
    ///
    /// ```
    /// # use otel_genai::GenAiLayer;
    /// let layer = GenAiLayer::builder().with_client_error::<hyper_util::client::legacy::Error>().build();
    /// ```
    pub fn with_client_error<E: Error + 'static>(mut self) -> Self {
        let of: ClientError = |error| error.downcast_ref::<E>().and_then(|error| HttpFailure::of(error));
        self.client_errors.push(of);
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> GenAiLayer {
        let Self { genai, endpoints, client_errors } = self;
        let settings = LayerSettings {
            genai: genai.unwrap_or_default(),
            endpoints,
            client_errors: client_errors.into(),
        };
        GenAiLayer { settings: Arc::new(settings) }
    }
}
