//! The options of a [`GenAi`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};
use otel_core::{Attributes, EventLog, Instrumenter, Providers};

use crate::GenAiConventions;
use crate::content::ContentPolicy;
use crate::genai::{Filter, GenAi, Shared, scope};
use crate::mcp::{McpConvention, Side};
use crate::operation::{
    AddFromRequest, AddFromResponse, GenAiConvention, GenAiRequest, SpanName, Vocabulary,
};
use crate::price::PriceTable;
use crate::provider::ResponseFacts;

/// Events of each scope, until it is known which state of the conventions is emitted.
#[derive(Clone)]
struct Events {
    v1_41: EventLog,
    latest: EventLog,
}

impl Events {
    fn new<P>(logger_provider: &P) -> Self
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        let of = |conventions| EventLog::new(logger_provider, scope(conventions));
        Self { v1_41: of(GenAiConventions::V1_41), latest: of(GenAiConventions::Latest) }
    }

    fn of(self, conventions: GenAiConventions) -> EventLog {
        if conventions.is_latest() { self.latest } else { self.v1_41 }
    }
}

/// Options of a [`GenAi`].
#[derive(Clone, Default)]
#[must_use]
pub struct GenAiBuilder {
    providers: Providers,
    conventions: Option<GenAiConventions>,
    content: Option<ContentPolicy>,
    prices: Option<PriceTable>,
    events: Option<Events>,
    exceptions: Option<Events>,
    filter: Option<Filter>,
    span_name: Option<SpanName>,
    add_request: Option<AddFromRequest>,
    add_response: Option<AddFromResponse>,
    public_endpoint: bool,
}

impl GenAiBuilder {
    /// Takes spans from this provider. Default: the global one, also if it is set later.
    pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.providers.set_tracer_provider(provider);
        self
    }

    /// Takes instruments from this provider. Default: the global one, also if it is set later.
    pub fn with_meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        self.providers.set_meter_provider(provider);
        self
    }

    /// Emits events to this provider: results of evaluations, and the details of calls where they are wanted. Default:
    /// no events, as the API knows no global provider.
    pub fn with_logger_provider<P>(mut self, logger_provider: &P) -> Self
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        self.events = Some(Events::new(logger_provider));
        self
    }

    /// Writes a log event `gen_ai.client.operation.exception`, severity WARN, for each call of a model or of a service that
    /// fails, by its answer too: `exception.type` in the span's context, the same as the span's `error.type`, and not the error's text, which
    /// may repeat a prompt. Default: none.
    pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        self.exceptions = Some(Events::new(logger_provider));
        self
    }

    /// Reads and writes the context in MCP messages with this propagator. Default: the global one.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.providers.set_propagator(propagator);
        self
    }

    /// Which state of the conventions is emitted. Default: what `OTEL_SEMCONV_STABILITY_OPT_IN` says when this is
    /// [built](Self::build).
    pub fn with_conventions(mut self, conventions: GenAiConventions) -> Self {
        self.conventions = Some(conventions);
        self
    }

    /// What of prompts and completions is captured. Default: what `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`
    /// says when this is built; nothing if it says nothing.
    pub fn with_content_policy(mut self, policy: ContentPolicy) -> Self {
        self.content = Some(policy);
        self
    }

    /// Estimates what calls cost. Default: no estimate.
    pub fn with_price_table(mut self, prices: PriceTable) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Observes only operations for which `wanted` says yes; others pass without span and metrics. It is not asked about
    /// messages of MCP. Default: all.
    pub fn with_filter(mut self, wanted: impl Fn(&GenAiRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Names spans; `None` leaves the name to the conventions. It must have few different values.
    pub fn with_span_name(
        mut self,
        name: impl Fn(&GenAiRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        self.span_name = Some(Arc::new(name));
        self
    }

    /// Adds attributes to operations, before sampling; those that they have already, or may get later, are left out. A second
    /// call replaces the first. Default: none.
    ///
    /// ```
    /// use otel_genai::GenAi;
    ///
    /// let genai = GenAi::builder()
    ///     .with_attributes(|request, attributes| {
    ///         attributes.both("app.is_chat", request.operation_name() == "chat");
    ///     })
    ///     .build();
    /// ```
    pub fn with_attributes(
        mut self,
        add: impl Fn(&GenAiRequest<'_>, &mut Attributes<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.add_request = Some(Arc::new(add));
        self
    }

    /// Adds attributes to operations at their end, from what is known of the response; those that the conventions have for
    /// operations are left out, and those that were given before. A second call replaces the first. Default: none.
    pub fn with_response_attributes(
        mut self,
        add: impl Fn(&ResponseFacts, &mut Attributes<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.add_response = Some(Arc::new(add));
        self
    }

    /// Strangers call the MCP servers that are observed with this: their requests are children of what is current, the span
    /// of the HTTP request for example, or start traces of their own, with a link to the caller; baggage is dropped.
    /// Default: `false`.
    pub fn with_public_endpoint(mut self, is_public: bool) -> Self {
        self.public_endpoint = is_public;
        self
    }

    /// Done; the environment is read here, for what was not given.
    #[must_use]
    pub fn build(self) -> GenAi {
        let conventions = self.conventions.unwrap_or_else(GenAiConventions::from_env);
        let scope = scope(conventions);
        let convention = GenAiConvention {
            vocabulary: Vocabulary { conventions, ..Vocabulary::default() },
            currency: self.prices.as_ref().map(|prices| prices.currency().to_owned()),
            has_own_meter_provider: self.providers.has_own_meter_provider(),
            span_name: self.span_name,
            add_request: self.add_request,
            add_response: self.add_response,
            ..GenAiConvention::default()
        };
        let mcp = |side| Instrumenter::new(scope.clone(), self.providers.clone(), McpConvention::new(side));
        GenAi::from_shared(Shared {
            events: self.events.map(|events| events.of(conventions)),
            exceptions: self.exceptions.map(|events| events.of(conventions)),
            mcp_client: mcp(Side::Client),
            mcp_server: mcp(Side::Server),
            public_endpoint: self.public_endpoint,
            instrumenter: Instrumenter::new(scope, self.providers, convention),
            content: self.content.unwrap_or_else(ContentPolicy::from_env),
            prices: self.prices,
            filter: self.filter,
        })
    }
}

impl fmt::Debug for GenAiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiBuilder")
            .field("providers", &self.providers)
            .field("conventions", &self.conventions)
            .field("prices", &self.prices.as_ref().map(PriceTable::version))
            .field("has_events", &self.events.is_some())
            .finish_non_exhaustive()
    }
}
