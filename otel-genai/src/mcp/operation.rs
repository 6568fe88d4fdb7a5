//! A message that is being answered.

use std::borrow::Cow;
use std::fmt::Display;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::time::Instant;

use opentelemetry::trace::{Link, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use otel_core::{Attributes, Convention, ErrorType, Operation, attach_context, current_context};
use serde_json::{Map, Value};

use super::convention::McpConvention;
use super::facts::{McpAnswer, McpFacts, Side};
use super::meta::MetaInjector;
use crate::GenAi;
use crate::names::{attribute, own};
use crate::operation::{ToolScope, captured_message, error_type};

/// A request or a notification of MCP that is on its way. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct McpMessage {
    genai: GenAi,
    side: Side,
    answer: McpAnswer,
    /// Whether a call has begun that has not come back.
    is_waiting: bool,
    /// A span must not say it twice.
    has_request_id: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Own(Option<Operation<McpConvention>>),
    /// The span is that of a tool's execution, which writes our attributes at its end; the metric is ours.
    Joined {
        context: Context,
        tool: ToolScope,
        started: Instant,
        span: Vec<KeyValue>,
        metric: Vec<KeyValue>,
        has_ended: bool,
    },
}

impl McpMessage {
    pub(super) fn start(genai: GenAi, parent: &Context, facts: &McpFacts, links: Vec<Link>) -> Self {
        let operation = genai.mcp(facts.side).start_with_links(parent, &facts, links);
        Self::new(genai, facts, State::Own(Some(operation)))
    }

    pub(super) fn joined(genai: GenAi, context: &Context, facts: &McpFacts, tool: ToolScope) -> Self {
        let (mut span, mut metric) = (Vec::with_capacity(10), Vec::with_capacity(8));
        let convention = genai.mcp(facts.side).convention();
        convention.on_start(&facts, &mut Attributes::to_lists(&mut span, &mut metric));
        // A span must not say a thing twice, and that of the tool has said these.
        span.retain(|pair: &KeyValue| {
            !matches!(pair.key.as_str(), attribute::OPERATION_NAME | attribute::TOOL_NAME)
        });
        tool.announce(&span);
        let (context, started) = (context.clone(), Instant::now());
        Self::new(genai, facts, State::Joined { context, tool, started, span, metric, has_ended: false })
    }

    fn new(genai: GenAi, facts: &McpFacts, state: State) -> Self {
        let has_request_id = facts.request_id.is_some();
        let answer = McpAnswer::default();
        Self { genai, side: facts.side, answer, is_waiting: false, has_request_id, state }
    }

    /// The context with the operation's span: the parent of everything that happens inside.
    #[must_use]
    pub fn context(&self) -> Context {
        match &self.state {
            State::Own(Some(operation)) => operation.context().clone(),
            State::Own(None) => current_context(),
            State::Joined { context, .. } => context.clone(),
        }
    }

    /// Writes the context into the request's `params._meta`: `traceparent`, `tracestate`, `baggage`, as the propagator says.
    pub fn inject(&self, meta: &mut Map<String, Value>) {
        self.genai.providers().inject(&self.context(), &mut MetaInjector(meta));
    }

    /// `jsonrpc.request.id`, where it is learnt late; one that was said before stays.
    pub fn set_request_id(&mut self, id: impl Display) {
        if mem::replace(&mut self.has_request_id, true) {
            return;
        }
        let id = otel_core::bounded(&id.to_string()).to_owned();
        match &mut self.state {
            State::Own(Some(operation)) => operation.attributes().span(attribute::JSONRPC_REQUEST_ID, id),
            State::Own(None) => {}
            State::Joined { span, .. } => span.push(KeyValue::new(attribute::JSONRPC_REQUEST_ID, id)),
        }
    }

    /// Runs `f` inside of the operation. A panic goes on, and ends the operation as failed.
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        match &mut self.state {
            State::Own(Some(operation)) => operation.run(f),
            _ => {
                let _attached = attach_context(&self.context());
                let on_panic = FinishOnUnwind(self);
                let result = f();
                mem::forget(on_panic);
                result
            }
        }
    }

    /// Awaits `future` inside of the operation. An `Err` is the operation's outcome, by the name of the error's type. If this
    /// is dropped before, the span says so: `otel_genai.ended_early`.
    ///
    /// # Errors
    ///
    /// What the future returns, unchanged.
    pub async fn call<T, E>(&mut self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut future = pin!(future);
        self.is_waiting = true;
        let result = poll_fn(|cx| self.run(|| future.as_mut().poll(cx))).await;
        self.is_waiting = false;
        self.answer.error_type = result.is_err().then(ErrorType::of::<E>);
        result
    }

    /// Takes what a JSON-RPC response says of the outcome: its `error`, or a tool's result with `isError`.
    pub fn respond(&mut self, response: &Value) {
        let error = &response["error"];
        if let Some(code) = error["code"].as_i64() {
            self.set_error(code, error["message"].as_str().unwrap_or_default());
        } else if !error.is_null() {
            // "The error code MUST be an integer": whoever says something else has failed all the same.
            self.answer.error_type = Some(ErrorType::OTHER);
        } else if response["result"]["isError"] == true {
            self.set_tool_error();
        }
    }

    /// The answer is an error of JSON-RPC. Its message is the span's status description when content is captured into
    /// spans, masked and cut as the result of a tool is, for it may repeat what was asked; otherwise it is not recorded.
    pub fn set_error(&mut self, code: i64, message: &str) {
        self.answer.code = Some(code);
        if !is_error(self.side, code, self.genai.conventions().is_latest()) {
            // The protocol says more of an outcome than the type of an error that a call has returned.
            self.answer.error_type = None;
            return;
        }
        self.answer.error_type = Some(self.genai.mcp(self.side).convention().error_type(code));
        let State::Own(Some(operation)) = &self.state else { return };
        if let Some(message) = captured_message(self.genai.content_policy(), message) {
            operation.context().span().set_status(Status::error(message));
        }
    }

    /// The protocol says more of an error than its type.
    #[cfg(feature = "rmcp")]
    pub(crate) fn clear_error(&mut self) {
        self.answer = McpAnswer::default();
    }

    /// A tool has answered with `isError`: `error.type` is `tool_error`.
    pub fn set_tool_error(&mut self) {
        self.answer.error_type = Some(ErrorType::new("tool_error"));
    }

    /// Ends the operation.
    pub fn end(mut self) {
        self.finish(None, true);
    }

    /// Ends the operation as failed. `class` is one of few, never a message.
    pub fn fail(mut self, class: impl Into<Cow<'static, str>>) {
        self.finish(Some(error_type(class.into())), true);
    }

    fn finish(&mut self, failure: Option<ErrorType>, has_ended: bool) {
        if failure.is_some() {
            self.answer.error_type = failure;
        }
        match &mut self.state {
            State::Own(operation) => {
                let Some(mut operation) = operation.take() else { return };
                if self.is_waiting && !has_ended && !std::thread::panicking() {
                    operation.attributes().span(own::ENDED_EARLY, true);
                }
                operation.on_response(&&self.answer);
                if has_ended {
                    operation.end();
                }
            }
            State::Joined { .. } => self.finish_joined(),
        }
    }

    fn finish_joined(&mut self) {
        let State::Joined { context, tool, started, span, metric, has_ended } = &mut self.state else {
            return;
        };
        if mem::replace(has_ended, true) {
            return;
        }
        let instrumenter = self.genai.mcp(self.side);
        let convention = instrumenter.convention();
        let outcome = convention.on_response(&&self.answer, &mut Attributes::to_lists(span, metric));
        // Whatever runs the tool may try again, or say another error, and a span must not say a thing twice.
        tool.tell(mem::take(span), outcome.clone().err());
        if let Err(error_type) = outcome {
            metric.push(KeyValue::new(attribute::ERROR_TYPE, error_type));
        }
        instrumenter
            .with_metrics(|metrics| convention.record(metrics, started.elapsed(), &(), metric, context));
    }
}

impl Drop for McpMessage {
    fn drop(&mut self) {
        self.finish(None, false);
    }
}

struct FinishOnUnwind<'a>(&'a mut McpMessage);

impl Drop for FinishOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.finish(Some(ErrorType::PANIC), true);
    }
}

/// Later conventions blame a server only for what it has done wrong itself: "`-32603` and `-32000` to `-32099`".
fn is_error(side: Side, code: i64, is_latest: bool) -> bool {
    side == Side::Client || !is_latest || code == -32603 || (-32099..=-32000).contains(&code)
}
