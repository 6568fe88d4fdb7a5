//! Tools.

use std::borrow::Cow;

use serde_json::Value;

use super::captured::Captured;
use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, start_methods};
use crate::GenAi;
use crate::names::attribute;

impl GenAi {
    /// A tool that a model has asked for is executed here: `execute_tool`. The name is one that the application knows, not
    /// what the model has made up.
    ///
    /// ```
    /// # use otel_genai::GenAi;
    /// # let genai = GenAi::new();
    /// let mut tool = genai.execute_tool("lookup_order").with_call_id("call_1").start();
    /// let result: Result<u32, std::num::ParseIntError> = tool.run(|| "42".parse());
    /// match result {
    ///     Ok(_) => tool.end(),
    ///     Err(_) => tool.fail("invalid_order_number"),
    /// }
    /// ```
    pub fn execute_tool(&self, name: impl Into<Cow<'static, str>>) -> GenAiToolBuilder {
        let mut facts = OperationFacts::new("execute_tool", Family::Tool);
        facts.tool.name = Some(name.into());
        GenAiToolBuilder { genai: self.clone(), facts: Box::new(facts) }
    }
}

/// A tool that has not started.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiToolBuilder {
    genai: GenAi,
    facts: Box<OperationFacts>,
}

impl GenAiToolBuilder {
    start_methods!(GenAiTool);

    /// `gen_ai.tool.call.id`: the id that the model gave the call.
    pub fn with_call_id(mut self, id: impl Into<String>) -> Self {
        self.facts.tool.call_id = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// `gen_ai.tool.type`: `function`, `extension` or `datastore`.
    pub fn with_type(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.facts.tool.kind = Some(kind.into());
        self
    }

    /// `gen_ai.tool.description`
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.facts.tool.description = Some(description.into());
        self
    }
}

/// A tool that runs. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiTool {
    guard: Guard,
}

impl GenAiTool {
    guard_methods!();

    /// Somebody waits for the outcome: a drop cuts it off.
    #[cfg(feature = "rig")]
    pub(crate) fn wait(&mut self) {
        self.guard.is_waiting = true;
    }

    /// The arguments of the call; recorded only if content is captured into spans.
    pub fn set_arguments(&mut self, arguments: &Value) {
        self.guard.capture_json(attribute::TOOL_CALL_ARGUMENTS, Captured::ToolArguments, arguments);
    }

    /// What the tool has answered; recorded only if content is captured into spans.
    pub fn set_result(&mut self, result: &Value) {
        self.guard.capture_json(attribute::TOOL_CALL_RESULT, Captured::ToolResult, result);
    }
}
