//! Each operation with all that it can say.

use otel_genai::content::{Message, OutputMessage, Part, RequestContent};
use otel_genai::mcp::McpTransport;
use otel_genai::provider::{Api, Provider, RequestFacts, ResponseFacts};
use otel_genai::{GenAi, GenAiMemoryOperation};
use serde_json::json;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// All that can be known of a request.
fn request() -> RequestFacts {
    let mut content = RequestContent::default();
    content.input_messages = vec![Message::text("user", "Hi")];
    content.system_instructions = vec![Part::Text("Be kind".into())];
    let mut definition = otel_genai::content::ToolDefinition::default();
    (definition.kind, definition.name) = ("function".into(), "lookup".into());
    content.tool_definitions = vec![definition];
    let mut request = RequestFacts::default();
    (request.model, request.stream, request.max_tokens) = (Some("gpt-4o".into()), true, Some(100));
    (request.temperature, request.top_p, request.top_k) = (Some(0.2), Some(0.9), Some(40.0));
    (request.frequency_penalty, request.presence_penalty) = (Some(0.1), Some(0.3));
    (request.seed, request.choice_count, request.output_type) = (Some(42), Some(2), Some("json"));
    (request.stop_sequences, request.encoding_formats) = (texts(&["END"]), texts(&["float"]));
    (request.service_tier, request.conversation_id) = (Some("default".into()), Some("conv_1".into()));
    (request.previous_response_id, request.reasoning_level) = (Some("resp_0".into()), Some("high".into()));
    request.content = content;
    request
}

/// All that can be known of a response.
fn fill(response: &mut ResponseFacts) {
    (response.id, response.model) = (Some("r1".into()), Some("gpt-4o-1".into()));
    (response.service_tier, response.system_fingerprint) = (Some("flex".into()), Some("fp".into()));
    (response.finish_reasons, response.dimensions) = (texts(&["stop"]), Some(256));
    let usage = &mut response.usage;
    (usage.input_tokens, usage.output_tokens, usage.reasoning_output_tokens) = (Some(100), Some(20), Some(5));
    (usage.cache_read_input_tokens, usage.cache_write_input_tokens) = (Some(6), Some(7));
    (usage.text_input_tokens, usage.image_input_tokens, usage.audio_input_tokens) =
        (Some(1), Some(2), Some(3));
    (usage.text_output_tokens, usage.image_output_tokens, usage.audio_output_tokens) =
        (Some(4), Some(5), Some(6));
    let mut output = OutputMessage::default();
    (output.message, output.finish_reason) = (Message::text("assistant", "Hello"), "stop".into());
    response.output_messages = vec![output];
}

/// Runs each, failed, so that it has an error too.
pub(crate) fn run_everything(genai: &GenAi) {
    for (api, provider) in [
        (Api::OpenAiChat, Provider::OpenAi),
        (Api::OpenAiCompletions, Provider::OpenAi),
        (Api::GeminiGenerateContent, Provider::GcpGemini),
    ] {
        let mut request = request();
        request.service_tier.take_if(|_| provider != Provider::OpenAi);
        let call = genai.call_of(api, provider.clone(), request).with_prompt("greeting", "3");
        let mut call = call.with_server("api.test", 443).start();
        call.chunks(2);
        fill(call.response());
        if provider != Provider::OpenAi {
            (call.response().service_tier, call.response().system_fingerprint) = (None, None);
        }
        call.fail("overloaded");
    }
    let mut request = request();
    request.content = RequestContent::default();
    let mut embeddings = genai.call_of(Api::OpenAiEmbeddings, Provider::OpenAi, request);
    embeddings = embeddings.with_server("api.test", 443);
    let mut embeddings = embeddings.start();
    fill(embeddings.response());
    embeddings.response().output_messages.clear();
    embeddings.fail("overloaded");
    let retrieval = genai.retrieval("kb-1").with_provider(Provider::OpenAi).with_model("embed").with_top_k(3);
    let mut retrieval = retrieval.with_server("api.test", 443).start();
    retrieval.set_query("Where?");
    retrieval.set_documents(&json!([{ "id": "d", "score": 0.5 }]));
    retrieval.fail("timeout");
    run_agents(genai);
    let mut tool =
        genai.execute_tool("lookup").with_call_id("c1").with_type("function").with_description("d").start();
    tool.set_arguments(&json!({ "q": 1 }));
    tool.set_result(&json!("found"));
    tool.fail("timeout");
    for operation in [
        GenAiMemoryOperation::Search,
        GenAiMemoryOperation::Create,
        GenAiMemoryOperation::Update,
        GenAiMemoryOperation::Upsert,
        GenAiMemoryOperation::Delete,
        GenAiMemoryOperation::CreateStore,
        GenAiMemoryOperation::DeleteStore,
    ] {
        let memory =
            genai.memory(operation).with_provider(Provider::OpenAi).with_store_id("s").with_record_id("r");
        let mut memory = memory.with_server("api.test", 443).start();
        memory.set_query("Where?");
        memory.set_records(&json!([]));
        memory.set_record_count(3);
        memory.fail("timeout");
    }
    run_mcp(genai);
}

fn run_agents(genai: &GenAi) {
    let workflow = genai.invoke_workflow("support").with_conversation_id("conv_1");
    let mut workflow = workflow.with_input_messages(vec![Message::text("user", "Hi")]).start();
    workflow.set_output_messages(vec![OutputMessage::default()]);
    workflow.run(|| {
        genai.execute_tool("in_conversation").start().end();
        let mut call = genai.text_completion(Provider::OpenAi, "inside").start();
        call.response().usage.input_tokens = Some(1);
        call.end();
    });
    workflow.fail("timeout");
    genai.plan("clerk").with_agent_id("a1").start().fail("timeout");
    let mut instructions = RequestFacts::default();
    instructions.model = Some("gpt-4o".into());
    instructions.content.system_instructions = vec![Part::Text("Be kind".into())];
    let made = genai.create_agent(Provider::OpenAi, "clerk").with_server("api.test", 443);
    made.with_request(instructions)
        .with_id("a1")
        .with_version("2")
        .with_description("d")
        .start()
        .fail("timeout");
    for agent in [
        genai.invoke_agent(Provider::OpenAi, "clerk").remote().with_server("api.test", 443),
        genai.invoke_agent(Provider::OpenAi, "clerk"),
    ] {
        let agent = agent.with_request(request()).with_data_source_id("kb-1").with_id("a1");
        let mut agent = agent.with_version("2").with_description("d").start();
        fill(agent.response());
        agent.fail("timeout");
    }
}

fn run_mcp(genai: &GenAi) {
    for message in [genai.mcp_client("tools/call"), genai.mcp_server("tools/call")] {
        let message = message.with_tool("lookup").with_prompt("greet").with_resource_uri("file:///x");
        let message = message.with_request_id(1).with_session_id("s").with_protocol_version("2025-06-18");
        let mut message = message.with_transport(McpTransport::Http).with_peer("mcp.test", 443).start();
        message.respond(&json!({ "error": { "code": -32603, "message": "" } }));
        message.end();
    }
    for session in [genai.mcp_client_session(), genai.mcp_server_session()] {
        session
            .with_transport(McpTransport::Http)
            .with_protocol_version("2025-06-18")
            .with_peer("mcp.test", 443)
            .fail("x");
    }
}
