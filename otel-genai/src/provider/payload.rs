//! The events of a response: facts are read from them as they pass, and content is captured from them if that is wanted.

use std::ops::Range;

use memchr::memchr;

use super::frame::{Events, Headers, Message};
use super::json::{Scalar, Tokenizer, Visitor, Want};
use super::key::Key;
use super::repeat::{Repeat, Repeated};
use super::response_visitor::ResponseVisitor;
use super::{Api, ResponseFacts};
use crate::content::ResponseCapture;

#[derive(Debug)]
pub(super) struct Payload {
    tokenizer: Tokenizer,
    pub(super) visitor: ResponseVisitor,
    repeat: Repeat,
    capture: Option<Box<ResponseCapture>>,
}

impl Payload {
    pub(super) fn new(api: Api) -> Self {
        let visitor = ResponseVisitor::new(api);
        Self { tokenizer: Tokenizer::new(), visitor, repeat: Repeat::default(), capture: None }
    }

    pub(super) fn capture(&mut self, capture: ResponseCapture) {
        self.capture = Some(Box::new(capture));
    }

    pub(super) fn finish(self) -> ResponseFacts {
        let mut facts = self.visitor.finish();
        if let Some(capture) = self.capture {
            (facts.output_messages, facts.content_truncated) = capture.finish(facts.error.is_some());
        }
        facts
    }

    /// The next bytes of a body whose lines are events.
    pub(super) fn lines(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Some(rest) = self.repeat(bytes) {
                bytes = rest;
                continue;
            }
            let Some(end) = memchr(b'\n', bytes) else { return self.bytes(bytes) };
            let (line, rest) = bytes.split_at(end + 1);
            self.framed(line, 0..line.len());
            self.end_line();
            bytes = rest;
        }
    }

    /// A line is an event if it is a whole value; what is not does not spoil the next one.
    fn end_line(&mut self) {
        if self.visitor.root_ended {
            self.end_event();
        } else {
            self.tokenizer.reset();
            self.end_capture();
        }
    }

    /// The next bytes of a body that is one value.
    pub(super) fn body(&mut self, bytes: &[u8]) {
        self.tokenizer.read(bytes, &mut self.visitor);
        self.capture_bytes(bytes);
    }

    /// The event at the beginning of `bytes`, if they begin with one that repeats the last one.
    #[inline]
    fn repeated<'a>(&self, bytes: &'a [u8]) -> Option<Repeated<'a>> {
        self.is_at_start().then(|| self.repeat.at_start_of(bytes)).flatten()
    }

    fn is_at_start(&self) -> bool {
        self.tokenizer.is_fresh() && !self.visitor.root_ended
    }

    fn read(&mut self, event: &[u8], data: Range<usize>, is_framed: bool) {
        let is_start = self.is_at_start();
        if is_start {
            self.visitor.forget_gaps();
        }
        self.tokenizer.read(event.get(data.clone()).unwrap_or_default(), &mut self.visitor);
        match self.visitor.gaps().filter(|_| is_start && self.tokenizer.is_between()) {
            Some(gaps) => self.repeat.learn(event, data, is_framed, gaps),
            None => self.repeat.forget(),
        }
    }

    fn capture_bytes(&mut self, bytes: &[u8]) {
        if let Some(capture) = &mut self.capture {
            capture.bytes(bytes);
        }
    }

    fn end_capture(&mut self) {
        if let Some(capture) = &mut self.capture {
            capture.end_event();
        }
    }
}

impl Events for Payload {
    fn bytes(&mut self, bytes: &[u8]) {
        match self.repeated(bytes).filter(|repeated| repeated.rest.is_empty()) {
            Some(repeated) => self.visitor.repeat(repeated.output),
            None => self.read(bytes, 0..bytes.len(), false),
        }
        self.capture_bytes(bytes);
    }

    fn framed(&mut self, event: &[u8], data: Range<usize>) {
        self.read(event, data.clone(), true);
        self.capture_bytes(event.get(data).unwrap_or_default());
    }

    #[inline]
    fn repeat<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let Repeated { data, output, rest } = self.repeated(bytes).filter(|_| self.repeat.is_framed)?;
        self.visitor.repeat(output);
        self.capture_bytes(data);
        self.end_event();
        Some(rest)
    }

    fn end_event(&mut self) {
        self.tokenizer.reset();
        self.visitor.root_ended = false;
        self.visitor.end_event();
        self.end_capture();
    }
}

/// A message of an AWS event stream is an event.
impl Message for Payload {
    fn begin(&mut self, headers: Headers<'_>) {
        let kind = headers.exception_type.or(headers.error_code);
        if let Some(kind) = kind {
            let error = self.visitor.error();
            error.kind = Some(kind.to_owned());
            error.message = headers.error_message.map(str::to_owned);
        }
    }

    fn payload(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn end_message(&mut self) {
        self.end_event();
    }
}

/// `InvokeModelWithResponseStream` wraps the model's events: `{"bytes": "<base64>"}`.
#[derive(Debug)]
pub(super) struct Wrapped {
    tokenizer: Tokenizer,
    decoder: Base64,
    /// The message is an exception, which is not wrapped.
    plain: bool,
}

impl Wrapped {
    pub(super) const fn new() -> Self {
        Self { tokenizer: Tokenizer::new(), decoder: Base64 { bits: 0, count: 0 }, plain: false }
    }

    pub(super) const fn of<'a>(&'a mut self, payload: &'a mut Payload) -> Unwrap<'a> {
        Unwrap { wrapped: self, payload }
    }
}

pub(super) struct Unwrap<'a> {
    wrapped: &'a mut Wrapped,
    payload: &'a mut Payload,
}

impl Message for Unwrap<'_> {
    fn begin(&mut self, headers: Headers<'_>) {
        self.wrapped.plain = headers.event_type.is_none();
        self.wrapped.decoder = Base64 { bits: 0, count: 0 };
        self.payload.begin(headers);
    }

    fn payload(&mut self, bytes: &[u8]) {
        if self.wrapped.plain {
            self.payload.bytes(bytes);
        } else {
            let mut visitor = Decode { decoder: &mut self.wrapped.decoder, payload: self.payload };
            self.wrapped.tokenizer.read(bytes, &mut visitor);
        }
    }

    fn end_message(&mut self) {
        self.wrapped.tokenizer.reset();
        self.payload.end_event();
    }
}

struct Decode<'a> {
    decoder: &'a mut Base64,
    payload: &'a mut Payload,
}

impl Visitor for Decode<'_> {
    fn wants(&mut self, path: &[Key]) -> Want {
        if path == [Key::Bytes] { Want::Pieces } else { Want::Skip }
    }

    fn scalar(&mut self, _path: &[Key], _value: Scalar<'_>) {}

    fn pieces(&mut self, bytes: &[u8]) {
        let mut buffer = [0; 192];
        for piece in bytes.chunks(256) {
            let length = self.decoder.decode(piece, &mut buffer);
            self.payload.bytes(buffer.get(..length).unwrap_or_default());
        }
    }
}

/// Four characters at a time are three bytes; here they come one by one.
#[derive(Debug)]
struct Base64 {
    bits: u32,
    count: u32,
}

impl Base64 {
    /// Characters that are none are skipped.
    fn decode(&mut self, text: &[u8], out: &mut [u8]) -> usize {
        let mut length = 0;
        for character in text {
            let value = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => continue,
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                if let Some(slot) = out.get_mut(length) {
                    *slot = (self.bits >> self.count) as u8;
                    length += 1;
                }
            }
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunks_of_a_stream_are_compared_and_not_read() {
        for (api, one, other) in [
            (
                Api::OpenAiChat,
                r#"{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" a"},"finish_reason":null}]}"#,
                r#"{"id":"c","created":22,"model":"m","choices":[{"index":0,"delta":{"content":" \"b\" "},"finish_reason":null}]}"#,
            ),
            (
                Api::OpenAiResponses,
                r#"{"type":"response.output_text.delta","sequence_number":9,"item_id":"m","delta":"a","logprobs":[],"obfuscation":"n3"}"#,
                r#"{"type":"response.output_text.delta","sequence_number":10,"item_id":"m","delta":"bc","logprobs":[],"obfuscation":""}"#,
            ),
            (
                Api::AnthropicMessages,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"}"}}"#,
            ),
        ] {
            let mut payload = Payload::new(api);
            // The first two tell which values vary.
            for event in [one, other] {
                assert!(payload.repeated(event.as_bytes()).is_none());
                payload.bytes(event.as_bytes());
                payload.end_event();
            }
            for event in [one, other] {
                let cut = &event.as_bytes()[..event.len() - 1];
                assert!(payload.repeated(cut).is_none(), "{api:?}");
                let repeated = payload.repeated(event.as_bytes());
                assert!(
                    repeated.is_some_and(|repeated| repeated.output && repeated.rest.is_empty()),
                    "{api:?}"
                );
            }
        }
    }
}
