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
        let attributes = vec![string(attribute::EVALUATION_NAME, name.into())];
        GenAiEvaluationResult { genai: self.clone(), attributes }
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
    pub fn with_score(mut self, score: f64) -> Self {
        self.attributes.push((attribute::EVALUATION_SCORE_VALUE.into(), AnyValue::Double(score)));
        self
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

    fn with(mut self, key: &'static str, value: String) -> Self {
        self.attributes.push(string(key, value));
        self
    }
}

fn string(key: &'static str, value: String) -> (Key, AnyValue) {
    (Key::from_static_str(key), AnyValue::String(value.into()))
}
