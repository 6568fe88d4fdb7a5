//! What a chunk costs that nobody wants the content of: nothing that is allocated.

use allocation_counter::measure;
use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, RequestReader, ResponseReader};

use crate::exchanges::exchanges;

/// A stream's first event, one of its middle, and how it says that it is over.
struct Stream {
    api: Api,
    first: &'static [u8],
    middle: &'static [u8],
}

const STREAMS: &[Stream] = &[
    Stream {
        api: Api::OpenAiChat,
        first: b"data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o\",\"system_fingerprint\":\"fp_1\",\"choices\":[]}\n\n",
        middle: b"data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\
            \"delta\":{\"content\":\" x\\u00e9 \\\"x\\\"\",\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\"}}]},\
            \"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    },
    Stream {
        api: Api::OpenAiResponses,
        first: b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n",
        middle: b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\
            \"output_index\":0,\"content_index\":0,\"delta\":\" unicorn\",\"logprobs\":[],\"obfuscation\":\"n3xRiR\"}\n\n",
    },
    Stream {
        api: Api::AnthropicMessages,
        first: b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":1}}}\n\n",
        middle: b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
            \"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
    },
    Stream {
        api: Api::GeminiGenerateContent,
        first: b"[{\"responseId\":\"r\",\"modelVersion\":\"gemini-2.5-flash\"}",
        middle: b",\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"index\":0}],\
            \"usageMetadata\":{\"promptTokenCount\":4},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r\"}",
    },
    Stream {
        api: Api::OllamaChat,
        first: b"{\"model\":\"llama3\",\"message\":{\"role\":\"assistant\",\"content\":\"A\"},\"done\":false}\n",
        middle: b"{\"model\":\"llama3\",\"message\":{\"role\":\"assistant\",\"content\":\"B\"},\"done\":false}\n",
    },
    Stream {
        api: Api::CohereChat,
        first: b"data: {\"id\":\"1\",\"type\":\"message-start\"}\n\n",
        middle: b"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Ar\"}}}}\n\n",
    },
];

#[test]
fn a_chunk_whose_content_nobody_wants_allocates_nothing() {
    for stream in STREAMS {
        let mut reader = ResponseReader::new(stream.api, true).with_capture(&ContentPolicy::none());
        reader.read(stream.first);
        // Twice: the scratch buffer has found its size.
        reader.read(stream.middle);
        let before = reader.output_chunks();
        let cost = measure(|| (0..1000).for_each(|_| reader.read(stream.middle)));
        assert_eq!(cost.count_total, 0, "{:?}", stream.api);
        assert_eq!(reader.output_chunks() - before, 1000, "{:?}", stream.api);
        let cost = measure(|| stream.middle.chunks(1).for_each(|byte| reader.read(byte)));
        assert_eq!(cost.count_total, 0, "{:?} byte by byte", stream.api);
    }
}

#[test]
fn memory_does_not_grow_with_the_stream() {
    for stream in STREAMS {
        let most = |chunks: usize| {
            let cost = measure(|| {
                let mut reader = ResponseReader::new(stream.api, true);
                reader.read(stream.first);
                (0..chunks).for_each(|_| reader.read(stream.middle));
                assert!(reader.finish().output_chunks >= chunks as u64);
            });
            cost.bytes_max
        };
        assert_eq!(most(10), most(10_000), "{:?}", stream.api);
    }
}

#[test]
fn memory_of_captured_content_is_bounded_too() {
    let policy =
        ContentPolicy::builder().with_events().with_max_text_length(1024).with_max_length(64 * 1024).build();
    for stream in STREAMS {
        let cost = measure(|| {
            let mut reader = ResponseReader::new(stream.api, true).with_capture(&policy);
            reader.read(stream.first);
            (0..20_000).for_each(|_| reader.read(stream.middle));
            assert!(reader.finish().content_truncated);
        });
        assert!(cost.bytes_max < 64 * 1024, "{:?}: {} bytes", stream.api, cost.bytes_max);
    }
}

#[test]
fn a_request_with_a_long_history_costs_its_facts() {
    let message = r#"{"role":"user","content":"a question that nobody is to see"}"#;
    let history = vec![message; 1000].join(",");
    let body = format!(r#"{{"model":"gpt-4o","messages":[{history}],"temperature":0.5,"stream":true}}"#);
    let cost = measure(|| {
        let mut reader = RequestReader::new(Api::OpenAiChat);
        reader.read(body.as_bytes());
        let facts = reader.finish();
        assert_eq!(facts.model.as_deref(), Some("gpt-4o"));
        assert!(facts.stream);
    });
    assert!(cost.count_total <= 3, "{} allocations", cost.count_total);
    assert!(cost.bytes_max < 256, "{} bytes", cost.bytes_max);
}

#[test]
fn nothing_is_kept_of_embeddings_whatever_the_policy_says() {
    let policy = ContentPolicy::builder().with_events().build();
    let body = format!(r#"{{"data":[{{"embedding":[{}0]}}],"model":"e"}}"#, "0.123456789,".repeat(100_000));
    let cost = measure(|| {
        let mut reader = ResponseReader::new(Api::OpenAiEmbeddings, false).with_capture(&policy);
        reader.read(body.as_bytes());
        assert_eq!(reader.finish().dimensions, Some(100_001));
        let mut reader = RequestReader::new(Api::OpenAiEmbeddings).with_capture(&policy);
        reader.read(body.as_bytes());
        assert!(reader.finish().content.is_empty());
    });
    assert!(cost.bytes_max < 256, "{} bytes", cost.bytes_max);
}

#[test]
fn a_recorded_stream_costs_its_facts() {
    let Some(exchanges) = exchanges() else { return };
    for exchange in exchanges.iter().filter(|exchange| exchange.streaming) {
        let mut reader = exchange.reader();
        let cost = measure(|| exchange.response.chunks(100).for_each(|chunk| reader.read(chunk)));
        let facts = reader.finish();
        // Twelve, and a buffer for the ids of items.
        let kept = 13 + 4 * facts.tool_calls.len() as u64;
        assert!(cost.count_total <= kept, "{}: {} allocations", exchange.name, cost.count_total);
        assert!(cost.bytes_max < 8 * 1024, "{}: {} bytes", exchange.name, cost.bytes_max);
    }
}
