use std::fmt;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};

use super::limits::Limits;
use super::{OutputMessage, RequestContent};

/// The variable that says where content goes: `NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY` or `SPAN_AND_EVENT`.
const VARIABLE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

/// With a mask, a text must be kept whole until it is masked; a longer one is dropped.
const MASKED_TEXT: usize = 256 * 1024;

/// What of prompts and completions is captured, how much of it, and where it goes. Nothing by default.
///
/// ```
/// use otel_genai::content::ContentPolicy;
///
/// assert!(!ContentPolicy::none().captures());
///
/// let policy = ContentPolicy::builder()
///     .with_events()
///     .without_tool_arguments()
///     .with_mask(|text| text.replace("4111 1111 1111 1111", "****"))
///     .with_max_text_length(4096)
///     .build();
/// assert!(policy.captures());
/// ```
///
/// What was captured is hidden, masked, cut, and then recorded or uploaded, in this order. A mask that panics drops the
/// content, and so does one that could not see a text whole. The URI of an image or the like, which is often a presigned one,
/// is recorded without credentials, signatures and fragment.
#[derive(Clone, Default)]
pub struct ContentPolicy {
    pub(super) span_attributes: bool,
    pub(super) events: bool,
    pub(super) hidden: Hidden,
    pub(super) blobs: bool,
    pub(super) tool_schemas: bool,
    pub(super) limits: Limits,
    pub(super) mask: Option<Mask>,
    pub(super) upload: Option<Upload>,
}

pub(super) type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;
pub(super) type Upload = Arc<dyn Fn(&UploadedContent<'_>) -> Option<String> + Send + Sync>;

/// What is left out although content is captured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hidden {
    pub(super) input_messages: bool,
    pub(super) output_messages: bool,
    pub(super) system_instructions: bool,
    pub(super) tool_definitions: bool,
    pub(super) tool_arguments: bool,
    pub(super) tool_results: bool,
    pub(super) reasoning: bool,
    pub(super) media: bool,
}

impl ContentPolicy {
    /// Nothing is captured.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// As `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says: `SPAN_ONLY`, `EVENT_ONLY`, `SPAN_AND_EVENT`,
    /// `NO_CONTENT`, or as older instrumentations have it `true` (into spans) and `false`. Nothing if it says nothing or
    /// something else.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_value(std::env::var(VARIABLE).ok().as_deref())
    }

    /// Chooses.
    pub fn builder() -> ContentPolicyBuilder {
        ContentPolicyBuilder::default()
    }

    /// Anything is captured at all. If not, readers allocate nothing for content.
    #[must_use]
    pub const fn captures(&self) -> bool {
        self.captures_of(true)
    }

    /// Anything is captured of an operation whose span is recorded or not.
    pub(crate) const fn captures_of(&self, is_recorded: bool) -> bool {
        (self.span_attributes && is_recorded) || self.events || self.upload.is_some()
    }

    /// Content is wanted in the event `gen_ai.client.inference.operation.details`.
    #[must_use]
    pub const fn wants_events(&self) -> bool {
        self.events
    }

    /// The same for attributes of spans alone; `None` if nothing is captured there. What is uploaded is referred to by
    /// messages, which a tool has not.
    pub(crate) fn for_spans(&self) -> Option<Self> {
        self.span_attributes.then(|| Self { events: false, upload: None, ..self.clone() })
    }

    /// How much readers keep. A mask sees texts before they are cut to what is shown of them.
    pub(crate) fn reader_limits(&self) -> Limits {
        let text = if self.mask.is_some() { self.limits.text.max(MASKED_TEXT) } else { self.limits.text };
        Limits { text, total: self.limits.total.max(1024 * 1024) }
    }

    fn from_value(value: Option<&str>) -> Self {
        let value = value.unwrap_or_default().trim().to_ascii_uppercase();
        let (span_attributes, events) = match value.as_str() {
            "SPAN_ONLY" | "TRUE" => (true, false),
            "EVENT_ONLY" => (false, true),
            "SPAN_AND_EVENT" => (true, true),
            _ => (false, false),
        };
        Self { span_attributes, events, ..Self::default() }
    }
}

impl fmt::Debug for ContentPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentPolicy")
            .field("span_attributes", &self.span_attributes)
            .field("events", &self.events)
            .field("upload", &self.upload.is_some())
            .field("mask", &self.mask.is_some())
            .field("hidden", &self.hidden)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Builds a [`ContentPolicy`]. Where content goes comes first: without `with_span_attributes`, `with_events` or
/// `with_upload` nothing is captured, whatever else is said.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ContentPolicyBuilder {
    policy: ContentPolicy,
}

impl ContentPolicyBuilder {
    /// Captures into attributes of the span, as JSON text.
    pub const fn with_span_attributes(mut self) -> Self {
        self.policy.span_attributes = true;
        self
    }

    /// Captures into the event `gen_ai.client.inference.operation.details`, structured.
    pub const fn with_events(mut self) -> Self {
        self.policy.events = true;
        self
    }

    /// Hands the content to `upload`, which stores it elsewhere and returns a reference to it, such as a URL; spans and
    /// events then carry the reference in `gen_ai.input.messages_ref` and `gen_ai.output.messages_ref` (names of the
    /// OpenTelemetry project's own upload hook, not of the conventions). `None` leaves them out.
    ///
    /// It is called when the operation ends, on the thread that ends it, sampled or not: hand the content to a queue of
    /// bounded length, and do not wait. A panic is caught.
    pub fn with_upload(
        mut self,
        upload: impl Fn(&UploadedContent<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.policy.upload = Some(Arc::new(upload));
        self
    }

    /// Passes each text through `mask` before anything else sees it: texts, reasoning, strings, numbers and keys in arguments
    /// and results of tools, instructions, descriptions, URIs.
    ///
    /// It fails closed: if it panics, all content of the operation is dropped; a text of more than 256 KiB, which is not
    /// kept whole, is dropped; and data that it cannot read (images, audio) is dropped.
    pub fn with_mask(mut self, mask: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.policy.mask = Some(Arc::new(mask));
        self
    }

    /// Leaves out `gen_ai.input.messages`.
    pub const fn without_input_messages(mut self) -> Self {
        self.policy.hidden.input_messages = true;
        self
    }

    /// Leaves out `gen_ai.output.messages`.
    pub const fn without_output_messages(mut self) -> Self {
        self.policy.hidden.output_messages = true;
        self
    }

    /// Leaves out `gen_ai.system_instructions`, and messages whose role is `system` or `developer`.
    pub const fn without_system_instructions(mut self) -> Self {
        self.policy.hidden.system_instructions = true;
        self
    }

    /// Leaves out `gen_ai.tool.definitions`.
    pub const fn without_tool_definitions(mut self) -> Self {
        self.policy.hidden.tool_definitions = true;
        self
    }

    /// Leaves out the arguments of tool calls; which tools are called stays.
    pub const fn without_tool_arguments(mut self) -> Self {
        self.policy.hidden.tool_arguments = true;
        self
    }

    /// Leaves out what tools answered; that they answered stays.
    pub const fn without_tool_results(mut self) -> Self {
        self.policy.hidden.tool_results = true;
        self
    }

    /// Leaves out the model's reasoning.
    pub const fn without_reasoning(mut self) -> Self {
        self.policy.hidden.reasoning = true;
        self
    }

    /// Leaves out images, audio, video and documents, also where only a URI or a file's id refers to them.
    pub const fn without_media(mut self) -> Self {
        self.policy.hidden.media = true;
        self
    }

    /// Keeps data that is in the messages themselves (images in base64), if it is no longer than a text may be: see
    /// [`with_max_text_length`](Self::with_max_text_length). By default only references are kept.
    pub const fn with_blobs(mut self) -> Self {
        self.policy.blobs = true;
        self
    }

    /// Keeps descriptions and parameters in `gen_ai.tool.definitions`. By default these have kinds and names only, as the
    /// conventions recommend.
    pub const fn with_tool_schemas(mut self) -> Self {
        self.policy.tool_schemas = true;
        self
    }

    /// Cuts each text to this many bytes. Default: 16 KiB.
    pub const fn with_max_text_length(mut self, bytes: usize) -> Self {
        self.policy.limits.text = bytes;
        self
    }

    /// Keeps at most this many bytes of texts, ids and names for each attribute: of the input the newest messages, of the
    /// output the first parts. Default: 256 KiB. A request whose JSON has more than four times as many when its long texts are
    /// cut, and more than 4 MiB, is left out whole.
    pub const fn with_max_length(mut self, bytes: usize) -> Self {
        self.policy.limits.total = bytes;
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
    /// The content of the request, hidden, masked and cut
    pub request: &'a RequestContent,
    /// The output, hidden, masked and cut
    pub output: &'a [OutputMessage],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_says_where_content_goes() {
        let goes = |value| {
            let policy = ContentPolicy::from_value(value);
            (policy.span_attributes, policy.events)
        };
        for value in [None, Some(""), Some("false"), Some("NO_CONTENT"), Some("everything"), Some("yes")] {
            assert_eq!(goes(value), (false, false), "{value:?}");
        }
        assert_eq!(goes(Some(" True ")), (true, false));
        assert_eq!(goes(Some("span_only")), (true, false));
        assert_eq!(goes(Some("EVENT_ONLY")), (false, true));
        assert_eq!(goes(Some("SPAN_AND_EVENT")), (true, true));
    }
}
