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

pub use agent::{Agent, AgentBuilder};
pub(crate) use attributes::bounded;
pub(crate) use captured::captured_message;
pub(crate) use convention::{AddFromRequest, AddFromResponse, GenAiConvention, SpanName};
pub use evaluation::EvaluationResult;
pub use facts::GenAiRequest;
pub(crate) use facts::{Family, OperationFacts, Server};
pub(crate) use guard::{Exit, Guard, error_type};
pub use inference::{Inference, InferenceBuilder};
pub use memory::{Memory, MemoryBuilder, MemoryOperation};
pub use retrieval::{Retrieval, RetrievalBuilder};
pub(crate) use scope::{Scope, ToolScope};
pub use tool::{Tool, ToolBuilder};
pub use workflow::{Workflow, WorkflowBuilder};
