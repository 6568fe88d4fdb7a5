//! The readers of otel-genai: a body, whole and in chunks, says the same, and no body makes a reader or a policy panic.
//!
//! The first byte of the input chooses the API, the second how the body is framed, the third where chunks end. The rest
//! is the body.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, RequestReader, ResponseFacts, ResponseReader};

const APIS: [Api; 17] = [
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
    Api::OllamaChat,
    Api::OllamaGenerate,
    Api::OllamaEmbed,
    Api::CohereChat,
    Api::CohereEmbed,
    Api::CohereRerank,
    Api::BedrockEmbeddings,
];

const TYPES: [&str; 5] = [
    "",
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
];

/// Responses and streams of them.
pub fn genai_response(data: &[u8]) {
    let Some(([api, frame, cut], body)) = data.split_first_chunk() else { return };
    let api = APIS[usize::from(*api) % APIS.len()];
    let content_type = TYPES[usize::from(*frame) % TYPES.len()];
    for policy in [ContentPolicy::none(), capturing()] {
        let read = |chunks: &mut dyn Iterator<Item = &[u8]>| -> ResponseFacts {
            let mut reader = ResponseReader::new(api, frame % 2 == 0)
                .with_content_type(content_type)
                .with_capture(&policy);
            chunks.for_each(|chunk| reader.read(chunk));
            reader.finish()
        };
        let whole = read(&mut std::iter::once(body));
        let pieces = read(&mut body.chunks(usize::from(*cut) % 7 + 1));
        assert_eq!(whole, pieces);
        assert!(whole.output_chunks <= whole.events);
        let _ = policy.apply(Default::default(), whole.output_messages);
    }
}

/// Requests.
pub fn genai_request(data: &[u8]) {
    let Some(([api, cut], body)) = data.split_first_chunk() else { return };
    let api = APIS[usize::from(*api) % APIS.len()];
    for policy in [ContentPolicy::none(), capturing()] {
        let mut whole = RequestReader::new(api).with_capture(&policy);
        whole.read(body);
        let mut pieces = RequestReader::new(api).with_capture(&policy);
        body.chunks(usize::from(*cut) % 7 + 1).for_each(|chunk| pieces.read(chunk));
        let whole = whole.finish();
        assert_eq!(whole, pieces.finish());
        let _ = policy.apply(whole.content, Vec::new());
    }
}

/// Hosts and paths: the first line, and the second.
pub fn genai_endpoint(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (host, path) = text.split_once('\n').unwrap_or_default();
    if let Some(endpoint) = Api::recognise(host, path) {
        assert!(endpoint.model().is_none_or(|model| model.len() <= path.len() * 3));
    }
}

/// Small limits, so that inputs reach them.
fn capturing() -> ContentPolicy {
    ContentPolicy::builder()
        .with_span_attributes()
        .with_events()
        .with_blobs()
        .with_max_text_length(64)
        .build()
}

#[cfg(test)]
mod tests {
    use crate::tests::drive;

    #[test]
    fn genai_response() {
        drive(
            super::genai_response,
            &[
                "\0\u{2}\u{3}data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\u00e9\\ud83d\\ude00 a\"}}]}\n\ndata: [DONE]\n\n",
                "\u{1}\u{2}\u{1}data: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"x\"}]}]}}\n\n",
                "\u{4}\u{2}\u{1}event: x\r\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"Hello\"}}\r\n\r\n",
                "\u{6}\u{5}\u{1}[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]},{\"error\":{\"code\":503}}]",
                "\u{9}\u{4}\u{1}\0\0\0\u{30}\0\0\0\0\0\0\0\0{\"bytes\":\"eyJ0ZXh0IjoiYSJ9\",\"p\":\"ab\"}\0\0\0\0",
                "\u{a}\u{3}\u{5}{\"message\":{\"content\":\"B\"},\"done\":false}\n{\"done\":true,\"done_reason\":\"stop\"}\n",
                "\0\u{1}\u{1}{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}]}}]}",
            ],
        );
    }

    #[test]
    fn genai_request() {
        drive(
            super::genai_request,
            &[
                "\0\u{1}{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"function\":{\"name\":\"f\"}}],\"stop\":[\"a\"]}",
                "\u{1}\u{1}{\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}],\"instructions\":\"x\"}",
                "\u{6}\u{2}{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"AAAA\"}}]}],\"generationConfig\":{\"seed\":1}}",
                "\u{9}\u{2}{\"anthropic_version\":\"x\",\"messages\":[{\"content\":[{\"type\":\"tool_result\",\"content\":[]}]}]}",
            ],
        );
    }

    #[test]
    fn genai_endpoint() {
        drive(
            super::genai_endpoint,
            &[
                "api.openai.com:443\n/v1/chat/completions?x",
                "bedrock-runtime.us-east-1.amazonaws.com\n/model/a%3Ab/converse",
                "aiplatform.googleapis.com\n/v1/publishers/anthropic/models/c@1:rawPredict",
            ],
        );
    }
}
