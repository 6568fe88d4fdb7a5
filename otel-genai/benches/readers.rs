//! What does reading cost, for each chunk of a stream, and for a body that came whole?
//!
//! `cargo bench -p otel-genai --bench readers`: allocations for each chunk first, then the times. `Value` is what parsing
//! each event with `serde_json` costs, which is what a client does that uses the stream.

#![expect(missing_docs, reason = "a benchmark has no API")]
#![expect(clippy::print_stdout, reason = "allocations are part of the report")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, RequestReader, ResponseReader};

const CHUNKS: usize = 1000;

const OPENAI: &[u8] =
    b"data: {\"id\":\"chatcmpl-ASYMZ4oSykiIFK4lXLReDiKyAjsQl\",\"object\":\"chat.completion.chunk\",\
    \"created\":1731368639,\"model\":\"gpt-4-0613\",\"system_fingerprint\":null,\"choices\":[{\"index\":0,\
    \"delta\":{\"content\":\" test\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";

const ANTHROPIC: &[u8] = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
    \"delta\":{\"type\":\"text_delta\",\"text\":\" count the occurrences of the letter\"}}\n\n";

const RESPONSES: &[u8] = b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\
    \"sequence_number\":4,\"item_id\":\"msg_0fef0f8a68937870006911e9ef0ecc81949d727f28043244eb\",\"output_index\":0,\
    \"content_index\":0,\"delta\":\" upon\",\"logprobs\":[],\"obfuscation\":\"n3xRiR8T9Yx\"}\n\n";

const OLLAMA: &[u8] = b"{\"model\":\"llama3\",\"created_at\":\"2024-05-24T20:26:46.294874Z\",\
    \"message\":{\"role\":\"assistant\",\"content\":\"Why\"},\"done\":false}\n";

const STREAMS: [(&str, Api, &[u8]); 4] = [
    ("openai chat", Api::OpenAiChat, OPENAI),
    ("openai responses", Api::OpenAiResponses, RESPONSES),
    ("anthropic messages", Api::AnthropicMessages, ANTHROPIC),
    ("ollama chat", Api::OllamaChat, OLLAMA),
];

fn stream(api: Api, chunk: &[u8], policy: &ContentPolicy) -> u64 {
    let mut reader = ResponseReader::new(api, true).with_capture(policy);
    for _ in 0..CHUNKS {
        reader.read(black_box(chunk));
    }
    reader.finish().output_chunks
}

/// The JSON of an event.
fn json(chunk: &[u8]) -> &[u8] {
    let start = chunk.windows(2).position(|window| window == b"{\"").unwrap_or(0);
    chunk.get(start..).unwrap_or_default().trim_ascii_end()
}

fn streams(criterion: &mut Criterion) {
    let capture = ContentPolicy::builder().with_events().build();
    let mut group = criterion.benchmark_group("1000 chunks");
    group.throughput(Throughput::Elements(CHUNKS as u64)).sample_size(20);
    for (name, api, chunk) in STREAMS {
        for (how, policy) in [("facts", &ContentPolicy::none()), ("facts and content", &capture)] {
            let cost = allocation_counter::measure(|| assert_eq!(stream(api, chunk, policy), CHUNKS as u64));
            println!("{name}, {how}: {} allocations, at most {} bytes", cost.count_total, cost.bytes_max);
            group.bench_function(format!("{name}, {how}"), |bencher| {
                bencher.iter(|| stream(api, chunk, policy));
            });
        }
        group.bench_function(format!("{name}, Value"), |bencher| {
            bencher.iter(|| {
                for _ in 0..CHUNKS {
                    black_box(serde_json::from_slice::<serde_json::Value>(black_box(json(chunk))).ok());
                }
            });
        });
    }
}

fn bodies(criterion: &mut Criterion) {
    let numbers: Vec<String> = (0..1536).map(|index| format!("{:.9}", f64::from(index) / 3e4)).collect();
    let embedding = format!(
        r#"{{"data":[{{"embedding":[{}],"index":0}}],"model":"text-embedding-3-small","usage":{{"prompt_tokens":6}}}}"#,
        numbers.join(",")
    );
    let messages =
        vec![r#"{"role":"user","content":"What is the \"weather\" in Seattle, and in San Francisco?"}"#; 200];
    let request = format!(r#"{{"model":"gpt-4o","messages":[{}],"temperature":0.2}}"#, messages.join(","));
    let mut group = criterion.benchmark_group("bodies");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(embedding.len() as u64)).bench_function(
        "embedding of 1536 numbers",
        |bencher| {
            bencher.iter(|| {
                let mut reader = ResponseReader::new(Api::OpenAiEmbeddings, false);
                reader.read(black_box(embedding.as_bytes()));
                reader.finish()
            });
        },
    );
    group.throughput(Throughput::Bytes(request.len() as u64)).bench_function(
        "request of 200 messages",
        |bencher| {
            bencher.iter(|| {
                let mut reader = RequestReader::new(Api::OpenAiChat);
                reader.read(black_box(request.as_bytes()));
                reader.finish()
            });
        },
    );
}

criterion_group!(benches, streams, bodies);
criterion_main!(benches);
