//! Agents.

use std::borrow::Cow;

use opentelemetry::trace::SpanKind;

use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, server_methods, start_methods};
use crate::GenAi;
use crate::provider::{Provider, RequestFacts, ResponseFacts};

impl GenAi {
    /// A run of an agent: `invoke_agent`. `provider` is that of its model; the calls of the model and of tools inside are
    /// its children, and their tokens are summed up on its span.
    ///
    /// ```
    /// # use otel_genai::{GenAi, provider::Provider};
    /// # let genai = GenAi::new();
    /// let mut agent = genai.invoke_agent(Provider::OpenAi, "shop-assistant").start();
    /// agent.run(|| {
    ///     genai.chat(Provider::OpenAi, "gpt-4o").start().end();
    ///     genai.execute_tool("lookup_order").start().end();
    /// });
    /// agent.end();
    /// ```
    pub fn invoke_agent(&self, provider: Provider, name: impl Into<Cow<'static, str>>) -> GenAiAgentBuilder {
        GenAiAgentBuilder::new(self, "invoke_agent", Family::Agent, provider, name.into())
    }

    /// A service is asked to make an agent: `create_agent`.
    pub fn create_agent(&self, provider: Provider, name: impl Into<Cow<'static, str>>) -> GenAiAgentBuilder {
        GenAiAgentBuilder::new(self, "create_agent", Family::OtherClient, provider, name.into())
    }
}

/// An operation of an agent that has not started.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiAgentBuilder {
    genai: GenAi,
    facts: Box<OperationFacts>,
}

impl GenAiAgentBuilder {
    start_methods!(GenAiAgent);

    fn new(
        genai: &GenAi,
        operation: &'static str,
        family: Family,
        provider: Provider,
        name: Cow<'static, str>,
    ) -> Self {
        let mut facts = OperationFacts { provider: Some(provider), ..OperationFacts::new(operation, family) };
        facts.agent.name = Some(name).filter(|name| !name.is_empty());
        Self { genai: genai.clone(), facts: Box::new(facts) }
    }

    server_methods!();

    /// The agent runs in a service, not in this process: its span is `CLIENT`.
    pub fn remote(mut self) -> Self {
        (self.facts.kind, self.facts.family) = (SpanKind::Client, Family::OtherClient);
        self
    }

    /// `gen_ai.agent.id`
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.facts.agent.id = Some(id.into());
        self
    }

    /// `gen_ai.agent.version`
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.facts.agent.version = Some(version.into());
        self
    }

    /// `gen_ai.agent.description`
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.facts.agent.description = Some(description.into());
        self
    }

    /// `gen_ai.request.model`
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.facts.request.model = Some(model.into());
        self
    }

    /// `gen_ai.conversation.id`, if the application has one; the calls inside have it too.
    pub fn with_conversation_id(mut self, id: impl Into<String>) -> Self {
        self.facts.request.conversation_id = Some(id.into());
        self
    }

    /// `gen_ai.data_source.id`
    pub fn with_data_source_id(mut self, id: impl Into<String>) -> Self {
        self.facts.data_source_id = Some(id.into());
        self
    }

    /// Everything that is known of the request, in place of what was set before.
    pub fn with_request(mut self, request: RequestFacts) -> Self {
        self.facts.request = request;
        self
    }
}

/// An operation of an agent that runs. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiAgent {
    guard: Guard,
}

impl GenAiAgent {
    guard_methods!();

    /// What is known of the outcome. Unless usage is set here, it is the sum of what was used inside.
    pub fn response(&mut self) -> &mut ResponseFacts {
        &mut self.guard.response
    }

    /// Somebody waits for the outcome: a drop cuts it off.
    #[cfg(feature = "rig")]
    pub(crate) fn wait(&mut self) {
        self.guard.is_waiting = true;
    }

    /// `gen_ai.agent.id`, of an agent that was just made; one that was said at the start stays.
    pub fn set_id(&mut self, id: impl Into<String>) {
        if self.guard.facts().agent.id.is_none() {
            self.guard.say(opentelemetry::KeyValue::new(crate::names::attribute::AGENT_ID, id.into()));
        }
    }
}
