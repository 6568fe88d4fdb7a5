//! Events that repeat the one before are compared and not read: the facts are those of reading.
//!
//! A body that comes byte by byte is never compared, only read.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, ResponseFacts, ResponseReader};

use crate::exchanges::{Exchange, exchanges};

fn facts(reader: ResponseReader, chunks: &[&[u8]]) -> ResponseFacts {
    let mut reader = reader;
    chunks.iter().for_each(|chunk| reader.read(chunk));
    reader.finish()
}

/// The events of a stream of text.
fn events(exchange: &Exchange) -> Vec<&[u8]> {
    let body = exchange.response.as_slice();
    let is_lines = exchange.content_type.contains("json");
    let mut events = Vec::new();
    let mut start = 0;
    for end in 1..=body.len() {
        let (before, _) = body.split_at(end);
        let is_end = if is_lines { before.ends_with(b"\n") } else { before.ends_with(b"\n\n") };
        if is_end || end == body.len() {
            events.push(&body[start..end]);
            start = end;
        }
    }
    events
}

/// The same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// The event with one byte replaced, removed or added: mostly where values are, and mostly by what JSON is made of.
    fn mutated(&mut self, event: &[u8]) -> Vec<u8> {
        let mut event = event.to_vec();
        let at = self.below(event.len());
        let byte = b"\"\\{}[],:0-.u/nxE1t\xff \r\"\n"[self.below(23)];
        match self.below(3) {
            0 => event[at] = byte,
            1 => event.insert(at, byte),
            _ => {
                event.remove(at);
            }
        }
        event
    }
}

#[test]
fn what_is_compared_says_what_is_read() {
    let Some(exchanges) = exchanges() else { return };
    let off = ContentPolicy::none();
    let on = ContentPolicy::builder().with_span_attributes().build();
    let mut numbers = Numbers(1);
    let streams = exchanges.iter().filter(|exchange| exchange.streaming);
    for exchange in streams.filter(|exchange| std::str::from_utf8(&exchange.response).is_ok()) {
        let mut body: Vec<Vec<u8>> = Vec::new();
        // Some of the events, each of them as it is and in variants that are nearly the same.
        let events = events(exchange);
        for event in events.iter().step_by(1 + events.len() / 40) {
            for _ in 0..4 {
                body.push(event.to_vec());
                body.push(numbers.mutated(event));
            }
        }
        let whole: Vec<&[u8]> = body.iter().map(Vec::as_slice).collect();
        let all = body.concat();
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        for policy in [&off, &on] {
            let reader = || exchange.reader().with_capture(policy);
            let read = facts(reader(), &bytes);
            assert_eq!(facts(reader(), &whole), read, "{} event by event", exchange.name);
            assert_eq!(facts(reader(), &[&all]), read, "{} whole", exchange.name);
        }
    }
}

#[test]
fn each_difference_that_means_something_is_seen() {
    let chunk = |id: &str, text: &str, more: &str| {
        format!(
            "data: {{\"id\":\"{id}\",\"created\":17,\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]{more}}}\n\n"
        )
    };
    let chunks = [
        chunk("a", "\"one\"", ""),
        chunk("a", "\"two\"", ""),
        chunk("a", "\"\"", ""),
        chunk("a", "null", ""),
        chunk("a", "\"a \\\" quote \\\\\"", ""),
        chunk("b", "\"two\"", ""),
        chunk("b", "\"two\"", ",\"usage\":{\"prompt_tokens\":1}"),
        chunk("b", "\"two\"", ",\"usage\":{\"prompt_tokens\":2}"),
        chunk("b", "\"two\"", ",\"error\":{\"code\":\"late\"}"),
    ];
    let mut reader = ResponseReader::new(Api::OpenAiChat, true);
    let mut output = Vec::new();
    for chunk in &chunks {
        let before = reader.output_chunks();
        reader.read(chunk.as_bytes());
        output.push(reader.output_chunks() - before);
    }
    assert_eq!(output, [1, 1, 0, 0, 1, 1, 1, 1, 1]);
    let facts = reader.finish();
    assert_eq!(facts.id.as_deref(), Some("b"));
    assert_eq!(facts.usage.input_tokens, Some(2));
    assert_eq!(facts.error.unwrap().code.as_deref(), Some("late"));
    assert_eq!(facts.events, 9);
}

/// Each frame with a text that varies, and among the texts some that end the frame or hide their end.
#[test]
fn a_value_that_ends_its_frame_is_read() {
    let texts = [
        "one",
        "two",
        "",
        "\\u00e9\\n\\\"",
        "a\nb",
        "a\n\nb",
        "a\rb",
        "\\u0\"00",
        "\\\n",
        "\\",
        "\u{1}",
        "three",
    ];
    let frames = [
        (Api::OpenAiChat, "data: ", "\n\n"),
        (Api::OpenAiChat, "event: delta\ndata: ", "\n\n"),
        (Api::OpenAiChat, "event: delta\r\ndata: ", "\r\n\r\n"),
        (Api::OpenAiChat, "event: delta\rdata: ", "\r\r"),
        (Api::OpenAiChat, ": comment\ndata:", "\r\n\n"),
        (Api::OllamaChat, "", "\n"),
        (Api::OllamaChat, " ", "\r\n"),
    ];
    for (api, start, end) in frames {
        let event = |text: &&str| match api {
            Api::OllamaChat => {
                format!("{start}{{\"message\":{{\"content\":\"{text}\"}},\"done\":false}}{end}")
            }
            _ => format!(
                "{start}{{\"created\":1,\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}{end}"
            ),
        };
        let body: Vec<String> =
            texts.iter().flat_map(|text| ["x", "yy", *text]).map(|text| event(&text)).collect();
        let all = body.concat();
        let events: Vec<&[u8]> = body.iter().map(String::as_bytes).collect();
        let bytes: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
        let reader = || ResponseReader::new(api, true);
        let read = facts(reader(), &bytes);
        assert!(read.output_chunks >= 24, "{start:?} {}", read.output_chunks);
        assert_eq!(facts(reader(), &events), read, "{start:?} event by event");
        assert_eq!(facts(reader(), &[all.as_bytes()]), read, "{start:?} whole");
    }
}

#[test]
fn calls_of_tools_count_each_time() {
    let call =
        "{\"model\":\"m\",\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]},\"done\":false}\n";
    let mut reader = ResponseReader::new(Api::OllamaChat, true);
    (0..3).for_each(|_| reader.read(call.as_bytes()));
    assert_eq!(reader.finish().tool_calls.len(), 3);
}
