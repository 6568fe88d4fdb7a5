//! Results of evaluations.

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::{Context, Key};
use otel_core::current_context;

use crate::GenAi;
use crate::event::EventAttributes;
use crate::names::{attribute, event};

impl GenAi {
    /// An answer was judged: the event `gen_ai.evaluation.result`. It needs a
    /// [logger provider](crate::GenAiBuilder::with_logger_provider).
    ///
    /// ```
    /// # let genai = otel_genai::GenAi::new();
    /// genai.evaluation("relevance").with_score(0.9).with_label("relevant").with_response_id("chatcmpl-1").emit();
    /// ```
    pub fn evaluation(&self, name: impl Into<String>) -> GenAiEvaluationResult {
        let result = GenAiEvaluationResult { genai: self.clone(), attributes: Vec::new() };
        result.with(attribute::EVALUATION_NAME, name.into())
    }
}

/// The result of an evaluation.
#[derive(Debug)]
#[must_use = "nothing happens until it is emitted"]
pub struct GenAiEvaluationResult {
    genai: GenAi,
    attributes: EventAttributes,
}

impl GenAiEvaluationResult {
    /// `gen_ai.evaluation.score.value`
    pub fn with_score(self, score: f64) -> Self {
        self.with(attribute::EVALUATION_SCORE_VALUE, score)
    }

    /// `gen_ai.evaluation.score.label`: few different values, such as `pass` and `fail`.
    pub fn with_label(self, label: impl Into<String>) -> Self {
        self.with(attribute::EVALUATION_SCORE_LABEL, label.into())
    }

    /// `gen_ai.evaluation.explanation`. It may repeat what was judged; it is recorded as it is.
    pub fn with_explanation(self, explanation: impl Into<String>) -> Self {
        self.with(attribute::EVALUATION_EXPLANATION, explanation.into())
    }

    /// `gen_ai.response.id`: what was judged, when that is not the current span.
    pub fn with_response_id(self, id: impl Into<String>) -> Self {
        self.with(attribute::RESPONSE_ID, id.into())
    }

    /// The evaluation itself has failed.
    pub fn with_error_type(self, error_type: impl Into<String>) -> Self {
        self.with(attribute::ERROR_TYPE, error_type.into())
    }

    /// Emits the event, as one of the current span.
    pub fn emit(self) {
        self.emit_in(&current_context());
    }

    /// Emits the event, as one of the span in `context`: that of the operation that was judged.
    pub fn emit_in(self, context: &Context) {
        if let Some(events) = self.genai.events() {
            events.emit(event::EVALUATION_RESULT, Severity::Info, context, self.attributes);
        }
    }

    /// An attribute is there once: what is set again replaces what was set before.
    fn with(mut self, key: &'static str, value: impl Into<AnyValue>) -> Self {
        self.attributes.retain(|(set, _)| set.as_str() != key);
        self.attributes.push((Key::from_static_str(key), value.into()));
        self
    }
}
