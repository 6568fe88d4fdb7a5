//! What an operation tells those inside of it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::SpanId;
use opentelemetry::{Context, KeyValue};
use otel_core::ErrorType;

use super::facts::OperationFacts;
use crate::provider::Usage;

/// Lies in the context of an operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The innermost operation is a call of a model: whatever observes the client inside of it sees the same call again.
    pub(crate) is_model_call: bool,
    pub(crate) tool: Option<ToolScope>,
    pub(crate) conversation_id: Option<String>,
    /// What the calls inside of the innermost agent have used.
    pub(crate) used: Option<Arc<Used>>,
}

/// The tool that is being executed.
#[derive(Clone, Debug)]
pub(crate) struct ToolScope {
    pub(crate) name: String,
    /// The span that says so.
    pub(crate) span_id: SpanId,
    /// The message of MCP that shares the span. Of several, one that was tried again for example, the span tells of the one
    /// that was the last to end: it must not say a thing twice.
    message: Arc<Mutex<SharedMessage>>,
}

/// What the span of a tool says of a message of MCP.
#[derive(Debug, Default)]
struct SharedMessage {
    attributes: Vec<KeyValue>,
    failure: Option<ErrorType>,
}

/// Tokens of all calls inside of an agent.
#[derive(Debug, Default)]
pub(crate) struct Used(Mutex<Usage>);

impl Scope {
    /// The scope that `parent` is in.
    pub(crate) fn of(parent: &Context) -> Self {
        parent.get::<Self>().cloned().unwrap_or_default()
    }

    /// The scope inside of an operation.
    pub(crate) fn inside(&self, facts: &OperationFacts, span_id: SpanId) -> Self {
        Self {
            is_model_call: facts.is_model_call(),
            tool: facts.tool.name.as_deref().map(|name| ToolScope::new(name, span_id)),
            conversation_id: facts.request.conversation_id.clone().or_else(|| self.conversation_id.clone()),
            used: if facts.is_composite() { Some(Arc::default()) } else { self.used.clone() },
        }
    }
}

impl ToolScope {
    fn new(name: &str, span_id: SpanId) -> Self {
        Self { name: name.to_owned(), span_id, message: Arc::default() }
    }

    /// A message has begun, which may not end before the tool does.
    pub(crate) fn announce(&self, attributes: &[KeyValue]) {
        let mut message = self.message();
        if message.attributes.is_empty() {
            message.attributes = attributes.to_vec();
        }
    }

    /// A message has ended: this is in the place of what was said before.
    pub(crate) fn tell(&self, attributes: Vec<KeyValue>, failure: Option<ErrorType>) {
        *self.message() = SharedMessage { attributes, failure };
    }

    /// Once, at the tool's end.
    pub(crate) fn take_attributes(&self) -> Vec<KeyValue> {
        mem::take(&mut self.message().attributes)
    }

    pub(crate) fn failure(&self) -> Option<ErrorType> {
        self.message().failure.clone()
    }

    fn message(&self) -> MutexGuard<'_, SharedMessage> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    pub(crate) fn add(&self, usage: &Usage) {
        let sum = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (sum, more) in [
            (&mut sum.input_tokens, usage.input_tokens),
            (&mut sum.output_tokens, usage.output_tokens),
            (&mut sum.cache_read_input_tokens, usage.cache_read_input_tokens),
            (&mut sum.cache_write_input_tokens, usage.cache_write_input_tokens),
        ] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        }
    }

    pub(crate) fn total(&self) -> Usage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
