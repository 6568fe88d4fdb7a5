//! Puts the pieces of a stream together.

use serde_json::Value;

use super::limits::{self, Limits};
use super::message::{Message, OutputMessage, Part};
use crate::provider::standard_finish_reason;

/// More choices, or parts of one, are not kept.
const LIST_LENGTH: usize = 128;

/// A role, or why a choice ended, is a word, and no longer.
const WORD_LENGTH: usize = 1024;

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
    Pieces(Pieces),
    Whole(Part),
}

#[derive(Debug)]
struct Pieces {
    block: Block,
    text: String,
    /// Something was left out: nothing more is added, or the text with its hole would look like a whole one.
    is_cut: bool,
    /// Of a tool.
    id: Option<String>,
    name: String,
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
        if let (Some(choice), Some(role)) = (self.choice(choice), word(role)) {
            choice.role = Some(super::read::role(role));
        }
    }

    pub(crate) fn finish_reason(&mut self, choice: u64, reason: &Value) {
        if let (Some(choice), Some(reason)) = (self.choice(choice), word(reason)) {
            choice.finish_reason = Some(standard_finish_reason(reason).to_owned());
        }
    }

    /// The next piece of a block. Anything but a text is no piece.
    pub(crate) fn piece(&mut self, choice: u64, block: Block, piece: &Value) {
        if let Some(piece) = piece.as_str().filter(|piece| !piece.is_empty()) {
            self.append(choice, block, piece);
        }
    }

    /// A tool's id and name, which come with the first of its pieces or with each. Some servers number all calls alike:
    /// another id with a name is another call. An id alone is not, for others give each piece one of its own.
    pub(crate) fn tool(&mut self, choice: u64, block: Block, id: &Value, name: &Value) {
        let [id, name] = [id, name].map(|text| text.as_str().filter(|text| !text.is_empty()));
        let known = self.pieces(choice, block).and_then(|pieces| pieces.id.as_deref());
        if name.is_some() && id.zip(known).is_some_and(|(id, known)| id != known) {
            self.open(choice, block);
        }
        let room = self.limits.total.saturating_sub(self.length);
        let Some(pieces) = self.pieces(choice, block) else { return };
        let more = |new: Option<&str>, known: usize| new.map_or(0, |new| new.len().saturating_sub(known));
        let added = more(id, pieces.id.as_deref().map_or(0, str::len)) + more(name, pieces.name.len());
        if added > room {
            self.truncated = true;
            return;
        }
        if let Some(id) = id {
            pieces.id = Some(id.to_owned());
        }
        if let Some(name) = name {
            name.clone_into(&mut pieces.name);
        }
        self.length += added;
    }

    /// The block has begun.
    pub(crate) fn has(&self, choice: usize, wanted: Block) -> bool {
        let parts = self.choices.get(choice).map(|choice| choice.parts.as_slice()).unwrap_or_default();
        parts.iter().any(|part| matches!(part, Open::Pieces(pieces) if pieces.block == wanted))
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
        let Some(Pieces { text, is_cut, .. }) = self.pieces(choice, block) else { return };
        let before = text.len();
        if !*is_cut && piece.len() > room {
            limits::mark_cut(text);
            *is_cut = true;
        } else if !*is_cut {
            text.push_str(piece);
            *is_cut = limits::cut(text, limit) || limits::is_cut(piece);
        }
        let (added, truncated) = (text.len().saturating_sub(before), *is_cut);
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

    /// The last pieces of the block, which begins with them.
    fn pieces(&mut self, choice: u64, block: Block) -> Option<&mut Pieces> {
        let is_wanted = |part: &Open| matches!(part, Open::Pieces(pieces) if pieces.block == block);
        if !self.choice(choice)?.parts.iter().any(is_wanted) {
            self.open(choice, block);
        }
        self.choice(choice)?.parts.iter_mut().rev().find_map(|part| match part {
            Open::Pieces(pieces) if pieces.block == block => Some(pieces),
            _ => None,
        })
    }

    fn open(&mut self, choice: u64, block: Block) {
        let Some(choice) = self.choice(choice) else { return };
        if choice.parts.len() < LIST_LENGTH {
            let (text, name) = (String::new(), String::new());
            choice.parts.push(Open::Pieces(Pieces { block, text, is_cut: false, id: None, name }));
        }
    }
}

fn word(value: &Value) -> Option<&str> {
    value.as_str().filter(|word| word.len() <= WORD_LENGTH)
}

impl Choice {
    fn is_empty(&self) -> bool {
        self.role.is_none() && self.parts.is_empty() && self.finish_reason.is_none()
    }

    fn finish(self, open: &str) -> OutputMessage {
        let parts = self.parts.into_iter().map(|part| match part {
            Open::Whole(part) => part,
            Open::Pieces(Pieces { block, text, id, name, .. }) => match block {
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
