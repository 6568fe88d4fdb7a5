//! Writes the summary: 255 characters at most, cut between two words.

use std::borrow::Cow;

use super::Summary;

/// "It's RECOMMENDED to limit the length to 255 characters", at the end of a word.
/// <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query>
const MOST_CHARACTERS: usize = 255;

pub(super) struct Output<'a> {
    text: &'a str,
    out: String,
    characters: usize,
    full: bool,
    /// A statement ended, and another one may follow.
    ended: bool,
    operation: Option<Cow<'a, str>>,
    collection: Option<&'a str>,
    collections: usize,
    procedure: Option<&'a str>,
}

impl<'a> Output<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            out: String::new(),
            characters: 0,
            full: false,
            ended: false,
            operation: None,
            collection: None,
            collections: 0,
            procedure: None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn operation(&mut self, start: usize, end: usize) {
        self.operation.get_or_insert(Cow::Borrowed(&self.text[start..end]));
        self.word(&self.text[start..end]);
    }

    /// `CREATE TABLE`; the operation is both words where the second is `known`.
    pub(super) fn definition(&mut self, first: (usize, usize), second: (usize, usize), known: bool) {
        let (first, second) = (&self.text[first.0..first.1], &self.text[second.0..second.1]);
        if self.operation.is_none() {
            self.operation = Some(if known { format!("{first} {second}").into() } else { first.into() });
        }
        self.word(first);
        self.word(second);
    }

    /// A second word of an operation: `TRUNCATE` `TABLE`.
    pub(super) fn object(&mut self, start: usize, end: usize) {
        self.word(&self.text[start..end]);
    }

    /// The second word belongs to the operation, too: `TRUNCATE TABLE`.
    pub(super) fn both_words(&mut self) {
        if self.operation.as_deref().is_some_and(|one| self.out.starts_with(one) && !one.contains(' ')) {
            self.operation = Some(Cow::Owned(self.out.clone()));
        }
    }

    /// An operation that the query does not spell out.
    pub(super) fn implied(&mut self, operation: &'static str) {
        self.operation.get_or_insert(Cow::Borrowed(operation));
        self.word(operation);
    }

    pub(super) fn collection(&mut self, start: usize, end: usize) {
        let name = &self.text[start..end];
        if self.collection != Some(name) {
            self.collections += 1;
        }
        self.collection.get_or_insert(name);
        self.word(name);
    }

    pub(super) fn procedure(&mut self, start: usize, end: usize) {
        self.procedure.get_or_insert(&self.text[start..end]);
        self.word(&self.text[start..end]);
    }

    pub(super) fn end_statement(&mut self) {
        self.ended |= !self.out.is_empty();
    }

    pub(super) fn finish(self) -> Summary {
        Summary {
            text: (!self.out.is_empty()).then_some(self.out),
            operation: self.operation.map(Cow::into_owned),
            collection: self.collection.filter(|_| self.collections == 1).map(str::to_owned),
            stored_procedure: self.procedure.map(str::to_owned),
        }
    }

    fn word(&mut self, word: &str) {
        let separator = match (self.out.is_empty(), self.ended) {
            (true, _) => "",
            (false, true) => "; ",
            (false, false) => " ",
        };
        let characters = separator.len() + word.chars().count();
        if self.full || self.characters + characters > MOST_CHARACTERS {
            self.full = true;
            return;
        }
        self.out.push_str(separator);
        self.out.push_str(word);
        self.characters += characters;
        self.ended = false;
    }
}
