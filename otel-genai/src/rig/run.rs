//! One run of an agent, and what is open inside of it.

use std::collections::HashMap;

use rig_agent::agent::DispatchEvent;
use rig_agent::completion::{CompletionRequest, CompletionResponse};
use rig_agent::tool::ToolResult;
use serde_json::Value;

use super::content;
use super::hook::AgentTelemetry;
use crate::provider::ProviderError;
use crate::{GenAiAgent, GenAiInference, GenAiTool};

/// Of a failure of which nothing more is known.
const OTHER: &str = "_OTHER";

/// What rig says of one.
pub(super) struct Failure {
    pub(super) kind: &'static str,
    pub(super) code: Option<String>,
}

// What is inside is dropped first.
pub(super) struct Run {
    tools: HashMap<u64, GenAiTool>,
    chat: Option<(u64, GenAiInference)>,
    /// The tools that the model was offered: others it has made up.
    offered: Vec<String>,
    /// Why the last call has failed.
    failure: Option<&'static str>,
    /// `None` when it has ended.
    agent: Option<GenAiAgent>,
}

impl Run {
    pub(super) fn start(telemetry: &AgentTelemetry, name: Option<&str>) -> Self {
        let name = name.unwrap_or_default().to_owned();
        let agent = telemetry.genai.invoke_agent(telemetry.provider.clone(), name);
        let mut agent = agent.with_model(&*telemetry.model).start();
        agent.wait();
        Self { tools: HashMap::new(), chat: None, offered: Vec::new(), failure: None, agent: Some(agent) }
    }

    pub(super) fn start_chat(
        &mut self,
        telemetry: &AgentTelemetry,
        id: u64,
        request: &CompletionRequest,
        stream: bool,
    ) {
        self.end_open_chat();
        let Some(agent) = &self.agent else { return };
        self.failure = None;
        self.offered = request.tools.iter().map(|tool| tool.name.to_string()).collect();
        let model = request.model.as_deref().unwrap_or(&telemetry.model);
        let mut chat = telemetry.genai.chat(telemetry.provider.clone(), model).with_stream(stream);
        let facts = &mut chat.facts.request;
        facts.temperature = request.temperature;
        facts.max_tokens = request.max_tokens.and_then(|tokens| tokens.try_into().ok());
        facts.top_p = request.options.top_p;
        facts.seed = request.options.seed.and_then(|seed| seed.try_into().ok());
        facts.stop_sequences.clone_from(&request.options.stop);
        facts.tools = request.tools.len();
        if telemetry.genai.content_policy().captures() {
            facts.content = content::of_request(request);
        }
        let mut chat = chat.start_in(agent.context());
        chat.guard.is_waiting = true;
        self.chat = Some((id, chat));
    }

    /// A part of an answer that streams has come.
    pub(super) fn chunk(&mut self) {
        if let Some((_, chat)) = &mut self.chat {
            chat.chunks(1);
        }
    }

    pub(super) fn end_chat(
        &mut self,
        id: u64,
        response: Option<&CompletionResponse>,
        failure: Option<Failure>,
    ) {
        let Some((_, mut chat)) = self.chat.take_if(|(open, _)| *open == id) else { return };
        if let Some(response) = response {
            let captures = chat.guard.genai().content_policy().captures();
            content::read_response(response, captures, chat.response());
        }
        if let Some(Failure { kind, code }) = failure {
            self.failure = Some(kind);
            chat.response().error = Some(ProviderError { kind: Some(kind.to_owned()), code, message: None });
        }
        chat.end();
    }

    pub(super) fn start_tool(&mut self, telemetry: &AgentTelemetry, event: &DispatchEvent<'_>, name: &str) {
        self.end_open_chat();
        let Some(agent) = &self.agent else { return };
        // A name becomes one of a span.
        let name = if self.offered.iter().any(|offered| offered == name) { name } else { OTHER };
        let mut tool = telemetry.genai.execute_tool(name.to_owned()).with_type("function");
        if let Some(call_id) = event.call_id {
            tool = tool.with_call_id(call_id.wire());
        }
        let mut tool = tool.start_in(agent.context());
        tool.wait();
        if let Some(arguments) = event.tool_args().filter(|_| telemetry.genai.content_policy().captures()) {
            let json = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
            tool.set_arguments(&json);
        }
        self.tools.insert(event.id.as_u64(), tool);
    }

    pub(super) fn end_tool(&mut self, id: u64, result: Option<&ToolResult>, failure: Option<Failure>) {
        let Some(mut tool) = self.tools.remove(&id) else { return };
        if let Some(result) = result {
            tool.set_result(&content::of_output(result.output()));
        }
        match (failure, result.and_then(ToolResult::error)) {
            (Some(failure), _) => tool.fail(failure.kind),
            (None, Some(error)) => tool.fail(error.kind().as_str()),
            // Another hook has denied it.
            (None, None) if result.is_some_and(ToolResult::is_skipped) => tool.fail("skipped"),
            (None, None) => tool.end(),
        }
    }

    /// Nothing more comes.
    pub(super) fn settle(&mut self, failed: bool) {
        self.tools.clear();
        let Some(agent) = self.agent.take() else { return };
        if failed {
            if let Some((_, chat)) = self.chat.take() {
                chat.fail(OTHER);
            }
            agent.fail(self.failure.unwrap_or(OTHER));
        } else {
            self.end_open_chat();
            agent.end();
        }
    }

    /// The hook is not told the outcome of a turn that the agent has mended.
    fn end_open_chat(&mut self) {
        if let Some((_, chat)) = self.chat.take() {
            chat.end();
        }
    }
}
