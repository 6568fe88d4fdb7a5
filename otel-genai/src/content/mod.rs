//! What is captured of prompts and completions: nothing, unless a [`ContentPolicy`] says so.

mod apply;
mod capture;
mod limits;
mod media;
mod message;
mod output;
mod policy;
mod read;

pub(crate) use capture::{RequestCapture, ResponseCapture};

pub use message::{Message, OutputMessage, Part, RequestContent, ToolDefinition};
pub use policy::{CapturedContent, ContentPolicy, ContentPolicyBuilder, UploadedContent};
