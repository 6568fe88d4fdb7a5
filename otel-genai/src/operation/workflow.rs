//! Workflows, and the plans of agents.

use std::borrow::Cow;

use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, start_methods};
use crate::GenAi;
use crate::content::{Message, OutputMessage};

impl GenAi {
    /// A fixed sequence of agents, models and tools: `invoke_workflow`. The name must have few different values.
    pub fn invoke_workflow(&self, name: impl Into<Cow<'static, str>>) -> GenAiWorkflowBuilder {
        let mut facts = OperationFacts::new("invoke_workflow", Family::Workflow);
        facts.workflow_name = Some(name.into()).filter(|name| !name.is_empty());
        GenAiWorkflowBuilder { genai: self.clone(), facts: Box::new(facts) }
    }

    /// An agent decides what to do: `plan`. Of the later conventions: nothing is recorded unless they are
    /// [chosen](crate::GenAiConventions).
    pub fn plan(&self, agent_name: impl Into<Cow<'static, str>>) -> GenAiWorkflowBuilder {
        let mut facts = OperationFacts::new("plan", Family::Other);
        facts.agent.name = Some(agent_name.into()).filter(|name| !name.is_empty());
        GenAiWorkflowBuilder { genai: self.clone(), facts: Box::new(facts) }
    }
}

/// A workflow or a plan that has not started.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiWorkflowBuilder {
    genai: GenAi,
    facts: Box<OperationFacts>,
}

impl GenAiWorkflowBuilder {
    start_methods!(GenAiWorkflow);

    /// `gen_ai.agent.id`, of a plan.
    pub fn with_agent_id(mut self, id: impl Into<String>) -> Self {
        self.facts.agent.id = Some(id.into());
        self
    }

    /// What the workflow is given, for `gen_ai.input.messages`; recorded only if content is captured.
    pub fn with_input_messages(mut self, messages: Vec<Message>) -> Self {
        self.facts.request.content.input_messages = messages;
        self
    }

    /// The conversation that this belongs to: the calls inside have it as `gen_ai.conversation.id`.
    pub fn with_conversation_id(mut self, id: impl Into<String>) -> Self {
        self.facts.request.conversation_id = Some(id.into());
        self
    }
}

/// A workflow or a plan that runs. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiWorkflow {
    guard: Guard,
}

impl GenAiWorkflow {
    guard_methods!();

    /// What comes of it, for `gen_ai.output.messages`; recorded only if content is captured.
    pub fn set_output_messages(&mut self, messages: Vec<OutputMessage>) {
        self.guard.response.output_messages = messages;
    }
}
