//! Frames that servers and what stands between make, cut anywhere.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, ResponseFacts, ResponseReader};

use crate::apis::aws;

fn read(reader: impl Fn() -> ResponseReader, chunks: &[&[u8]]) -> ResponseFacts {
    let mut reader = reader();
    chunks.iter().for_each(|chunk| reader.read(chunk));
    reader.finish()
}

/// What a body says, which has to be the same wherever it is cut.
#[track_caller]
fn facts(reader: impl Fn() -> ResponseReader, body: &[u8]) -> ResponseFacts {
    let whole = read(&reader, &[body]);
    assert_eq!(read(&reader, &body.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    for position in 0..=body.len() {
        let (first, second) = body.split_at(position);
        assert_eq!(read(&reader, &[first, second]), whole, "cut at {position}");
    }
    whole
}

fn stream(api: Api) -> ResponseReader {
    ResponseReader::new(api, true).with_capture(&ContentPolicy::builder().with_events().build())
}

const EVENT: &str = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}"#;

#[test]
fn every_form_of_an_event_stream_is_read_wherever_it_is_cut() {
    let (first, second) = EVENT.split_at(EVENT.find(",\"choices").unwrap() + 1);
    for body in [
        format!("data:{EVENT}\n\ndata:[DONE]\n\n"),
        format!("\u{FEFF}data: {EVENT}\r\n\r\ndata: [DONE]\r\n\r\n"),
        format!("data: {EVENT}\r\rdata: [DONE]\r\r"),
        format!(": comment\r\nid: 1\r\nevent: message\r\ndata: {EVENT}\r\n\r\n: ping\n\ndata: [DONE]\n\n"),
        format!("data: {first}\ndata: {second}\n\ndata: [DONE]\n\n"),
        format!("data: {first}\rdata:{second}\r\rdata: [DONE]\r\r"),
        format!("data\ndata:\n\ndata: {EVENT}\n\n\n\ndata: [DONE]\n\n"),
        // The connection is closed with the line, or before its end.
        format!("data: {EVENT}\n\ndata: [DONE]\n"),
        format!("data: {EVENT}\n\ndata: [DONE]"),
        format!("data: {EVENT}\n\ndata: [DONE]\r\n"),
    ] {
        let facts = facts(|| stream(Api::OpenAiChat), body.as_bytes());
        let said = (facts.id.as_deref(), facts.events, facts.output_chunks, facts.complete);
        assert_eq!(said, (Some("x"), 1, 1, true), "{body:?}");
        assert_eq!(facts.output_messages.len(), 1);
    }
}

#[test]
fn a_byte_order_mark_before_json_is_no_part_of_it() {
    for (streaming, content_type) in
        [(false, ""), (false, "application/json"), (true, ""), (true, "application/json")]
    {
        let body = "\u{FEFF}{\"id\":\"x\",\"error\":{\"code\":\"overloaded\"},\"choices\":[{\"message\":{\"content\":\"a\"}}]}";
        let policy = ContentPolicy::builder().with_events().build();
        let reader = || {
            ResponseReader::new(Api::OpenAiChat, streaming)
                .with_content_type(content_type)
                .with_capture(&policy)
        };
        let facts = facts(reader, body.as_bytes());
        assert_eq!(facts.id.as_deref(), Some("x"), "{streaming} {content_type}");
        assert_eq!(facts.error.unwrap().error_type(), Some("overloaded"));
        assert_eq!(facts.output_messages.len(), 1);
    }
}

#[test]
fn lines_may_be_empty_and_end_in_any_way() {
    let body = "\n\r\n{\"model\":\"m\",\"message\":{\"content\":\"a\"},\"done\":false}\r\n\n  \n\
        {\"message\":{\"content\":\"b\"}}\ngarbage {\n\n\
        {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":2}";
    for end in ["", "\n", "\r\n\r\n"] {
        let facts = facts(|| stream(Api::OllamaChat), format!("{body}{end}").as_bytes());
        assert_eq!((facts.events, facts.output_chunks, facts.complete), (3, 2, true));
        assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens), (Some(3), Some(2)));
        assert_eq!(facts.output_messages[0].to_json()["parts"][0]["content"], "ab");
    }
}

/// Of a message of an AWS event stream the check sums are for whoever uses it.
#[test]
fn wrong_check_sums_and_long_headers_of_an_aws_event_stream() {
    let long = "h".repeat(3000);
    for headers in [
        &[(":event-type", "metadata")][..],
        // More than is kept: what stands first is read.
        &[(":exception-type", "throttlingException"), ("a", &long), ("b", &long), (":event-type", "x")],
    ] {
        let mut body = aws(headers, br#"{"usage":{"inputTokens":3,"outputTokens":4}}"#);
        let end = body.len() - 4;
        body[end..].copy_from_slice(&[0xDE, 0xAD, 0xBE, 0xEF]);
        body[8..12].copy_from_slice(&[1, 2, 3, 4]);
        body.extend(aws(&[(":event-type", "messageStop")], br#"{"stopReason":"end_turn"}"#));
        let facts = facts(|| stream(Api::BedrockConverse), &body);
        assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens), (Some(3), Some(4)));
        assert_eq!((facts.finish_reasons.as_slice(), facts.events), (&["end_turn".to_owned()][..], 2));
        assert_eq!(facts.error.is_some(), headers.len() > 1);
    }
}

#[test]
fn an_error_without_a_content_type_is_no_aws_event_stream() {
    for api in [Api::BedrockConverse, Api::BedrockInvokeModel] {
        let body = br#" {"__type":"ThrottlingException","message":"slow down"}"#;
        let facts = facts(|| stream(api), body);
        assert_eq!(facts.error.unwrap().message.as_deref(), Some("slow down"));
    }
}

/// The last of several values is the one that counts, whether they are said in one event or in several.
#[test]
fn what_is_said_twice_is_not_summed() {
    let usage =
        |input: i64, output: i64| format!("{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}");
    let (early, late) = (usage(7, 1), usage(7, 3));
    for body in [
        format!("data: {{\"id\":\"a\",\"id\":\"x\",\"usage\":{early},\"usage\":{late}}}\n\n"),
        format!(
            "data: {{\"id\":\"x\",\"usage\":{early}}}\n\ndata: {{\"usage\":{late}}}\n\ndata: {{\"usage\":null}}\n\n"
        ),
        format!(
            "data: {{\"id\":\"x\",\"usage\":{early}}}\n\ndata: {{\"x_groq\":{{\"usage\":{late}}},\"usage\":{late}}}\n\n"
        ),
        // A negative count is none.
        format!("data: {{\"id\":\"x\",\"usage\":{late}}}\n\ndata: {{\"usage\":{}}}\n\n", usage(-7, -3)),
    ] {
        let facts = facts(|| stream(Api::OpenAiChat), body.as_bytes());
        assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens), (Some(7), Some(3)), "{body}");
        assert_eq!(facts.id.as_deref(), Some("x"));
    }
    let gemini = |prompt: i64, visible: i64, thoughts: i64| {
        format!(
            "data: {{\"usageMetadata\":{{\"promptTokenCount\":{prompt},\"candidatesTokenCount\":{visible},\"thoughtsTokenCount\":{thoughts}}}}}\n\n"
        )
    };
    let reader = || stream(Api::GeminiGenerateContent).with_content_type("text/event-stream");
    let usage = facts(reader, format!("{}{}", gemini(5, 1, 2), gemini(5, 4, 6)).as_bytes()).usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(5), Some(10)));
    let anthropic = "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"output_tokens\":1}}}\n\n\
        data: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"output_tokens\":8}}\n\n";
    let usage = facts(|| stream(Api::AnthropicMessages), anthropic.as_bytes()).usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(13), Some(8)));
}

/// A chunk that is the same as the one before carries as much as that.
#[test]
fn a_repeated_chunk_with_many_values_before_its_text_is_output() {
    let values = (0..40).map(|number| format!("\"v{number}\":{number},")).collect::<String>();
    let event =
        format!("data: {{{values}\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}]}}\n\n");
    let facts = facts(|| ResponseReader::new(Api::OpenAiChat, true), event.repeat(3).as_bytes());
    assert_eq!((facts.events, facts.output_chunks), (3, 3));
}

/// Azure puts what its filter did before the text, in each chunk.
#[test]
fn azure_s_filter_is_read_in_streams() {
    let safe =
        r#"{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false}}"#;
    let caught =
        r#"{"hate":{"filtered":true,"severity":"high"},"custom_blocklists":{"filtered":false,"details":[]}}"#;
    let chunk = |filter: &str, text: &str, reason: &str| {
        format!(
            "data: {{\"id\":\"x\",\"choices\":[{{\"content_filter_results\":{filter},\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{reason},\"index\":0}}]}}\n\n"
        )
    };
    let prompt = |filter: &str| {
        format!(
            "data: {{\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[{{\"prompt_index\":0,\"content_filter_results\":{filter}}}]}}\n\n"
        )
    };
    let start = format!("{}{}{}", prompt(safe), chunk(safe, "a", "null"), chunk(safe, "b", "null"));
    let fine = facts(|| stream(Api::OpenAiChat), start.as_bytes());
    assert_eq!((fine.content_filter, fine.output_chunks), (Default::default(), 2));
    let body = format!("{start}{}", chunk(caught, "", "\"content_filter\""));
    let stopped = facts(|| stream(Api::OpenAiChat), body.as_bytes());
    assert!(stopped.content_filter.output_filtered && !stopped.content_filter.prompt_filtered);
    assert_eq!((stopped.finish_reasons, stopped.output_chunks), (vec!["content_filter".to_owned()], 2));
    let refused = facts(|| stream(Api::OpenAiChat), prompt(caught).as_bytes());
    assert!(refused.content_filter.prompt_filtered);
    let body = format!(
        "{{\"error\":{{\"code\":\"content_filter\",\"status\":400,\"innererror\":{{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{caught}}}}}}}"
    );
    let error = facts(|| stream(Api::OpenAiChat), body.as_bytes());
    assert!(error.content_filter.prompt_filtered);
    assert_eq!(error.error.unwrap().error_type(), Some("content_filter"));
}

#[test]
fn calls_of_tools_whose_parts_come_in_any_order_count_once() {
    let chunk = |calls: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{calls}]}}}}]}}\n\n")
    };
    let body = [
        chunk(r#"{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}"#),
        chunk(r#"{"index":1,"id":"c2","type":"function","function":{"name":"f","arguments":"{"}}"#),
        chunk(r#"{"index":0,"function":{"arguments":"{\"a"}}"#),
        // Some servers say all of it each time.
        chunk(r#"{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"\":1}"}}"#),
        chunk(r#"{"index":1,"id":null,"function":{"name":null,"arguments":"}"}}"#),
    ]
    .concat();
    let facts = facts(|| stream(Api::OpenAiChat), body.as_bytes());
    let calls: Vec<_> = facts.tool_calls.iter().map(|call| call.id.as_deref().unwrap()).collect();
    assert_eq!((calls, facts.output_chunks), (vec!["c1", "c2"], 5));
    let parts = facts.output_messages[0].to_json()["parts"].clone();
    assert_eq!(parts[0]["arguments"], serde_json::json!({ "a": 1 }));
    assert_eq!(parts[1]["arguments"], serde_json::json!({}));
    assert_eq!(parts.as_array().unwrap().len(), 2);
}
