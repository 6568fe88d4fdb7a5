//! What is known of an operation when it starts.

use std::borrow::Cow;

use opentelemetry::trace::SpanKind;
use otel_core::AttributeNames;

use crate::provider::{Api, Provider, RequestFacts};

/// What metrics an operation has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Family {
    /// `chat`, `generate_content`, `text_completion`.
    Inference,
    /// `embeddings`
    Embeddings,
    /// Another call of a service: `rerank`, `retrieval`, `create_agent`, a remote agent, memory.
    OtherClient,
    /// `invoke_agent` in this process.
    Agent,
    /// `execute_tool`
    Tool,
    /// `invoke_workflow`
    Workflow,
    /// `plan`, and whatever has no metric.
    #[default]
    Other,
}

/// Where a model, an agent or a store is served.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: Cow<'static, str>,
    pub(crate) port: Option<u16>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct AgentFacts {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) description: Option<String>,
    pub(crate) version: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ToolFacts {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) call_id: Option<String>,
    pub(crate) kind: Option<Cow<'static, str>>,
    pub(crate) description: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryFacts {
    pub(crate) store_id: Option<String>,
    pub(crate) record_id: Option<String>,
}

/// Everything, for every kind of operation: each attribute is written in one place.
#[derive(Debug)]
pub(crate) struct OperationFacts {
    /// `gen_ai.operation.name`
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) kind: SpanKind,
    pub(crate) provider: Option<Provider>,
    pub(crate) api: Option<Api>,
    pub(crate) server: Option<Server>,
    pub(crate) request: RequestFacts,
    pub(crate) prompt_name: Option<String>,
    pub(crate) prompt_version: Option<String>,
    pub(crate) agent: AgentFacts,
    pub(crate) tool: ToolFacts,
    pub(crate) memory: MemoryFacts,
    pub(crate) workflow_name: Option<Cow<'static, str>>,
    pub(crate) data_source_id: Option<String>,
    /// The names of attributes that functions of the user's have given: each is there once, and the first one stays.
    pub(super) hook_names: AttributeNames,
}

impl OperationFacts {
    pub(crate) fn new(name: &'static str, family: Family) -> Self {
        let kind = match family {
            Family::Inference | Family::Embeddings | Family::OtherClient => SpanKind::Client,
            Family::Agent | Family::Tool | Family::Workflow | Family::Other => SpanKind::Internal,
        };
        Self {
            name,
            family,
            kind,
            provider: None,
            api: None,
            server: None,
            request: RequestFacts::default(),
            prompt_name: None,
            prompt_version: None,
            agent: AgentFacts::default(),
            tool: ToolFacts::default(),
            memory: MemoryFacts::default(),
            workflow_name: None,
            data_source_id: None,
            hook_names: AttributeNames::default(),
        }
    }

    /// The call that an API stands for.
    pub(crate) fn of_api(api: Api, provider: Provider) -> Self {
        let name = api.operation_name();
        let family = match name {
            "embeddings" => Family::Embeddings,
            // No model writes anything.
            "rerank" => Family::OtherClient,
            _ => Family::Inference,
        };
        Self { provider: Some(provider), api: Some(api), ..Self::new(name, family) }
    }

    /// Whether the operation is one that the later conventions have added.
    pub(crate) fn is_later(&self) -> bool {
        self.name == "plan" || self.name.contains("memory")
    }

    /// Whether it is one call of a model.
    pub(crate) fn is_model_call(&self) -> bool {
        matches!(self.family, Family::Inference | Family::Embeddings) || self.name == "rerank"
    }

    /// Whether the span covers all that happens inside, such as calls of models.
    pub(crate) fn is_composite(&self) -> bool {
        matches!(self.family, Family::Agent | Family::Workflow)
            || matches!(self.name, "invoke_agent" | "create_agent")
    }
}

/// A view of an operation that is about to start, for the hooks of [`GenAiBuilder`](crate::GenAiBuilder).
#[derive(Clone, Copy, Debug)]
pub struct GenAiRequest<'a> {
    pub(crate) facts: &'a OperationFacts,
}

impl<'a> GenAiRequest<'a> {
    /// `gen_ai.operation.name`: `chat`, `execute_tool`, ...
    #[must_use]
    pub fn operation_name(&self) -> &'static str {
        self.facts.name
    }

    /// Who serves the model, if that is known.
    #[must_use]
    pub fn provider(&self) -> Option<&'a Provider> {
        self.facts.provider.as_ref()
    }

    /// What was asked for: the model, its parameters.
    #[must_use]
    pub fn request(&self) -> &'a RequestFacts {
        &self.facts.request
    }

    /// The agent's name.
    #[must_use]
    pub fn agent_name(&self) -> Option<&'a str> {
        self.facts.agent.name.as_deref()
    }

    /// The tool's name.
    #[must_use]
    pub fn tool_name(&self) -> Option<&'a str> {
        self.facts.tool.name.as_deref()
    }

    /// The workflow's name.
    #[must_use]
    pub fn workflow_name(&self) -> Option<&'a str> {
        self.facts.workflow_name.as_deref()
    }

    /// The host that is asked.
    #[must_use]
    pub fn server_address(&self) -> Option<&'a str> {
        self.facts.server.as_ref().map(|server| &*server.address)
    }
}
