//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use otel_genai::content::ContentPolicy;
use otel_genai::mcp::{McpMessage, McpMessageBuilder, McpSession};
use otel_genai::provider::{RequestReader, ResponseReader};
use otel_genai::{
    Agent, AgentBuilder, EvaluationResult, GenAi, GenAiBuilder, GenAiLayer, GenAiLayerBuilder, GenAiService,
    Inference, InferenceBuilder, Memory, MemoryBuilder, PriceTable, PriceTableError, Retrieval,
    RetrievalBuilder, Tool, ToolBuilder, Workflow, WorkflowBuilder,
};

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<Agent>();
    is_thread_safe::<AgentBuilder>();
    is_thread_safe::<ContentPolicy>();
    is_thread_safe::<EvaluationResult>();
    is_thread_safe::<GenAi>();
    is_thread_safe::<GenAiBuilder>();
    is_thread_safe::<GenAiLayer>();
    is_thread_safe::<GenAiLayerBuilder>();
    is_thread_safe::<GenAiService<()>>();
    is_thread_safe::<Inference>();
    is_thread_safe::<InferenceBuilder>();
    is_thread_safe::<McpMessage>();
    is_thread_safe::<McpMessageBuilder>();
    is_thread_safe::<McpSession>();
    is_thread_safe::<Memory>();
    is_thread_safe::<MemoryBuilder>();
    is_thread_safe::<PriceTable>();
    is_thread_safe::<PriceTableError>();
    is_thread_safe::<RequestReader>();
    is_thread_safe::<ResponseReader>();
    is_thread_safe::<Retrieval>();
    is_thread_safe::<RetrievalBuilder>();
    is_thread_safe::<Tool>();
    is_thread_safe::<ToolBuilder>();
    is_thread_safe::<Workflow>();
    is_thread_safe::<WorkflowBuilder>();
}
