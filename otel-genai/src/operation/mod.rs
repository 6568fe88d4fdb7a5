//! The operations, how they start, and what they say.

mod agent;
mod attributes;
mod captured;
mod clock;
mod convention;
mod evaluation;
mod facts;
mod guard;
mod inference;
mod memory;
mod methods;
mod retrieval;
mod scope;
mod tool;
mod workflow;

pub use agent::{GenAiAgent, GenAiAgentBuilder};
pub(crate) use attributes::{Vocabulary, bounded};
pub(crate) use captured::captured_message;
pub(crate) use convention::{AddFromRequest, AddFromResponse, GenAiConvention, SpanName};
pub use evaluation::GenAiEvaluationResult;
pub use facts::GenAiRequest;
pub(crate) use facts::{Family, OperationFacts, Server};
pub(crate) use guard::{Exit, Guard, error_type};
pub use inference::{GenAiInference, GenAiInferenceBuilder};
pub use memory::{GenAiMemory, GenAiMemoryBuilder, GenAiMemoryOperation};
pub use retrieval::{GenAiRetrieval, GenAiRetrievalBuilder};
pub(crate) use scope::{Scope, ToolScope};
pub use tool::{GenAiTool, GenAiToolBuilder};
pub use workflow::{GenAiWorkflow, GenAiWorkflowBuilder};
