//! The names of the conventions that this crate emits.
//!
//! The published crate of names marks all of these as deprecated, because they moved to a repository of their own that has
//! no package of names; so they stand here, and a test compares them with the registry.

macro_rules! names {
    ($($name:ident = $text:literal;)+) => {
        $(pub(crate) const $name: &str = $text;)+

        #[cfg(test)]
        pub(crate) const ALL: &[&str] = &[$($text),+];
    };
}

/// Attributes.
pub(crate) mod attribute {
    names! {
        OPERATION_NAME = "gen_ai.operation.name";
        PROVIDER_NAME = "gen_ai.provider.name";
        OUTPUT_TYPE = "gen_ai.output.type";
        CONVERSATION_ID = "gen_ai.conversation.id";
        REQUEST_MODEL = "gen_ai.request.model";
        REQUEST_STREAM = "gen_ai.request.stream";
        REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count";
        REQUEST_SEED = "gen_ai.request.seed";
        REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens";
        REQUEST_TEMPERATURE = "gen_ai.request.temperature";
        REQUEST_TOP_P = "gen_ai.request.top_p";
        REQUEST_TOP_K = "gen_ai.request.top_k";
        REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty";
        REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty";
        REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences";
        REQUEST_ENCODING_FORMATS = "gen_ai.request.encoding_formats";
        REQUEST_PREVIOUS_RESPONSE_ID = "gen_ai.request.previous_response.id";
        REQUEST_REASONING_LEVEL = "gen_ai.request.reasoning.level";
        PROMPT_NAME = "gen_ai.prompt.name";
        PROMPT_VERSION = "gen_ai.prompt.version";
        RESPONSE_ID = "gen_ai.response.id";
        RESPONSE_MODEL = "gen_ai.response.model";
        RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons";
        RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";
        USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens";
        USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
        USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens";
        USAGE_CACHE_CREATION_INPUT_TOKENS = "gen_ai.usage.cache_creation.input_tokens";
        USAGE_CACHE_WRITE_INPUT_TOKENS = "gen_ai.usage.cache_write.input_tokens";
        USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens";
        USAGE_TEXT_INPUT_TOKENS = "gen_ai.usage.text.input_tokens";
        USAGE_IMAGE_INPUT_TOKENS = "gen_ai.usage.image.input_tokens";
        USAGE_AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens";
        USAGE_TEXT_OUTPUT_TOKENS = "gen_ai.usage.text.output_tokens";
        USAGE_IMAGE_OUTPUT_TOKENS = "gen_ai.usage.image.output_tokens";
        USAGE_AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens";
        TOKEN_TYPE = "gen_ai.token.type";
        TOKEN_MODALITY = "gen_ai.token.modality";
        EMBEDDINGS_DIMENSION_COUNT = "gen_ai.embeddings.dimension.count";
        DATA_SOURCE_ID = "gen_ai.data_source.id";
        RETRIEVAL_DOCUMENTS = "gen_ai.retrieval.documents";
        RETRIEVAL_TOP_K = "gen_ai.retrieval.top_k";
        RETRIEVAL_QUERY_TEXT = "gen_ai.retrieval.query.text";
        AGENT_ID = "gen_ai.agent.id";
        AGENT_NAME = "gen_ai.agent.name";
        AGENT_DESCRIPTION = "gen_ai.agent.description";
        AGENT_VERSION = "gen_ai.agent.version";
        TOOL_NAME = "gen_ai.tool.name";
        TOOL_CALL_ID = "gen_ai.tool.call.id";
        TOOL_CALL_ARGUMENTS = "gen_ai.tool.call.arguments";
        TOOL_CALL_RESULT = "gen_ai.tool.call.result";
        TOOL_DESCRIPTION = "gen_ai.tool.description";
        TOOL_TYPE = "gen_ai.tool.type";
        WORKFLOW_NAME = "gen_ai.workflow.name";
        MEMORY_STORE_ID = "gen_ai.memory.store.id";
        MEMORY_RECORD_ID = "gen_ai.memory.record.id";
        MEMORY_RECORD_COUNT = "gen_ai.memory.record.count";
        MEMORY_QUERY_TEXT = "gen_ai.memory.query.text";
        MEMORY_RECORDS = "gen_ai.memory.records";
        EVALUATION_NAME = "gen_ai.evaluation.name";
        EVALUATION_SCORE_LABEL = "gen_ai.evaluation.score.label";
        EVALUATION_SCORE_VALUE = "gen_ai.evaluation.score.value";
        EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation";
        OPENAI_API_TYPE = "openai.api.type";
        OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier";
        OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier";
        OPENAI_RESPONSE_SYSTEM_FINGERPRINT = "openai.response.system_fingerprint";
        MCP_METHOD_NAME = "mcp.method.name";
        MCP_SESSION_ID = "mcp.session.id";
        MCP_RESOURCE_URI = "mcp.resource.uri";
        MCP_PROTOCOL_VERSION = "mcp.protocol.version";
        JSONRPC_REQUEST_ID = "jsonrpc.request.id";
        RPC_RESPONSE_STATUS_CODE = "rpc.response.status_code";
        NETWORK_TRANSPORT = "network.transport";
        NETWORK_PROTOCOL_NAME = "network.protocol.name";
        SERVER_ADDRESS = "server.address";
        SERVER_PORT = "server.port";
        CLIENT_ADDRESS = "client.address";
        CLIENT_PORT = "client.port";
        ERROR_TYPE = "error.type";
    }
}

/// What a function of the user's may not say at an operation's start, because it is said later, or of some metrics only.
/// Each stands for itself, or with a dot for all that begin with it.
pub(crate) const LATER: [&str; 20] = [
    "error.type",
    "gen_ai.conversation.id",
    "gen_ai.embeddings.",
    "gen_ai.input.",
    "gen_ai.memory.query.text",
    "gen_ai.memory.record.count",
    "gen_ai.memory.records",
    "gen_ai.output.messages",
    "gen_ai.output.messages_ref",
    "gen_ai.response.",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "gen_ai.system_instructions",
    "gen_ai.token.",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.usage.",
    "openai.response.",
    "otel_genai.",
];

/// What a function of the user's may not say at an operation's end, because it was said by then.
pub(crate) const OURS: [&str; 24] = [
    "error.type",
    "gen_ai.agent.",
    "gen_ai.conversation.id",
    "gen_ai.data_source.id",
    "gen_ai.embeddings.",
    "gen_ai.input.",
    "gen_ai.memory.",
    "gen_ai.operation.name",
    "gen_ai.output.",
    "gen_ai.prompt.",
    "gen_ai.provider.name",
    "gen_ai.request.",
    "gen_ai.response.",
    "gen_ai.retrieval.",
    "gen_ai.system_instructions",
    "gen_ai.token.",
    "gen_ai.tool.",
    "gen_ai.usage.",
    "gen_ai.workflow.name",
    "openai.api.type",
    "openai.request.service_tier",
    "openai.response.",
    "otel_genai.",
    "server.",
];

/// Metrics.
pub(crate) mod metric {
    names! {
        OPERATION_DURATION = "gen_ai.client.operation.duration";
        TOKEN_USAGE = "gen_ai.client.token.usage";
        TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk";
        TIME_PER_OUTPUT_CHUNK = "gen_ai.client.operation.time_per_output_chunk";
        INFERENCE_DURATION = "gen_ai.client.inference.duration";
        INFERENCE_TIME_TO_FIRST_CHUNK = "gen_ai.client.inference.time_to_first_chunk";
        INFERENCE_TIME_PER_OUTPUT_CHUNK = "gen_ai.client.inference.time_per_output_chunk";
        INFERENCE_INPUT_TOKENS = "gen_ai.client.inference.operation.input_tokens";
        INFERENCE_OUTPUT_TOKENS = "gen_ai.client.inference.operation.output_tokens";
        INFERENCE_USAGE_INPUT = "gen_ai.client.inference.usage.input_tokens";
        INFERENCE_USAGE_OUTPUT = "gen_ai.client.inference.usage.output_tokens";
        INFERENCE_USAGE_CACHE_READ = "gen_ai.client.inference.usage.cache_read.input_tokens";
        INFERENCE_USAGE_CACHE_WRITE = "gen_ai.client.inference.usage.cache_write.input_tokens";
        INFERENCE_USAGE_REASONING = "gen_ai.client.inference.usage.reasoning.output_tokens";
        INVOKE_AGENT_DURATION = "gen_ai.invoke_agent.duration";
        EXECUTE_TOOL_DURATION = "gen_ai.execute_tool.duration";
        MCP_CLIENT_DURATION = "mcp.client.operation.duration";
        MCP_SERVER_DURATION = "mcp.server.operation.duration";
        MCP_CLIENT_SESSION_DURATION = "mcp.client.session.duration";
        MCP_SERVER_SESSION_DURATION = "mcp.server.session.duration";
    }
}

/// Events.
pub(crate) mod event {
    names! {
        INFERENCE_DETAILS = "gen_ai.client.inference.operation.details";
        EXCEPTION = "gen_ai.client.operation.exception";
        EVALUATION_RESULT = "gen_ai.evaluation.result";
    }
}

/// Names of this crate's own: no convention has a price, or says that nobody waited for the end.
pub(crate) mod own {
    pub(crate) const ENDED_EARLY: &str = "otel_genai.ended_early";
    pub(crate) const ESTIMATED_COST: &str = "otel_genai.estimated_cost";
    pub(crate) const PRICE_TABLE_VERSION: &str = "otel_genai.price_table.version";
    pub(crate) const ESTIMATED_COST_METRIC: &str = "otel_genai.client.estimated_cost";
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_is_in_the_registry() {
        let Some(path) = otel_testing::shared_file!("reference/semconv.json") else { return };
        let registry = std::fs::read_to_string(path).expect("a readable file");
        for name in super::attribute::ALL.iter().chain(super::metric::ALL).chain(super::event::ALL) {
            assert!(registry.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
