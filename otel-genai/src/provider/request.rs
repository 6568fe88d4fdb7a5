use super::field::RequestField;
use super::json::{Closed, Scalar, Tokenizer, Visitor, Want};
use super::key::Key;
use super::{Api, table};
use crate::content::{ContentPolicy, RequestCapture, RequestContent};

/// Of stop sequences and formats: more are not kept.
const LIST_LENGTH: usize = 32;

/// What a request says, in the words of the conventions. Absent is `None` or empty, never a guess.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RequestFacts {
    /// `gen_ai.request.model`
    pub model: Option<String>,
    /// `gen_ai.request.stream`
    pub stream: bool,
    /// `gen_ai.request.max_tokens`
    pub max_tokens: Option<i64>,
    /// `gen_ai.request.temperature`
    pub temperature: Option<f64>,
    /// `gen_ai.request.top_p`
    pub top_p: Option<f64>,
    /// `gen_ai.request.top_k`; of a reranking, how many results are wanted
    pub top_k: Option<f64>,
    /// `gen_ai.request.frequency_penalty`
    pub frequency_penalty: Option<f64>,
    /// `gen_ai.request.presence_penalty`
    pub presence_penalty: Option<f64>,
    /// `gen_ai.request.stop_sequences`
    pub stop_sequences: Vec<String>,
    /// `gen_ai.request.seed`
    pub seed: Option<i64>,
    /// `gen_ai.request.choice.count`
    pub choice_count: Option<i64>,
    /// `gen_ai.request.encoding_formats`
    pub encoding_formats: Vec<String>,
    /// The size of embeddings that was asked for: `gen_ai.embeddings.dimension.count`
    pub dimensions: Option<i64>,
    /// `gen_ai.output.type`: `text`, `json`, `image`, `speech`
    pub output_type: Option<&'static str>,
    /// `openai.request.service_tier`
    pub service_tier: Option<String>,
    /// `gen_ai.conversation.id`, where the API has one
    pub conversation_id: Option<String>,
    /// `gen_ai.request.previous_response.id` (later conventions)
    pub previous_response_id: Option<String>,
    /// `gen_ai.request.reasoning.level` (later conventions)
    pub reasoning_level: Option<String>,
    /// How many tools the model was offered.
    pub tools: usize,
    /// Messages, instructions and tool definitions; empty unless they are captured.
    pub content: RequestContent,
}

/// Reads a request body as it passes.
#[derive(Debug)]
pub struct RequestReader {
    tokenizer: Tokenizer,
    visitor: RequestVisitor,
    capture: Option<Box<RequestCapture>>,
}

impl RequestReader {
    /// A reader for one request.
    #[must_use]
    pub fn new(api: Api) -> Self {
        // Ollama streams unless it is told not to.
        let stream = matches!(api, Api::OllamaChat | Api::OllamaGenerate);
        let facts = RequestFacts { stream, ..RequestFacts::default() };
        Self {
            tokenizer: Tokenizer::new(),
            visitor: RequestVisitor { api, facts, field: None },
            capture: None,
        }
    }

    /// Also captures what the policy asks for. By default nothing is.
    #[must_use]
    pub fn with_capture(mut self, policy: &ContentPolicy) -> Self {
        if policy.captures() && self.visitor.api.has_content() {
            self.capture = Some(Box::new(RequestCapture::new(self.visitor.api, policy.reader_limits())));
        }
        self
    }

    /// Reads the next bytes of the body.
    pub fn read(&mut self, chunk: &[u8]) {
        self.tokenizer.read(chunk, &mut self.visitor);
        if let Some(capture) = &mut self.capture {
            capture.bytes(chunk);
        }
    }

    /// What is known by now.
    #[must_use]
    pub fn finish(self) -> RequestFacts {
        let mut facts = self.visitor.facts;
        if let Some(capture) = self.capture {
            facts.content = capture.finish();
        }
        facts
    }
}

#[derive(Debug)]
struct RequestVisitor {
    api: Api,
    facts: RequestFacts,
    /// What the scalar that is being read means.
    field: Option<RequestField>,
}

impl RequestVisitor {
    fn text(&mut self, field: RequestField, text: &str) {
        use RequestField as F;
        if text.is_empty() {
            return;
        }
        let facts = &mut self.facts;
        let slot = match field {
            F::Model => &mut facts.model,
            F::ServiceTier => &mut facts.service_tier,
            F::ConversationId => &mut facts.conversation_id,
            F::PreviousResponseId => &mut facts.previous_response_id,
            F::ReasoningLevel => &mut facts.reasoning_level,
            F::StopSequence => return push(&mut facts.stop_sequences, text),
            F::EncodingFormat => return push(&mut facts.encoding_formats, text),
            F::OutputType => {
                // What is not text says more than that text is there too.
                facts.output_type = output_type(text).filter(|kind| *kind != "text").or(facts.output_type);
                facts.output_type = facts.output_type.or_else(|| output_type(text));
                return;
            }
            _ => return,
        };
        *slot = Some(text.to_owned());
    }

    fn number(&mut self, field: RequestField, text: &str) {
        use RequestField as F;
        let Some(float) = text.parse::<f64>().ok().filter(|float| float.is_finite()) else { return };
        // `100.0` is a whole number to some clients.
        let integer = text
            .parse()
            .ok()
            .or_else(|| (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64));
        let facts = &mut self.facts;
        match field {
            F::MaxTokens => facts.max_tokens = integer,
            F::Seed => facts.seed = integer,
            F::ChoiceCount => facts.choice_count = integer,
            F::Dimensions => facts.dimensions = integer,
            F::Temperature => facts.temperature = Some(float),
            F::TopP => facts.top_p = Some(float),
            F::TopK => facts.top_k = Some(float),
            F::FrequencyPenalty => facts.frequency_penalty = Some(float),
            F::PresencePenalty => facts.presence_penalty = Some(float),
            _ => {}
        }
    }
}

impl Visitor for RequestVisitor {
    fn wants(&mut self, path: &[Key]) -> Want {
        self.field = table::request(self.api, path);
        if self.field.is_some() { Want::Value } else { Want::Skip }
    }

    fn scalar(&mut self, _path: &[Key], value: Scalar<'_>) {
        let Some(field) = self.field else { return };
        match value {
            Scalar::Text(text) => self.text(field, text),
            Scalar::Number(text) => self.number(field, text),
            Scalar::Flag(flag) if field == RequestField::Stream => self.facts.stream = flag,
            _ => {}
        }
    }

    /// The content is most of a request, and holds no facts.
    fn skips(&mut self, path: &[Key]) -> bool {
        matches!(
            path,
            [Key::Messages | Key::Contents | Key::Documents | Key::Texts | Key::Prompt | Key::Input]
        ) || matches!(path, [Key::Tools | Key::Functions, Key::Item])
    }

    fn close(&mut self, path: &[Key], closed: Closed) {
        let declared = match path {
            [Key::Tools | Key::Functions] | [Key::ToolConfig, Key::Tools] => closed.len,
            _ => None,
        };
        if let Some(len) = declared {
            self.facts.tools = len as usize;
        }
    }
}

fn push(list: &mut Vec<String>, text: &str) {
    if list.len() < LIST_LENGTH {
        list.push(text.to_owned());
    }
}

/// `gen_ai.output.type` of a format, a mime type or a modality.
fn output_type(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    Some(match lower.as_str() {
        "text" | "text/plain" => "text",
        "json" | "json_object" | "json_schema" | "application/json" | "text/x.enum" | "object" => "json",
        "image" => "image",
        "audio" | "speech" => "speech",
        _ => return None,
    })
}
