//! Bodies that nobody should send.

use std::time::{Duration, Instant};

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, RequestReader, ResponseFacts, ResponseReader};
use proptest::prelude::*;

const APIS: &[Api] = &[
    Api::OpenAiChat,
    Api::OpenAiResponses,
    Api::OpenAiCompletions,
    Api::OpenAiEmbeddings,
    Api::AnthropicMessages,
    Api::AnthropicCompletions,
    Api::GeminiGenerateContent,
    Api::GeminiEmbedContent,
    Api::BedrockConverse,
    Api::BedrockInvokeModel,
    Api::BedrockEmbeddings,
    Api::OllamaChat,
    Api::OllamaGenerate,
    Api::OllamaEmbed,
    Api::CohereChat,
    Api::CohereEmbed,
    Api::CohereRerank,
];

const TYPES: &[&str] = &[
    "",
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "\u{0}",
];

fn policies() -> [ContentPolicy; 2] {
    [
        ContentPolicy::none(),
        ContentPolicy::builder().with_span_attributes().with_events().with_blobs().build(),
    ]
}

fn read_all(chunks: &[&[u8]]) -> Vec<ResponseFacts> {
    let mut all = Vec::new();
    for policy in policies() {
        for api in APIS {
            for content_type in TYPES {
                let mut reader =
                    ResponseReader::new(*api, true).with_content_type(content_type).with_capture(&policy);
                chunks.iter().for_each(|chunk| reader.read(chunk));
                let facts = reader.finish();
                let _ = policy.apply(Default::default(), facts.output_messages.clone());
                all.push(facts);
            }
            let mut request = RequestReader::new(*api).with_capture(&policy);
            chunks.iter().for_each(|chunk| request.read(chunk));
            let _ = policy.apply(request.finish().content, Vec::new());
        }
    }
    all
}

fn chat(body: &str) -> ResponseFacts {
    let mut reader = ResponseReader::new(Api::OpenAiChat, false);
    reader.read(body.as_bytes());
    reader.finish()
}

#[test]
fn what_is_no_space_in_json_says_the_same_in_a_chunk_of_its_own() {
    for start in ["\u{c}", "\u{b}", " \u{c}\t", "\u{feff}\u{c}"] {
        let body = format!(r#"{start}{{"id":"a","error":{{"code":"b"}}}}"#);
        let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(read_all(&[body.as_bytes()]), read_all(&bytes), "{start:?}");
    }
}

#[test]
fn deep_nesting_costs_no_stack_and_hides_nothing_after_it() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}0{}", open.repeat(200_000), close.repeat(200_000));
        let facts = chat(&format!(r#"{{"x":{deep},"id":"after","usage":{{"prompt_tokens":3}}}}"#));
        assert_eq!(facts.id.as_deref(), Some("after"));
        assert_eq!(facts.usage.input_tokens, Some(3));
        read_all(&[open.repeat(2_000).as_bytes()]);
        read_all(&[format!("{}0{}", open.repeat(2_000), close.repeat(2_000)).as_bytes()]);
    }
}

#[test]
fn numbers_that_are_none_are_not_counted() {
    let digits = "9".repeat(100_000);
    for number in
        [&digits, "-5", "1e400", "-1e400", "NaN", "1e", "--1", "0x10", "nul", "1.5.5", "99999999999999999999"]
    {
        let facts = chat(&format!(r#"{{"usage":{{"prompt_tokens":{number},"completion_tokens":7}}}}"#));
        assert_eq!(facts.usage.input_tokens, None, "{number}");
    }
    // Whole numbers that are written as fractions are.
    assert_eq!(chat(r#"{"usage":{"prompt_tokens":12.0}}"#).usage.input_tokens, Some(12));
    assert_eq!(chat(r#"{"usage":{"prompt_tokens":9223372036854775807}}"#).usage.input_tokens, Some(i64::MAX));
    // So are those that are written as texts.
    let facts =
        chat(r#"{"choices":[{"index":"1"}],"usage":{"prompt_tokens":"12","completion_tokens":"-1"}}"#);
    assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens, facts.choices), (Some(12), None, 2));
}

#[test]
fn sums_of_huge_counts_saturate() {
    let mut reader = ResponseReader::new(Api::AnthropicMessages, false);
    let max = i64::MAX;
    reader
        .read(format!(r#"{{"usage":{{"input_tokens":{max},"cache_read_input_tokens":{max}}}}}"#).as_bytes());
    assert_eq!(reader.finish().usage.input_tokens, Some(max));
}

#[test]
fn a_text_that_is_too_long_for_a_fact_is_none() {
    let long = "x".repeat(1 << 20);
    let facts = chat(&format!(r#"{{"id":"{long}","model":"m","{long}":1,"system_fingerprint":"fp"}}"#));
    assert_eq!(facts.id, None);
    assert_eq!(facts.model.as_deref(), Some("m"));
    assert_eq!(facts.system_fingerprint.as_deref(), Some("fp"));
}

#[test]
fn lists_do_not_grow_without_bound() {
    let call = r#"{"id":"","function":{"name":"f","arguments":"{}"}}"#;
    let calls = vec![call; 20].join(",");
    let choices =
        vec![format!(r#"{{"finish_reason":"stop","message":{{"tool_calls":[{calls}]}}}}"#); 300].join(",");
    let facts = chat(&format!(r#"{{"choices":[{choices}]}}"#));
    assert_eq!(facts.tool_calls.len(), 128);
    assert_eq!(facts.finish_reasons.len(), 128);
    assert_eq!(facts.choices, 300);
    let facts =
        chat(r#"{"choices":[{"index":18446744073709551615,"finish_reason":"stop"},{"index":4294967296}]}"#);
    assert!(facts.finish_reasons.len() <= 1);
}

#[test]
fn escapes_and_broken_utf8_are_read_as_far_as_they_go() {
    assert_eq!(chat(r#"{"id":"a\u00e9\ud83d\ude00\"\\\/\n"}"#).id.as_deref(), Some("aé😀\"\\/\n"));
    assert_eq!(chat(r#"{"id":"\ud83d!\udc00"}"#).id.as_deref(), Some("\u{FFFD}!\u{FFFD}"));
    assert_eq!(chat(r#"{"\u0069d":"x"}"#).id.as_deref(), Some("x"));
    let mut reader = ResponseReader::new(Api::OpenAiChat, false);
    reader.read(b"{\"id\":\"a\xff\xfeb\",\"model\":\"m\"}");
    let facts = reader.finish();
    assert_eq!(facts.id.as_deref(), Some("a\u{FFFD}\u{FFFD}b"));
    assert_eq!(facts.model.as_deref(), Some("m"));
}

#[test]
fn an_event_stream_of_impossible_lengths_is_left_alone() {
    let lengths: [(u32, u32); 6] =
        [(0, 0), (15, 0), (u32::MAX, 0), (100, 100), (u32::MAX, u32::MAX), (16, u32::MAX)];
    for (total, headers) in lengths {
        let mut body = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        body.extend_from_slice(&[0; 4096]);
        read_all(&[&body]);
    }
    // Headers that lie about their own lengths.
    let mut body = [116_u32.to_be_bytes(), 100_u32.to_be_bytes(), [0; 4]].concat();
    body.extend_from_slice(&[255; 104]);
    read_all(&[&body, &body]);
}

#[test]
fn an_endless_line_costs_linear_time_and_nothing_is_kept_of_it() {
    let megabyte = vec![b'x'; 1 << 20];
    for start in [&b"data: "[..], b"data: {\"id\":\"", b"event: ", b": ", b"{\"a\":\"", b"[", b"{\"a\":[1,"] {
        let started = Instant::now();
        for api in [Api::OpenAiChat, Api::OllamaChat, Api::GeminiGenerateContent, Api::BedrockInvokeModel] {
            let mut reader = ResponseReader::new(api, true);
            reader.read(start);
            (0..16).for_each(|_| reader.read(&megabyte));
            assert_eq!(reader.finish().id, None);
        }
        // 64 MiB, in a debug build, on a machine that has other work. Squared it would be days.
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn one_byte_at_a_time_costs_no_more_than_its_bytes() {
    let body = format!(r#"data: {{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "y".repeat(1 << 20));
    let policy = ContentPolicy::builder().with_events().build();
    let started = Instant::now();
    let mut reader = ResponseReader::new(Api::OpenAiChat, true).with_capture(&policy);
    body.as_bytes().chunks(1).for_each(|byte| reader.read(byte));
    reader.read(b"\n\n");
    let facts = reader.finish();
    assert_eq!(facts.output_chunks, 1);
    assert!(facts.content_truncated);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn pieces_that_exceed_the_limit_are_cut_and_counted() {
    let policy = ContentPolicy::builder().with_events().with_max_text_length(10).build();
    let mut reader = ResponseReader::new(Api::OpenAiChat, true).with_capture(&policy);
    for _ in 0..1000 {
        reader.read(b"data: {\"choices\":[{\"delta\":{\"content\":\"abc\xc3\xa9\"}}]}\n\n");
    }
    let facts = reader.finish();
    assert_eq!(facts.output_chunks, 1000);
    assert!(facts.content_truncated);
    let json = facts.output_messages[0].to_json();
    assert_eq!(json["parts"][0]["content"], "abcéabcé…[cut]");
}

#[test]
fn long_ids_and_names_count_as_texts_do() {
    let policy = ContentPolicy::builder().with_span_attributes().build();
    let long = "n".repeat(16_000);
    let call =
        |id: usize| serde_json::json!({"index": id, "id": format!("{long}{id}"), "function": {"name": long}});
    let mut reader = ResponseReader::new(Api::OpenAiChat, true).with_capture(&policy);
    for index in 0..200 {
        let delta = serde_json::json!({"role": long, "tool_calls": [call(index)]});
        let event =
            serde_json::json!({"choices": [{"index": index % 100, "finish_reason": long, "delta": delta}]});
        reader.read(format!("data: {event}\n\n").as_bytes());
    }
    let output = reader.finish().output_messages;
    let mut reader = RequestReader::new(Api::OpenAiChat).with_capture(&policy);
    let message = |id| serde_json::json!({"role": long, "name": long, "tool_calls": [call(id)]});
    let messages: Vec<_> = (0..50).map(message).collect();
    reader.read(serde_json::json!({"messages": messages}).to_string().as_bytes());
    let captured = policy.apply(reader.finish().content, output);
    assert_eq!(captured.span_attributes.len(), 2);
    for attribute in captured.span_attributes {
        let length = attribute.value.as_str().len();
        assert!((100_000..400_000).contains(&length), "{}: {length}", attribute.key);
    }
}

/// JSON, and what is almost JSON.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "null",
        "true",
        "1",
        "-",
        "1e9",
        " ",
        "\n",
        "\n\n",
        "\r",
        "data:",
        "data: ",
        "event: x",
        ":",
        "[DONE]",
        "\"id\"",
        "\"choices\"",
        "\"delta\"",
        "\"content\"",
        "\"usage\"",
        "\"type\"",
        "\"index\"",
        "\"tool_calls\"",
        "\"message\"",
        "\"text\"",
        "\"bytes\"",
        "\"error\"",
        "\"parts\"",
        "\"output\"",
        "\"response\"",
        "\"function\"",
        "\"name\"",
        "\"arguments\"",
        "é",
        "\u{FEFF}",
    ]);
    prop::collection::vec(
        prop_oneof![4 => word.prop_map(|word| word.as_bytes().to_vec()), 1 => any::<Vec<u8>>()],
        0..60,
    )
    .prop_map(|words| words.concat())
}

/// So many cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(64),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_panics_and_chunks_do_not_matter(body in jsonish(), cuts in prop::collection::vec(0_usize..400, 0..6)) {
        let whole = read_all(&[&body]);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        cuts.push(body.len());
        let mut start = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(body.get(start..cut).unwrap());
            start = cut;
        }
        prop_assert_eq!(read_all(&chunks), whole);
    }
}
