//! What the agent tells.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use rig_agent::agent::{
    AgentHook, DispatchAction, DispatchEvent, HookContext, ObservationAction, OutcomeAction, OutcomeEvent,
    ReasoningDelta, RunSettled, RunStart, RunStartAction, SettledOutcome, StepEventKind, TextDelta,
    ToolCallDelta,
};

use super::run::{Failure, Run};
use crate::GenAi;
use crate::provider::Provider;

/// A hook that observes the runs of an agent; it changes nothing of them.
#[derive(Clone, Debug)]
pub struct AgentTelemetry {
    pub(super) genai: GenAi,
    pub(super) provider: Provider,
    pub(super) model: Cow<'static, str>,
}

/// Lies in the scratchpad of a run. The run has ended when it is dropped.
#[derive(Clone)]
struct Shared(Arc<Mutex<Run>>);

impl AgentTelemetry {
    /// Observes an agent whose model is this one of this provider, unless a request names another model.
    #[must_use]
    pub fn new(genai: GenAi, provider: Provider, model: impl Into<Cow<'static, str>>) -> Self {
        Self { genai, provider, model: model.into() }
    }

    /// A run that was resumed has no start.
    fn in_run<T>(&self, context: &HookContext, change: impl FnOnce(&mut Run) -> T) -> T {
        let shared = context.scratchpad().get::<Shared>().unwrap_or_else(|| {
            let shared = Shared(Arc::new(Mutex::new(Run::start(self, context.agent_name()))));
            context.scratchpad().insert(shared.clone());
            shared
        });
        let mut run = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut run)
    }

    fn chunk(&self, context: &HookContext) -> ObservationAction {
        self.in_run(context, Run::chunk);
        ObservationAction::Continue
    }
}

impl AgentHook for AgentTelemetry {
    fn observes(&self, kind: StepEventKind) -> bool {
        matches!(
            kind,
            StepEventKind::RunStart
                | StepEventKind::RunSettled
                | StepEventKind::CompletionDispatch
                | StepEventKind::ToolDispatch
                | StepEventKind::TextDelta
                | StepEventKind::ReasoningDelta
                | StepEventKind::ToolCallDelta
        )
    }

    async fn on_run_start(&self, context: &HookContext, _: RunStart<'_>) -> RunStartAction {
        self.in_run(context, |_| ());
        RunStartAction::Continue
    }

    async fn on_run_settled(&self, context: &HookContext, event: RunSettled<'_>) {
        self.in_run(context, |run| run.settle(matches!(event.outcome, SettledOutcome::Error(_))));
    }

    async fn on_text_delta(&self, context: &HookContext, _: TextDelta<'_>) -> ObservationAction {
        self.chunk(context)
    }

    async fn on_reasoning_delta(&self, context: &HookContext, _: ReasoningDelta<'_>) -> ObservationAction {
        self.chunk(context)
    }

    async fn on_tool_call_delta(&self, context: &HookContext, _: ToolCallDelta<'_>) -> ObservationAction {
        self.chunk(context)
    }

    async fn on_dispatch(&self, context: &HookContext, event: DispatchEvent<'_>) -> DispatchAction {
        self.in_run(context, |run| {
            if let Some(request) = event.completion_request() {
                run.start_chat(self, event.id.as_u64(), request, context.is_streaming());
            } else if let Some(name) = event.tool_name() {
                run.start_tool(self, &event, name);
            }
        });
        DispatchAction::Proceed
    }

    async fn on_outcome(&self, context: &HookContext, event: OutcomeEvent<'_>) -> OutcomeAction {
        let failure = event.outcome.as_ref().err().map(|report| Failure {
            kind: report.kind.code(),
            code: report.code.clone().or_else(|| report.http_status.map(|status| status.to_string())),
        });
        self.in_run(context, |run| match event.tool_name() {
            Some(_) => run.end_tool(event.id.as_u64(), event.tool_result(), failure),
            None => run.end_chat(event.id.as_u64(), event.completion(), failure),
        });
        OutcomeAction::Proceed
    }
}
