//! What all operations of an application share, and how they begin.

use std::fmt;
use std::sync::Arc;

use opentelemetry::{Context, InstrumentationScope};
use otel_core::{ErrorType, EventLog, Instrumenter, Operation, Providers};

use crate::GenAiConventions;
use crate::builder::GenAiBuilder;
use crate::content::ContentPolicy;
use crate::mcp::{McpConvention, Side};
use crate::metrics::GenAiMetrics;
use crate::operation::{GenAiConvention, GenAiRequest, OperationFacts, Vocabulary};
use crate::price::PriceTable;
use crate::provider::{ProviderError, ResponseFacts};
use otel_core::call_hook;

pub(crate) type Filter = Arc<dyn Fn(&GenAiRequest<'_>) -> bool + Send + Sync>;

/// Starts operations: calls of models, agents, tools. Made once, cloned freely.
///
/// ```
/// use otel_genai::GenAi;
/// use otel_genai::provider::Provider;
/// # struct Client;
/// # struct Answer { id: String, text: String }
/// # impl Client {
/// #     async fn complete(&self, _: &str) -> Result<Answer, std::fmt::Error> {
/// #         Ok(Answer { id: "1".into(), text: "Hi".into() })
/// #     }
/// # }
/// # async fn example(client: Client) -> Result<(), std::fmt::Error> {
/// let genai = GenAi::new();
///
/// let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").with_temperature(0.2).start();
/// let answer = chat.call(client.complete("Hello")).await?; // an error ends the operation as failed
/// chat.response().id = Some(answer.id);
/// chat.end();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GenAi {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) instrumenter: Instrumenter<GenAiConvention>,
    pub(crate) mcp_client: Instrumenter<McpConvention>,
    pub(crate) mcp_server: Instrumenter<McpConvention>,
    pub(crate) public_endpoint: bool,
    pub(crate) content: ContentPolicy,
    pub(crate) prices: Option<PriceTable>,
    pub(crate) events: Option<EventLog>,
    pub(crate) exceptions: Option<EventLog>,
    pub(crate) filter: Option<Filter>,
}

impl GenAi {
    /// With the defaults: the global providers, no content, the conventions that `OTEL_SEMCONV_STABILITY_OPT_IN` names,
    /// which is read now.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// With options.
    pub fn builder() -> GenAiBuilder {
        GenAiBuilder::default()
    }

    /// The state of the conventions that is emitted.
    #[must_use]
    pub fn conventions(&self) -> GenAiConventions {
        self.vocabulary().conventions
    }

    /// What of prompts and completions is captured.
    #[must_use]
    pub fn content_policy(&self) -> &ContentPolicy {
        &self.shared.content
    }

    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn start(&self, parent: &Context, facts: &OperationFacts) -> Operation<GenAiConvention> {
        let instrumenter = &self.shared.instrumenter;
        let wanted = |filter: &Filter| call_hook(|| filter(&GenAiRequest { facts }), true);
        let unknown = facts.is_later() && !self.conventions().is_latest();
        if unknown || !self.shared.filter.as_ref().is_none_or(wanted) {
            return instrumenter.inert(parent.clone());
        }
        instrumenter.start(parent, &facts)
    }

    pub(crate) fn mcp(&self, side: Side) -> &Instrumenter<McpConvention> {
        match side {
            Side::Client => &self.shared.mcp_client,
            Side::Server => &self.shared.mcp_server,
        }
    }

    pub(crate) fn providers(&self) -> &Providers {
        self.shared.instrumenter.providers()
    }

    pub(crate) fn is_public_endpoint(&self) -> bool {
        self.shared.public_endpoint
    }

    pub(crate) fn instruments(&self) -> Option<Arc<GenAiMetrics>> {
        self.shared.instrumenter.convention().instruments.load_full()
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.shared.instrumenter.convention().vocabulary
    }

    pub(crate) fn events(&self) -> Option<&EventLog> {
        self.shared.events.as_ref()
    }

    pub(crate) fn exceptions(&self) -> Option<&EventLog> {
        self.shared.exceptions.as_ref()
    }

    /// Where the details of a call go, if they are wanted: "opt-in" in 1.41, "recommended" later.
    pub(crate) fn details_events(&self) -> Option<&EventLog> {
        let wanted = self.shared.content.wants_events() || self.conventions().is_latest();
        self.events().filter(|_| wanted)
    }

    /// What the call probably costs, and by which table.
    pub(crate) fn cost(&self, facts: &OperationFacts, response: &ResponseFacts) -> Option<(f64, &str)> {
        let (prices, provider) = (self.shared.prices.as_ref()?, facts.provider.as_ref()?);
        if facts.is_composite() {
            // The calls inside have been counted.
            return None;
        }
        let models = [response.model.as_deref(), facts.request.model.as_deref()];
        let mut estimates =
            models.into_iter().flatten().map(|model| prices.estimate(provider, model, &response.usage));
        Some((estimates.find_map(|estimate| estimate)?, prices.version()))
    }

    /// The provider's code for what went wrong, or else the HTTP status.
    pub(crate) fn error_type(&self, error: &ProviderError, status: Option<u16>) -> ErrorType {
        let status = || status.map_or(ErrorType::OTHER, |status| ErrorType::from_code(status.to_string()));
        // A text is no code: it may repeat the prompt, and no metric can bear it.
        let code = error.error_type().filter(|code| is_code(code));
        let known = code.and_then(|code| self.vocabulary().names.errors.known(code));
        known.map_or_else(status, |code| ErrorType::from_code(&*code))
    }
}

fn is_code(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_part)
}

pub(crate) fn scope(conventions: GenAiConventions) -> InstrumentationScope {
    let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION"));
    match conventions.schema_url() {
        Some(url) => scope.with_schema_url(url).build(),
        None => scope.build(),
    }
}

impl Default for GenAi {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for GenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAi")
            .field("instrumenter", &self.shared.instrumenter)
            .field("conventions", &self.conventions())
            .finish_non_exhaustive()
    }
}
