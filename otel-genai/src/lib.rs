#![cfg_attr(any(not(doctest), feature = "reqwest"), doc = include_str!("../README.md"))]
//!
#![doc = include_str!("docs/telemetry.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "async-openai")]
pub mod async_openai;
mod bounded;
mod builder;
mod client;
pub mod content;
mod conventions;
mod event;
mod genai;
pub mod mcp;
mod metrics;
mod names;
mod operation;
mod price;
pub mod provider;
mod reading;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "rig")]
pub mod rig;
#[cfg(feature = "rmcp")]
pub mod rmcp;
mod stream;

pub use builder::GenAiBuilder;
pub use client::{
    GenAiLayer, GenAiLayerBuilder, GenAiRequestBody, GenAiResponseBody, GenAiResponseFuture, GenAiService,
};
pub use conventions::GenAiConventions;
pub use genai::GenAi;
pub use operation::{
    GenAiAgent, GenAiAgentBuilder, GenAiEvaluationResult, GenAiInference, GenAiInferenceBuilder, GenAiMemory,
    GenAiMemoryBuilder, GenAiMemoryOperation, GenAiRequest, GenAiRetrieval, GenAiRetrievalBuilder, GenAiTool,
    GenAiToolBuilder, GenAiWorkflow, GenAiWorkflowBuilder,
};
pub use otel_core::Attributes;
pub use price::{PriceTable, PriceTableError};
pub use stream::{GenAiByteStream, GenAiChunk, GenAiStream};
