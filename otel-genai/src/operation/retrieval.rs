//! Retrieval from data sources.

use super::captured::Captured;
use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, server_methods, start_methods};
use crate::GenAi;
use crate::names::attribute;
use crate::provider::Provider;

impl GenAi {
    /// A search in a data source, such as a vector store: `retrieval`. The source's id names the span, so there must be few.
    pub fn retrieval(&self, data_source_id: impl Into<String>) -> GenAiRetrievalBuilder {
        let mut facts = OperationFacts::new("retrieval", Family::OtherClient);
        facts.data_source_id = Some(data_source_id.into()).filter(|id| !id.is_empty());
        GenAiRetrievalBuilder { genai: self.clone(), facts: Box::new(facts) }
    }
}

/// A retrieval that has not started.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiRetrievalBuilder {
    genai: GenAi,
    facts: Box<OperationFacts>,
}

impl GenAiRetrievalBuilder {
    start_methods!(GenAiRetrieval);
    server_methods!();

    /// `gen_ai.provider.name`: without it there is no duration metric, which requires it.
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.facts.provider = Some(provider);
        self
    }

    /// `gen_ai.request.model`
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.facts.request.model = Some(model.into());
        self
    }

    /// `gen_ai.request.top_k`: how many documents are wanted.
    pub fn with_top_k(mut self, top_k: u32) -> Self {
        self.facts.request.top_k = Some(f64::from(top_k));
        self
    }
}

/// A retrieval that runs. Dropping it ends it as cancelled.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiRetrieval {
    guard: Guard,
}

impl GenAiRetrieval {
    guard_methods!();

    /// What is searched for; recorded only if content is captured into spans.
    pub fn set_query(&mut self, text: &str) {
        self.guard.capture_text(attribute::RETRIEVAL_QUERY_TEXT, Captured::Input, text);
    }

    /// What was found: a JSON array of objects with `id` and `score`; recorded only if content is captured into spans.
    pub fn set_documents(&mut self, documents: &serde_json::Value) {
        self.guard.capture_json(attribute::RETRIEVAL_DOCUMENTS, Captured::Output, documents);
    }
}
