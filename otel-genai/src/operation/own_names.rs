//! Each attribute is there once, whoever says it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use otel_core::{AttributeNames, Attributes};

/// The names of attributes that hooks of the user's have given, from an operation's start to its end. Only where there are
/// hooks.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnNames(Option<Arc<Mutex<AttributeNames>>>);

/// What an operation says later than a hook at its start could see.
const SAID_LATER: [&str; 16] = [
    "error.type",
    "gen_ai.embeddings.dimension.count",
    "gen_ai.input.messages",
    "gen_ai.input.messages_ref",
    "gen_ai.memory.",
    "gen_ai.output.messages",
    "gen_ai.output.messages_ref",
    "gen_ai.response.",
    "gen_ai.retrieval.documents",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.usage.",
    "openai.response.",
    "otel_genai.",
];

/// What an operation says at all: a hook at its end cannot see what of it was said.
const SAID: [&str; 5] = ["error.type", "gen_ai.", "openai.", "otel_genai.", "server."];

impl OwnNames {
    pub(crate) fn new(has_hooks: bool) -> Self {
        Self(has_hooks.then(|| Arc::new(Mutex::new(AttributeNames::reserved(&SAID_LATER)))))
    }

    /// Writes what a hook says at the start.
    pub(crate) fn write(&self, pairs: Vec<KeyValue>, attributes: &mut Attributes<'_>) {
        let Some(mut names) = self.lock() else { return };
        attributes.checked(&mut names, |attributes| {
            for pair in pairs {
                attributes.span(pair.key, pair.value);
            }
        });
    }

    /// Writes what a hook says at the end.
    pub(crate) fn write_last(&self, mut pairs: Vec<KeyValue>, attributes: &mut Attributes<'_>) {
        pairs.retain(|pair| !SAID.iter().any(|said| pair.key.as_str().starts_with(said)));
        self.write(pairs, attributes);
    }

    /// Whether a hook has said it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().is_some_and(|names| names.is_taken(name))
    }

    fn lock(&self) -> Option<MutexGuard<'_, AttributeNames>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
