//! Memory of agents.

use super::captured::Captured;
use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, server_methods, start_methods};
use crate::GenAi;
use crate::names::attribute;
use crate::provider::Provider;

/// What is done with a memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GenAiMemoryOperation {
    /// `search_memory`
    Search,
    /// `create_memory`
    Create,
    /// `update_memory`
    Update,
    /// `upsert_memory`
    Upsert,
    /// `delete_memory`
    Delete,
    /// `create_memory_store`
    CreateStore,
    /// `delete_memory_store`
    DeleteStore,
}

impl GenAiMemoryOperation {
    fn name(self) -> &'static str {
        match self {
            Self::Search => "search_memory",
            Self::Create => "create_memory",
            Self::Update => "update_memory",
            Self::Upsert => "upsert_memory",
            Self::Delete => "delete_memory",
            Self::CreateStore => "create_memory_store",
            Self::DeleteStore => "delete_memory_store",
        }
    }
}

impl GenAi {
    /// An agent remembers or looks up. Of the later conventions: nothing is recorded unless they are
    /// [chosen](crate::GenAiConventions).
    pub fn memory(&self, operation: GenAiMemoryOperation) -> GenAiMemoryBuilder {
        let facts = OperationFacts::new(operation.name(), Family::OtherClient);
        GenAiMemoryBuilder { genai: self.clone(), facts: Box::new(facts) }
    }
}

/// An operation on a memory that has not started.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiMemoryBuilder {
    genai: GenAi,
    facts: Box<OperationFacts>,
}

impl GenAiMemoryBuilder {
    start_methods!(GenAiMemory);
    server_methods!();

    /// `gen_ai.provider.name`, if a service keeps the memory: without it there is no duration metric, which requires it.
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.facts.provider = Some(provider);
        self
    }

    /// `gen_ai.memory.store.id`
    pub fn with_store_id(mut self, id: impl Into<String>) -> Self {
        self.facts.memory.store_id = Some(id.into());
        self
    }

    /// `gen_ai.memory.record.id`
    pub fn with_record_id(mut self, id: impl Into<String>) -> Self {
        self.facts.memory.record_id = Some(id.into());
        self
    }

    /// Whether the memory is in this process: its span is then `INTERNAL` and not `CLIENT`.
    pub fn in_process(mut self, in_process: bool) -> Self {
        use opentelemetry::trace::SpanKind;
        self.facts.kind = if in_process { SpanKind::Internal } else { SpanKind::Client };
        self
    }
}

/// An operation on a memory that runs. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiMemory {
    guard: Guard,
}

impl GenAiMemory {
    guard_methods!();

    /// `gen_ai.memory.record.count`: how many records were found or written.
    pub fn set_record_count(&mut self, count: u32) {
        let count = opentelemetry::KeyValue::new(attribute::MEMORY_RECORD_COUNT, i64::from(count));
        self.guard.say(count);
    }

    /// What is searched for; recorded only if content is captured into spans.
    pub fn set_query(&mut self, text: &str) {
        self.guard.capture_text(attribute::MEMORY_QUERY_TEXT, Captured::Input, text);
    }

    /// The records, as JSON; recorded only if content is captured into spans.
    pub fn set_records(&mut self, records: &serde_json::Value) {
        self.guard.capture_json(attribute::MEMORY_RECORDS, Captured::Output, records);
    }
}
