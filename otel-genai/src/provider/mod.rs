//! What requests and responses of providers say, read as they pass.
//!
//! No HTTP and no OpenTelemetry here: bytes go in, facts come out.
//!
//! ```
//! use otel_genai::provider::{Api, RequestReader, ResponseReader};
//!
//! let endpoint = Api::recognise("api.openai.com", "/v1/chat/completions").unwrap();
//!
//! let mut request = RequestReader::new(endpoint.api());
//! request.read(br#"{"model":"gpt-4o","temperature":0.2,"messages":[]}"#);
//! let request = request.finish();
//! assert_eq!(request.model.as_deref(), Some("gpt-4o"));
//!
//! let mut response = ResponseReader::new(endpoint.api(), request.stream);
//! response.read(br#"{"id":"chatcmpl-1","usage":{"prompt_"#); // chunks may end anywhere
//! response.read(br#"tokens":7,"completion_tokens":9}}"#);
//! let response = response.finish();
//! assert_eq!(response.id.as_deref(), Some("chatcmpl-1"));
//! assert_eq!(response.usage.input_tokens, Some(7));
//! ```

mod anthropic;
mod api;
mod bedrock;
mod cohere;
mod endpoint;
mod field;
mod frame;
mod gemini;
mod json;
mod key;
mod name;
mod ollama;
mod openai;
mod payload;
mod reader;
mod repeat;
mod request;
mod response;
mod response_visitor;
mod table;
mod usage;
mod word;

pub(crate) use endpoint::OPENAI_PATHS;
pub(crate) use gemini::finish_reason as gemini_finish_reason;
pub(crate) use json::BYTE_ORDER_MARK;
pub(crate) use word::standard_finish_reason;

pub use api::Api;
pub use endpoint::Endpoint;
pub use name::Provider;
pub use reader::ResponseReader;
pub use request::{RequestFacts, RequestReader};
pub use response::{ContentFilter, ProviderError, ResponseFacts, ToolCall};
pub use usage::Usage;
