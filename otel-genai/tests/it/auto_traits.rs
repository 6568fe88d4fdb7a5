//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use otel_genai::content::ContentPolicy;
use otel_genai::mcp::{McpMessage, McpMessageBuilder, McpSession};
use otel_genai::provider::{RequestReader, ResponseReader};
use otel_genai::{
    GenAi, GenAiAgent, GenAiAgentBuilder, GenAiBuilder, GenAiEvaluationResult, GenAiInference,
    GenAiInferenceBuilder, GenAiLayer, GenAiLayerBuilder, GenAiMemory, GenAiMemoryBuilder, GenAiRetrieval,
    GenAiRetrievalBuilder, GenAiService, GenAiTool, GenAiToolBuilder, GenAiWorkflow, GenAiWorkflowBuilder,
    PriceTable, PriceTableError,
};

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<GenAiAgent>();
    is_thread_safe::<GenAiAgentBuilder>();
    is_thread_safe::<ContentPolicy>();
    is_thread_safe::<GenAiEvaluationResult>();
    is_thread_safe::<GenAi>();
    is_thread_safe::<GenAiBuilder>();
    is_thread_safe::<GenAiLayer>();
    is_thread_safe::<GenAiLayerBuilder>();
    is_thread_safe::<GenAiService<()>>();
    is_thread_safe::<GenAiInference>();
    is_thread_safe::<GenAiInferenceBuilder>();
    is_thread_safe::<McpMessage>();
    is_thread_safe::<McpMessageBuilder>();
    is_thread_safe::<McpSession>();
    is_thread_safe::<GenAiMemory>();
    is_thread_safe::<GenAiMemoryBuilder>();
    is_thread_safe::<PriceTable>();
    is_thread_safe::<PriceTableError>();
    is_thread_safe::<RequestReader>();
    is_thread_safe::<ResponseReader>();
    is_thread_safe::<GenAiRetrieval>();
    is_thread_safe::<GenAiRetrievalBuilder>();
    is_thread_safe::<GenAiTool>();
    is_thread_safe::<GenAiToolBuilder>();
    is_thread_safe::<GenAiWorkflow>();
    is_thread_safe::<GenAiWorkflowBuilder>();
}
