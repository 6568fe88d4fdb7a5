//! Agents of the crate `rig`.
//!
//! A hook of the agent observes its runs: `invoke_agent`, inside of it a `chat` for each call of the model and an
//! `execute_tool` for each tool.
//!
//! ```
//! # let model = rig_agent::test_utils::MockCompletionModel::text("Hello");
//! use otel_genai::{GenAi, provider::Provider, rig::AgentTelemetry};
//! use rig_agent::AgentBuilder;
//!
//! let telemetry = AgentTelemetry::new(GenAi::new(), Provider::OpenAi, "gpt-4o");
//! let agent = AgentBuilder::new(model).name("shop-assistant").add_hook(telemetry).build();
//! ```
//!
//! Add it after the hooks that change what is sent. A run is a child of the context that it is polled in, and one that is
//! dropped ends as cancelled.
//!
//! A hook runs before and after what it observes, not around it, so what a tool or an HTTP client records is beside
//! `execute_tool` and `chat` and not below them. Do not observe the agent's HTTP client with
//! [`GenAiLayer`](crate::GenAiLayer) too: each call would have two spans. With rig 0.44 the hook is not told why a call has
//! failed, and `error.type` is `_OTHER`.
//!
//! Any `rig-agent` from 0.44 to 0.46 will do, which is what the crate `rig` of the same version has inside. 0.44 needs Rust
//! 1.95, later ones need 1.97.

mod content;
mod hook;
mod run;

pub use hook::AgentTelemetry;
