//! The Model Context Protocol: spans and metrics of clients and servers, and the context in `params._meta`.
//!
//! For any implementation; for the crate `rmcp` there is the feature `rmcp`. A client hands its context on in the request,
//! a server takes it from there:
//!
//! ```
//! use otel_genai::GenAi;
//! use serde_json::{Map, json};
//!
//! let genai = GenAi::new();
//!
//! let mut call = genai.mcp_client("tools/call").with_tool("lookup_order").with_request_id(7).start();
//! let mut meta = Map::new();
//! call.inject(&mut meta);
//! let request = json!({ "method": "tools/call", "params": { "name": "lookup_order", "_meta": meta } });
//! # let meta = &request["params"]["_meta"];
//! // ... on the server:
//! let mut served = genai.mcp_server("tools/call").with_meta(meta).with_tool("lookup_order").start();
//! let result = served.run(|| json!({ "content": [], "isError": false }));
//! served.respond(&json!({ "result": result }));
//! served.end();
//! // ... back on the client:
//! call.respond(&json!({ "result": result }));
//! call.end();
//! ```

mod convention;
mod facts;
mod message;
mod meta;
mod metrics;
mod operation;
mod session;

pub(crate) use convention::McpConvention;
pub use facts::McpTransport;
pub(crate) use facts::Side;
pub use message::McpMessageBuilder;
pub use operation::McpMessage;
pub use session::McpSession;
