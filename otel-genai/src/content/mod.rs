//! What is captured of prompts and completions: nothing, unless a [`ContentPolicy`] says so.

mod message;
mod policy;

pub use message::{Message, OutputMessage, Part, RequestContent, ToolDefinition};
pub use policy::{CapturedContent, ContentPolicy, ContentPolicyBuilder, UploadedContent};
