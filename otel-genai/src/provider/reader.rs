use super::frame::{Array, EventStream, Events, Sse};
use super::json::BYTE_ORDER_MARK;
use super::payload::{Payload, Wrapped};
use super::{Api, ResponseFacts};
use crate::content::{ContentPolicy, ResponseCapture};

/// Reads a response body as it passes: whole, or a stream, with chunks that end anywhere.
///
/// Memory is bounded whatever comes, and nothing is allocated for content that is not captured.
#[derive(Debug)]
pub struct ResponseReader {
    api: Api,
    frame: Frame,
    payload: Payload,
    /// A byte has come that is not white space.
    started: bool,
}

#[derive(Debug)]
enum Frame {
    /// One JSON value.
    Json,
    Lines,
    Array(Array),
    Sse(Sse),
    EventStream(EventStream),
    WrappedEventStream(EventStream, Box<Wrapped>),
}

impl ResponseReader {
    /// A reader for one response.
    #[must_use]
    pub fn new(api: Api, streaming: bool) -> Self {
        Self { api, frame: Frame::usual(api, streaming), payload: Payload::new(api), started: false }
    }

    /// The `content-type` of the response decides how the body is framed, whatever was asked for: the answer to a
    /// request for a stream may be an error in plain JSON. An unknown type changes nothing.
    #[must_use]
    pub fn with_content_type(mut self, content_type: &str) -> Self {
        if let Some(frame) = Frame::of(self.api, content_type) {
            // Google's streams are arrays of the type of a single object.
            if !matches!((&self.frame, &frame), (Frame::Array(_), Frame::Json)) {
                self.frame = frame;
            }
        }
        self
    }

    /// Also captures what the policy asks for. By default nothing is.
    #[must_use]
    pub fn with_capture(mut self, policy: &ContentPolicy) -> Self {
        if policy.captures() && self.api.has_content() {
            self.payload.capture(ResponseCapture::new(self.api, policy.reader_limits()));
        }
        self
    }

    /// Tokens that were counted outside of the body. What the body says counts more.
    pub(crate) fn with_counts(mut self, input: Option<i64>, output: Option<i64>) -> Self {
        self.payload.visitor.count_outside(input, output);
        self
    }

    /// Reads the next bytes of the body.
    pub fn read(&mut self, chunk: &[u8]) {
        if !self.started {
            self.look_at_start(chunk);
        }
        let payload = &mut self.payload;
        match &mut self.frame {
            Frame::Json => payload.body(chunk),
            Frame::Lines => payload.lines(chunk),
            Frame::Array(array) => array.read(chunk, payload),
            Frame::Sse(sse) => {
                if sse.read(chunk, payload) {
                    payload.visitor.facts_mut().complete = true;
                }
            }
            Frame::EventStream(stream) => stream.read(chunk, payload),
            Frame::WrappedEventStream(stream, wrapped) => stream.read(chunk, &mut wrapped.of(payload)),
        }
    }

    /// Events of a stream that carried output so far (text, reasoning, parts of tool calls); compare it before and after
    /// `read` to time the first one and those after it. Pings, comments, and events that only open or close something
    /// do not count.
    #[must_use]
    pub const fn output_chunks(&self) -> u64 {
        self.payload.visitor.facts().output_chunks
    }

    /// The model that answers, as soon as that is known.
    pub(crate) fn model(&self) -> Option<&str> {
        self.payload.visitor.facts().model.as_deref()
    }

    /// The response came to its own end. False after a stream that was cut.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.payload.visitor.facts().complete
            || match &self.frame {
                Frame::Json => self.payload.visitor.root_ended,
                Frame::Sse(sse) => sse.is_done(),
                _ => false,
            }
    }

    /// What is known by now; of a body that was cut, the part before the cut.
    #[must_use]
    pub fn finish(mut self) -> ResponseFacts {
        let complete = self.is_complete();
        if self.payload.visitor.root_ended {
            // The last line or object, which nothing followed.
            self.payload.end_event();
        }
        if self.is_json() {
            let facts = self.payload.visitor.facts_mut();
            (facts.events, facts.output_chunks) = (0, 0);
        }
        let mut facts = self.payload.finish();
        facts.complete = complete;
        facts
    }

    /// An error instead of a stream, where nobody told the content type: no event stream starts with a brace, not even
    /// AWS's, whose first message would have 2 GB.
    fn look_at_start(&mut self, chunk: &[u8]) {
        // What JSON has for white space, and no more: after a form feed no brace begins it.
        let is_space = |byte: &u8| b" \t\r\n".contains(byte) || BYTE_ORDER_MARK.contains(byte);
        if let Some(first) = chunk.iter().find(|byte| !is_space(byte)) {
            self.started = true;
            let may_be_json =
                matches!(self.frame, Frame::Sse(_) | Frame::EventStream(_) | Frame::WrappedEventStream(..));
            if may_be_json && *first == b'{' {
                self.frame = Frame::Json;
            }
        }
    }

    const fn is_json(&self) -> bool {
        matches!(self.frame, Frame::Json)
    }
}

impl Frame {
    fn usual(api: Api, streaming: bool) -> Self {
        match (api, streaming) {
            (_, false) => Self::Json,
            (Api::OllamaChat | Api::OllamaGenerate | Api::OllamaEmbed, true) => Self::Lines,
            (Api::BedrockConverse | Api::BedrockInvokeModel, true) => Self::event_stream(api),
            (Api::GeminiGenerateContent | Api::GeminiEmbedContent, true) => Self::Array(Array::new()),
            (_, true) => Self::Sse(Sse::new()),
        }
    }

    fn of(api: Api, content_type: &str) -> Option<Self> {
        let mime = content_type.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| mime.eq_ignore_ascii_case(name);
        if is("text/event-stream") {
            Some(Self::Sse(Sse::new()))
        } else if is("application/x-ndjson") || is("application/jsonl") || is("application/stream+json") {
            Some(Self::Lines)
        } else if is("application/vnd.amazon.eventstream") {
            Some(Self::event_stream(api))
        } else if is("application/json") || is("application/problem+json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn event_stream(api: Api) -> Self {
        match api {
            Api::BedrockInvokeModel => Self::WrappedEventStream(EventStream::new(), Box::new(Wrapped::new())),
            _ => Self::EventStream(EventStream::new()),
        }
    }
}
