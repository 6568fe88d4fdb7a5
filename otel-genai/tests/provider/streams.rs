//! Chunks that end anywhere, and streams that do.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::ResponseFacts;

use crate::exchanges::{Exchange, exchanges};

fn capturing() -> ContentPolicy {
    ContentPolicy::builder().with_span_attributes().with_blobs().build()
}

fn read(exchange: &Exchange, policy: &ContentPolicy, chunks: &[&[u8]]) -> ResponseFacts {
    let mut reader = exchange.reader().with_capture(policy);
    for chunk in chunks {
        reader.read(chunk);
    }
    reader.finish()
}

/// Every position of a short body, 200 of a long one: always the same ones, spread by the golden ratio.
fn positions(length: usize) -> Vec<usize> {
    if length <= 1200 {
        return (0..=length).collect();
    }
    (1..=200_u64).map(|index| (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) % length as u64) as usize).collect()
}

#[test]
fn a_body_split_anywhere_says_the_same() {
    let Some(exchanges) = exchanges() else { return };
    let off = ContentPolicy::none();
    let on = capturing();
    for exchange in &exchanges {
        let body = exchange.response.as_slice();
        let whole = read(exchange, &off, &[body]);
        let whole_content = read(exchange, &on, &[body]);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(read(exchange, &off, &bytes), whole, "{} byte by byte", exchange.name);
        assert_eq!(read(exchange, &on, &bytes), whole_content, "{} byte by byte", exchange.name);
        for position in positions(body.len()) {
            let (first, second) = body.split_at(position);
            assert_eq!(read(exchange, &off, &[first, b"", second]), whole, "{} at {position}", exchange.name);
        }
        // Content costs more to read: fewer positions.
        for position in positions(body.len()).into_iter().step_by(16) {
            let (first, second) = body.split_at(position);
            assert_eq!(
                read(exchange, &on, &[first, second]),
                whole_content,
                "{} at {position}",
                exchange.name
            );
        }
    }
}

#[test]
fn of_a_body_that_was_cut_what_was_read_is_kept() {
    let Some(exchanges) = exchanges() else { return };
    let off = ContentPolicy::none();
    for exchange in &exchanges {
        let body = exchange.response.as_slice();
        let whole = read(exchange, &off, &[body]);
        let mut known_id = None;
        let mut chunks = 0;
        for position in positions(body.len()).into_iter().collect::<std::collections::BTreeSet<_>>() {
            let (before, _) = body.split_at(position);
            let facts = read(exchange, &off, &[before]);
            assert!(facts.id.is_none() || facts.id == whole.id, "{} at {position}", exchange.name);
            assert!(known_id.is_none() || facts.id == known_id, "{} forgets at {position}", exchange.name);
            assert!(facts.output_chunks >= chunks, "{} at {position}", exchange.name);
            assert!(facts.output_chunks <= whole.output_chunks, "{} at {position}", exchange.name);
            assert!(facts.tool_calls.len() <= whole.tool_calls.len(), "{} at {position}", exchange.name);
            known_id = facts.id;
            chunks = facts.output_chunks;
        }
    }
}

#[test]
fn of_a_stream_that_was_cut_the_text_is_kept() {
    let Some(exchanges) = exchanges() else { return };
    let on = capturing();
    let streams = exchanges.iter().filter(|exchange| exchange.streaming);
    let mut checked = 0;
    for exchange in streams {
        let body = exchange.response.as_slice();
        let (before, _) = body.split_at(body.len() * 3 / 4);
        let facts = read(exchange, &on, &[before]);
        if facts.complete || facts.output_chunks == 0 {
            continue;
        }
        checked += 1;
        let message = &facts.output_messages[0];
        assert!(!message.message.parts.is_empty(), "{}", exchange.name);
        if facts.finish_reasons.is_empty() {
            assert_eq!(message.finish_reason, "incomplete", "{}", exchange.name);
        }
    }
    assert!(checked >= 20, "{checked}");
}

/// A short history of a stream that was cut: input tokens are known at its start, and count although nothing else came.
#[test]
fn usage_of_a_cut_stream_is_that_of_its_start() {
    let Some(exchanges) = exchanges() else { return };
    let anthropic = exchanges
        .iter()
        .find(|exchange| exchange.name.starts_with("anthropic_anthropic_prompt_caching_stream"));
    let exchange = anthropic.unwrap();
    let end = exchange.response.windows(2).position(|window| window == b"\n\n").unwrap();
    let facts = exchange.read(&[exchange.response.split_at(end).0]);
    assert_eq!(facts.usage.input_tokens, exchange.about["expect"]["semconv_input_tokens_total"].as_i64());
    assert!(!facts.complete);
}
