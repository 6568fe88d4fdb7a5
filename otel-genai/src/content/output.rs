//! Puts the pieces of a stream together.

use serde_json::Value;

use super::limits::Limits;
use super::message::{Message, OutputMessage, Part};

/// More choices, or parts of one, are not kept.
const LIST_LENGTH: usize = 128;

/// What a piece belongs to: a kind, and the provider's number of the block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Block {
    Text(u64),
    Reasoning(u64),
    Tool(u64),
    /// Of a tool that the provider runs.
    ServerTool(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Output {
    choices: Vec<Choice>,
    limits: Limits,
    /// Bytes of text that were kept.
    length: usize,
    truncated: bool,
}

#[derive(Debug, Default)]
struct Choice {
    role: Option<String>,
    parts: Vec<Open>,
    finish_reason: Option<String>,
}

#[derive(Debug)]
enum Open {
    Pieces { block: Block, text: String, id: Option<String>, name: String },
    Whole(Part),
}

impl Output {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.choices.clear();
        self.length = 0;
    }

    pub(crate) const fn truncated(&self) -> bool {
        self.truncated
    }

    pub(crate) fn role(&mut self, choice: u64, role: &Value) {
        if let (Some(choice), Some(role)) = (self.choice(choice), role.as_str()) {
            choice.role = Some(super::read::role(role));
        }
    }

    pub(crate) fn finish_reason(&mut self, choice: u64, reason: &Value) {
        if let (Some(choice), Some(reason)) = (self.choice(choice), reason.as_str()) {
            choice.finish_reason = Some(finish_reason(reason).to_owned());
        }
    }

    /// The next piece of a block. Anything but a text is no piece.
    pub(crate) fn piece(&mut self, choice: u64, block: Block, piece: &Value) {
        if let Some(piece) = piece.as_str().filter(|piece| !piece.is_empty()) {
            self.append(choice, block, piece);
        }
    }

    /// A tool's id and name, which come with the first of its pieces or with each.
    pub(crate) fn tool(&mut self, choice: u64, block: Block, id: &Value, name: &Value) {
        let Some(Open::Pieces { id: known_id, name: known_name, .. }) = self.block(choice, block) else {
            return;
        };
        if let Some(id) = id.as_str().filter(|id| !id.is_empty()) {
            *known_id = Some(id.to_owned());
        }
        if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
            name.clone_into(known_name);
        }
    }

    /// The block has begun.
    pub(crate) fn has(&self, choice: usize, wanted: Block) -> bool {
        let parts = self.choices.get(choice).map(|choice| choice.parts.as_slice()).unwrap_or_default();
        parts.iter().any(|part| matches!(part, Open::Pieces { block, .. } if *block == wanted))
    }

    /// Parts that came whole.
    pub(crate) fn parts(&mut self, choice: u64, parts: Vec<Part>) {
        for mut part in parts {
            let length = part.length();
            if self.length.saturating_add(length) > self.limits.total {
                self.truncated = true;
                return;
            }
            self.length += length;
            self.truncated |= part.cut(self.limits.text);
            let Some(choice) = self.choice(choice) else { return };
            if choice.parts.len() < LIST_LENGTH {
                choice.parts.push(Open::Whole(part));
            }
        }
    }

    pub(crate) fn finish(self, failed: bool) -> Vec<OutputMessage> {
        let open = if failed { "error" } else { "incomplete" };
        // A choice of which nothing was kept is none: whether it was begun depends on where a body that is cut was cut.
        self.choices
            .into_iter()
            .filter(|choice| !choice.is_empty())
            .map(|choice| choice.finish(open))
            .collect()
    }

    fn append(&mut self, choice: u64, block: Block, piece: &str) {
        let limit = self.limits.text;
        let room = self.limits.total.saturating_sub(self.length);
        let Some(Open::Pieces { text, .. }) = self.block(choice, block) else { return };
        let before = text.len();
        let mut truncated = false;
        if before <= limit {
            if piece.len() > room {
                truncated = true;
            } else {
                text.push_str(piece);
                truncated = super::limits::cut(text, limit);
            }
        }
        let added = text.len().saturating_sub(before);
        self.length += added;
        self.truncated |= truncated;
    }

    fn choice(&mut self, index: u64) -> Option<&mut Choice> {
        let index = usize::try_from(index).ok().filter(|index| *index < LIST_LENGTH)?;
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        self.choices.get_mut(index)
    }

    fn block(&mut self, choice: u64, wanted: Block) -> Option<&mut Open> {
        let parts = &mut self.choice(choice)?.parts;
        let known =
            parts.iter().position(|part| matches!(part, Open::Pieces { block, .. } if *block == wanted));
        let index = match known {
            Some(index) => index,
            None if parts.len() < LIST_LENGTH => {
                parts.push(Open::Pieces {
                    block: wanted,
                    text: String::new(),
                    id: None,
                    name: String::new(),
                });
                parts.len() - 1
            }
            None => return None,
        };
        parts.get_mut(index)
    }
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.role.is_none() && self.parts.is_empty() && self.finish_reason.is_none()
    }

    fn finish(self, open: &str) -> OutputMessage {
        let parts = self.parts.into_iter().map(|part| match part {
            Open::Whole(part) => part,
            Open::Pieces { block, text, id, name } => match block {
                Block::Text(_) => Part::Text(text),
                Block::Reasoning(_) => Part::Reasoning(text),
                Block::Tool(_) => Part::ToolCall { id, name, arguments: super::read::arguments_text(text) },
                Block::ServerTool(_) => {
                    super::read::server_tool_call(id, name, super::read::arguments_text(text).as_ref())
                }
            },
        });
        OutputMessage {
            message: Message {
                role: self.role.unwrap_or_else(|| "assistant".to_owned()),
                parts: parts.collect(),
                name: None,
            },
            finish_reason: self.finish_reason.unwrap_or_else(|| open.to_owned()),
        }
    }
}

/// The conventions' word for a provider's; one that has none stays.
fn finish_reason(reason: &str) -> &str {
    match reason {
        "stop" | "end_turn" | "stop_sequence" | "completed" | "pause_turn" | "STOP" | "STOP_SEQUENCE"
        | "COMPLETE" | "FINISH" => "stop",
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_context_window_exceeded"
        | "MAX_TOKENS"
        | "LENGTH" => "length",
        "content_filter"
        | "content_filtered"
        | "guardrail_intervened"
        | "refusal"
        | "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "ERROR_TOXIC"
        | "CONTENT_FILTERED" => "content_filter",
        "tool_calls" | "tool_use" | "tool_call" | "function_call" | "TOOL_CALL" => "tool_call",
        "error" | "failed" | "ERROR" | "MALFORMED_FUNCTION_CALL" => "error",
        other => other,
    }
}
