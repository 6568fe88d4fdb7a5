//! Collects the facts of a response from the scalars that its API's table names.

mod ends;

use std::ops::Range;

use super::field::{ResponseField, ResponseScope, Tokens};
use super::json::{Closed, Scalar, Visitor, Want};
use super::key::Key;
use super::repeat::{Gap, GapKind, Gaps};
use super::response::{ProviderError, ResponseFacts, ToolCall};
use super::table;
use super::usage::Counts;
use super::word::{finish_reason_of, is_last, modality};
use super::{Api, gemini};

/// Of choices, tool calls and the like: more are counted, but not kept.
const LIST_LENGTH: usize = 128;

#[derive(Debug)]
pub(super) struct ResponseVisitor {
    api: Api,
    facts: ResponseFacts,
    counts: Counts,
    /// What the scalar that is being read means.
    field: Option<ResponseField>,
    finish_reasons: Vec<Option<String>>,
    choice_index: Option<usize>,
    choice_finish_reason: Option<String>,
    choice_stop_reason: Option<String>,
    tool: ToolCall,
    /// Kept to be written over: most items are no calls.
    item_id: String,
    output_items: Vec<String>,
    modality: Option<(Tokens, Tokens)>,
    modality_tokens: Option<i64>,
    root_error: ProviderError,
    /// The event that is being read carries output.
    output: bool,
    /// The event adds to a list: read twice, it would say more than once.
    adds: bool,
    /// Of the event that is being read.
    gaps: Gaps,
    /// A whole value was read.
    pub(super) root_ended: bool,
}

impl ResponseVisitor {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            facts: ResponseFacts::default(),
            counts: Counts::default(),
            field: None,
            finish_reasons: Vec::new(),
            choice_index: None,
            choice_finish_reason: None,
            choice_stop_reason: None,
            tool: ToolCall::default(),
            item_id: String::new(),
            output_items: Vec::new(),
            modality: None,
            modality_tokens: None,
            root_error: ProviderError::default(),
            output: false,
            adds: false,
            gaps: Gaps::default(),
            root_ended: false,
        }
    }

    pub(super) const fn facts(&self) -> &ResponseFacts {
        &self.facts
    }

    pub(super) const fn facts_mut(&mut self) -> &mut ResponseFacts {
        &mut self.facts
    }

    pub(super) fn error(&mut self) -> &mut ProviderError {
        self.facts.error.get_or_insert_with(ProviderError::default)
    }

    pub(super) fn count_outside(&mut self, input: Option<i64>, output: Option<i64>) {
        for (tokens, count) in [(Tokens::FallbackInput, input), (Tokens::FallbackOutput, output)] {
            if let Some(count) = count {
                self.counts.set(tokens, count);
            }
        }
    }

    pub(super) const fn end_event(&mut self) {
        self.facts.events += 1;
        if self.output {
            self.facts.output_chunks += 1;
        }
        self.output = false;
        self.adds = false;
    }

    pub(super) const fn forget_gaps(&mut self) {
        self.gaps.clear();
    }

    /// An event that says what the last one said.
    pub(super) const fn repeat(&mut self, output: bool) {
        self.output |= output;
        self.root_ended = true;
    }

    /// Where the event may differ from one that says the same; `None` if it has to be read again in any case.
    pub(super) fn gaps(&self) -> Option<&Gaps> {
        (self.root_ended && !self.adds).then_some(&self.gaps)
    }

    /// Of a body that was cut, also the choice that was open then.
    pub(super) fn finish(mut self) -> ResponseFacts {
        self.end_choice(0);
        self.end_tool();
        self.end_error();
        let mut facts = self.facts;
        facts.usage = self.counts.totals();
        facts.finish_reasons = self.finish_reasons.into_iter().flatten().collect();
        facts.output_items = self.output_items;
        if facts.finish_reasons.is_empty() && self.api == Api::OpenAiResponses {
            facts
                .finish_reasons
                .extend(facts.status.as_deref().and_then(finish_reason_of).map(str::to_owned));
        }
        if facts.choices == 0 && !facts.finish_reasons.is_empty() {
            facts.choices = 1;
        }
        if let Some(error) = &facts.error {
            facts.content_filter.prompt_filtered |= error.code.as_deref() == Some("content_filter");
        }
        facts
    }

    fn text(&mut self, field: ResponseField, text: &str) {
        use ResponseField as F;
        if text.is_empty() {
            return;
        }
        self.adds |= matches!(field, F::OutputItem | F::ToolId | F::ToolName);
        let facts = &mut self.facts;
        match field {
            F::Id => set(&mut facts.id, text),
            F::Model => set(&mut facts.model, text),
            F::Status => set(&mut facts.status, text),
            F::ServiceTier => set(&mut facts.service_tier, text),
            F::SystemFingerprint => set(&mut facts.system_fingerprint, text),
            F::ConversationId => set(&mut facts.conversation_id, text),
            F::Event => facts.complete |= is_last(text),
            F::FinishReason => {
                self.finish_reason(0, text.to_owned());
            }
            F::ChoiceFinishReason => set(&mut self.choice_finish_reason, text),
            F::ChoiceStopReason => set(&mut self.choice_stop_reason, text),
            F::OutputItem if self.output_items.len() < LIST_LENGTH => self.output_items.push(text.to_owned()),
            F::ToolId => set(&mut self.tool.id, text),
            F::ItemId => text.clone_into(&mut self.item_id),
            F::ToolName => set(&mut self.tool.name, text),
            // Nothing more comes.
            F::PromptBlocked => (facts.content_filter.prompt_filtered, facts.complete) = (true, true),
            F::ErrorKind => set(&mut self.error().kind, text),
            F::ErrorCode => set(&mut self.error().code, text),
            F::ErrorMessage => set(&mut self.error().message, text),
            // AWS puts a namespace before it.
            F::RootErrorKind => set(&mut self.root_error.kind, text.rsplit('#').next().unwrap_or(text)),
            F::RootErrorCode => set(&mut self.root_error.code, text),
            F::RootErrorMessage => set(&mut self.root_error.message, text),
            F::Modality => self.modality = modality(text),
            // Where a server writes numbers as texts, as ProtoJSON does with large ones.
            F::Tokens(_) | F::ModalityTokens | F::ChoiceIndex => self.number(field, text),
            _ => {}
        }
    }

    fn number(&mut self, field: ResponseField, text: &str) {
        use ResponseField as F;
        let Some(count) = count(text) else { return };
        match field {
            F::Tokens(tokens) => self.counts.set(tokens, count),
            F::ChoiceIndex => self.choice_index = usize::try_from(count).ok(),
            F::ModalityTokens => self.modality_tokens = Some(count),
            F::Modality => self.modality = modality(text),
            F::ErrorCode => set(&mut self.error().code, text),
            F::RootErrorCode => set(&mut self.root_error.code, text),
            F::ChoiceFinishReason => {
                if let Some(reason) = gemini::finish_reason(text) {
                    set(&mut self.choice_finish_reason, reason);
                }
            }
            _ => {}
        }
    }
}

impl Visitor for ResponseVisitor {
    fn wants(&mut self, path: &[Key]) -> Want {
        self.field = table::response(self.api, path);
        match self.field {
            None => Want::Skip,
            Some(ResponseField::Output | ResponseField::EncodedEmbedding) => Want::Length,
            Some(_) => Want::Value,
        }
    }

    fn scalar(&mut self, _path: &[Key], value: Scalar<'_>) {
        use ResponseField as F;
        let Some(field) = self.field else { return };
        match (field, value) {
            (F::Output, Scalar::Length(length)) => self.output |= length > 0,
            // Little-endian floats of four bytes.
            (F::EncodedEmbedding, Scalar::Length(length)) if length > 0 => {
                self.embedding("base64", length / 4 * 3 / 4);
            }
            (_, Scalar::Text(text)) => self.text(field, text),
            (_, Scalar::Number(text)) => self.number(field, text),
            (F::Done, Scalar::Flag(true)) => self.facts.complete = true,
            (F::PromptFiltered, Scalar::Flag(true)) => self.facts.content_filter.prompt_filtered = true,
            (F::OutputFiltered, Scalar::Flag(true)) => self.facts.content_filter.output_filtered = true,
            _ => {}
        }
    }

    fn close(&mut self, path: &[Key], closed: Closed) {
        let Some(scope) = table::response_scope(self.api, path) else { return };
        let position = closed.position as usize;
        match scope {
            ResponseScope::Choice => {
                let index = self.choice_index.unwrap_or(position);
                self.facts.choices = self.facts.choices.max(index as u64 + 1);
                self.end_choice(position);
            }
            ResponseScope::ToolCall => self.end_tool(),
            ResponseScope::OutputItems => {
                self.adds = true;
                let len = closed.len.unwrap_or(0) as usize;
                let repeated = self.output_items.len().saturating_sub(len);
                self.output_items.drain(..repeated);
            }
            ResponseScope::Embedding(encoding) => {
                if let Some(len) = closed.len {
                    self.embedding(encoding, len as usize);
                }
            }
            ResponseScope::InputModality => self.end_modality(true),
            ResponseScope::OutputModality => self.end_modality(false),
        }
    }

    fn passed(&mut self, want: Want, is_text: bool, place: Range<usize>) {
        let kind = match (is_text, want) {
            (false, _) => GapKind::Bare,
            (true, Want::Length) => GapKind::Output,
            (true, _) => GapKind::Text,
        };
        self.gaps.note(Gap::new(kind, place));
    }

    fn end(&mut self) {
        self.root_ended = true;
        self.end_error();
    }
}

/// Most chunks repeat what the first one said: nothing is allocated for that.
fn set(slot: &mut Option<String>, text: &str) {
    if slot.as_deref() != Some(text) {
        *slot = Some(text.to_owned());
    }
}

/// A number of tokens or the like: not negative, and whole even if it is written as a fraction.
fn count(text: &str) -> Option<i64> {
    let whole = |float: f64| (0.0..9e15).contains(&float).then_some(float as i64);
    text.parse().ok().filter(|count| *count >= 0).or_else(|| text.parse().ok().and_then(whole))
}
