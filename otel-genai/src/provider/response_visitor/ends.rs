//! What the end of a choice, a call or a count says.

use super::{LIST_LENGTH, ResponseVisitor};
use crate::provider::Api;
use crate::provider::word::standard_finish_reason;

impl ResponseVisitor {
    pub(super) fn end_choice(&mut self, position: usize) {
        let index = self.choice_index.take().unwrap_or(position);
        let stopped_by = self.choice_stop_reason.take();
        if let Some(reason) = self.choice_finish_reason.take().or(stopped_by) {
            self.finish_reason(index, reason);
        }
    }

    pub(super) fn finish_reason(&mut self, index: usize, reason: String) {
        self.facts.content_filter.output_filtered |= standard_finish_reason(&reason) == "content_filter";
        // Where a stream has no last event, this is the model's end.
        self.facts.complete |= matches!(
            self.api,
            Api::GeminiGenerateContent | Api::BedrockConverse | Api::BedrockInvokeModel | Api::OllamaChat
        );
        if index < LIST_LENGTH {
            if self.finish_reasons.len() <= index {
                self.finish_reasons.resize(index + 1, None);
            }
            if let Some(slot) = self.finish_reasons.get_mut(index) {
                *slot = Some(reason);
            }
        }
    }

    /// Providers repeat a call's id, and list the calls of a stream once more at its end.
    pub(super) fn end_tool(&mut self) {
        let mut tool = std::mem::take(&mut self.tool);
        if tool.name.is_none() {
            return;
        }
        if tool.id.is_none() && !self.item_id.is_empty() {
            tool.id = Some(std::mem::take(&mut self.item_id));
        }
        self.adds = true;
        let calls = &mut self.facts.tool_calls;
        if tool.id.is_some() && calls.iter().any(|call| call.id == tool.id) {
            return;
        }
        self.output = true;
        if calls.len() < LIST_LENGTH {
            calls.push(tool);
        }
    }

    /// What stands at the root of an event belongs to the message of the same event.
    pub(super) fn end_error(&mut self) {
        let root = std::mem::take(&mut self.root_error);
        // `{"code": 0, "message": "Success", "choices": [..]}` is what iFlytek's servers say of each answer.
        let message = root.message.filter(|_| root.code.as_deref() != Some("0"));
        if message.is_some() {
            self.error().message = message;
        }
        if let Some(error) = &mut self.facts.error {
            if error.message.is_some() && error.kind.is_none() && error.code.is_none() {
                (error.kind, error.code) = (root.kind, root.code);
            }
        }
    }

    pub(super) fn end_modality(&mut self, input: bool) {
        if let (Some((of_input, of_output)), Some(count)) =
            (self.modality.take(), self.modality_tokens.take())
        {
            self.counts.set(if input { of_input } else { of_output }, count);
        }
    }

    pub(super) fn embedding(&mut self, encoding: &'static str, dimensions: usize) {
        self.adds = true;
        self.facts.embeddings = self.facts.embeddings.saturating_add(1);
        self.facts.encoding_format = Some(encoding);
        self.facts.dimensions = i64::try_from(dimensions).ok();
    }
}
