//! Secrets that are no literals: passwords that are words, names of people, data behind a statement.

mod words;

use words::{KEYS, OBJECTS, PASSWORDS, RESERVED, SECRETS, STATEMENTS, WITH_SECRETS, is_one_of};

use super::dialect::{Grammar, Holds};
use super::token::{Kind, Token};

/// Follows the words of each statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    state: State,
    /// The last word was IDENTIFIED.
    identified: bool,
    inline_formats: bool,
    words_as_arguments: bool,
    settings_of_routines: bool,
    /// Where the last statement ended that another one may follow.
    separator: Option<usize>,
}

/// What becomes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What becomes of any token of its kind.
    Token,
    /// It is replaced.
    Replace,
    /// It is replaced, with the rest of the statement.
    ReplaceStatement,
    /// Behind it are data, not SQL.
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the begin of a batch of SQL Server's, where a call needs no EXEC.
    Batch,
    /// At the begin of a statement.
    Start,
    /// As `Start`, or before the number of a procedure: `EXEC p;1`.
    Numbered,
    /// Nothing to expect until the next one.
    Plain,
    /// After CREATE, ALTER or DROP.
    Object,
    /// After `CREATE USER`: the name of somebody.
    Person,
    /// After that name, or its password: another one may follow.
    Named,
    /// After `CREATE FUNCTION`, which may set what holds in it.
    Routine,
    /// After `CREATE PROC` where a parameter's default may be a word, and whether the last token was a parameter's name.
    Header {
        parameter: bool,
    },
    /// After the `=` before that default.
    Default,
    /// In a statement that may set a password.
    Secrets,
    /// After SET, and in the name of what is set.
    Setting,
    /// Behind a dot of that name: `SET app.token TO ..`, which is for whatever the application likes.
    CustomSetting,
    /// After PASSWORD, and before the value of a custom setting.
    Secret,
    /// After IDENTIFIED BY.
    Identified,
    /// After ATTACH or PRAGMA, which may hold the key of an encrypted file.
    Keyed,
    /// After EXEC: the procedure's name, perhaps behind the variable that takes its result.
    Procedure,
    /// Behind a dot of that name.
    ProcedurePart,
    /// After that name.
    Arguments,
    /// After COPY: data follow the statement if it says STDIN.
    Copy,
    CopyFromInput,
    /// After INSERT: data follow the name of a FORMAT.
    Insert,
    /// After INSERT .. SELECT: they do if it selects from `input()`.
    InsertSelect,
    Format,
}

impl Guard {
    pub(super) fn new(grammar: &Grammar) -> Self {
        Self {
            state: if grammar.calls_without_exec { State::Batch } else { State::Start },
            identified: false,
            inline_formats: grammar.inline_formats,
            words_as_arguments: grammar.words_as_arguments,
            settings_of_routines: grammar.escape_strings != Holds::Never,
            separator: None,
        }
    }

    pub(super) fn separator(&self) -> Option<usize> {
        self.separator
    }

    #[inline]
    pub(super) fn see(&mut self, text: &str, token: &Token) -> Verdict {
        if self.state == State::Plain && token.kind != Kind::Symbol(b';') && !self.may_begin(token) {
            return Verdict::Token;
        }
        self.look(text, token)
    }

    /// EXEC and EXECUTE begin a call wherever they stand: SQL Server asks for no semicolon. IDENTIFIED BY is followed by a
    /// password wherever it stands: Oracle has it in the columns of tables.
    fn may_begin(&self, token: &Token) -> bool {
        let length = token.end - token.start;
        self.identified
            || (token.kind == Kind::Word
                && (length == "identified".len() || (self.words_as_arguments && matches!(length, 4 | 7))))
    }

    fn look(&mut self, text: &str, token: &Token) -> Verdict {
        if token.kind == Kind::Symbol(b';') {
            let data = self.state == State::CopyFromInput;
            self.separator = Some(token.start);
            self.state = if self.state == State::Arguments { State::Numbered } else { State::Start };
            self.identified = false;
            return if data { Verdict::Data } else { Verdict::Token };
        }
        self.identified &= matches!(token.kind, Kind::Word | Kind::Comment);
        let word = || &text[token.start..token.end];
        self.state = match (self.state, token.kind) {
            (_, Kind::Comment) => return Verdict::Token,
            (State::Default, Kind::Word | Kind::Name) => {
                self.state = State::Header { parameter: false };
                let is_value = word().eq_ignore_ascii_case("null");
                return if is_value { Verdict::Token } else { Verdict::Replace };
            }
            (State::Header { .. }, Kind::Symbol(b'=')) => State::Default,
            (State::Header { parameter }, Kind::Word) => self.header(word(), parameter),
            (State::Header { .. } | State::Default, kind) => {
                State::Header { parameter: kind == Kind::Placeholder }
            }
            (
                State::Person | State::Secret | State::Identified,
                Kind::Word | Kind::Name | Kind::DoubleQuoted,
            ) => return self.personal(word()),
            (State::Arguments, Kind::Word | Kind::Name) => return self.argument(word()),
            (State::Format, Kind::Word | Kind::Name) => {
                self.state = State::Plain;
                let empty = text[token.end..].trim_start().is_empty();
                return if empty { Verdict::Token } else { Verdict::Data };
            }
            (State::Person | State::Identified, Kind::Text | Kind::Value | Kind::Placeholder) => State::Named,
            (State::Secret, Kind::Text | Kind::Value | Kind::Placeholder) => State::Secrets,
            (State::Named, Kind::Symbol(b',')) => State::Person,
            (State::Procedure | State::ProcedurePart, Kind::Word | Kind::Name | Kind::DoubleQuoted) => {
                procedure(word())
            }
            // `DENY EXECUTE, SELECT`
            (State::Procedure, Kind::Symbol(b',')) => State::Secrets,
            (State::Setting, Kind::Symbol(b'.')) => State::CustomSetting,
            // `SET "app.token" TO ..`
            (State::Setting, Kind::Name | Kind::DoubleQuoted) if word().contains('.') => State::CustomSetting,
            (State::CustomSetting, Kind::Symbol(b'=')) => State::Secret,
            (State::Batch, Kind::Name | Kind::DoubleQuoted) | (State::Numbered, Kind::Value) => {
                State::Arguments
            }
            (State::Arguments, Kind::Symbol(b'.')) => State::ProcedurePart,
            // The name of a column.
            (State::Format, _) => State::Insert,
            (_, Kind::Word) => self.after_word(word()),
            (state, _) => state,
        };
        Verdict::Token
    }

    fn personal(&mut self, word: &str) -> Verdict {
        if self.state != State::Person {
            self.state = State::Secrets;
            return Verdict::ReplaceStatement;
        }
        if is_one_of(word, &["if", "not", "exists", "or", "replace"]) {
            return Verdict::Token;
        }
        self.state = State::Named;
        // CREATE USER MAPPING FOR somebody
        if word.eq_ignore_ascii_case("mapping") { Verdict::Token } else { Verdict::Replace }
    }

    /// A word is a string there, unless it is one that no string without quotes can be.
    fn argument(&mut self, word: &str) -> Verdict {
        if is_one_of(word, &["null", "default", "out", "output"]) {
            return Verdict::Token;
        }
        if !is_one_of(word, &RESERVED) {
            self.state = State::Plain;
            return Verdict::ReplaceStatement;
        }
        self.state = State::Start;
        self.state = self.after_word(word);
        Verdict::Token
    }

    /// `@a AS int = word` is a parameter, `AS SELECT` a body.
    fn header(&mut self, word: &str, parameter: bool) -> State {
        if parameter || !(is_one_of(word, &RESERVED) || is_one_of(word, &["returns", "is"])) {
            return State::Header { parameter: false };
        }
        self.state = self.routine();
        self.after_word(word)
    }

    fn routine(&self) -> State {
        if self.settings_of_routines { State::Routine } else { State::Plain }
    }

    fn after_word(&mut self, word: &str) -> State {
        let identified = std::mem::replace(&mut self.identified, word.eq_ignore_ascii_case("identified"));
        match self.state {
            _ if identified && word.eq_ignore_ascii_case("by") => State::Identified,
            _ if self.words_as_arguments && is_one_of(word, &["exec", "execute"]) => State::Procedure,
            State::Batch if self.begins_call(word) => State::Arguments,
            State::Batch | State::Start | State::Numbered => self.statement(word),
            State::Object => self.object(word),
            State::Keyed if is_one_of(word, &KEYS) => State::Secret,
            State::CustomSetting if word.eq_ignore_ascii_case("to") => State::Secret,
            State::Secrets | State::Named | State::Setting if is_one_of(word, &PASSWORDS) => State::Secret,
            // `ALTER ROLE joe SET app.token TO ..`
            State::Secrets | State::Named | State::Routine if word.eq_ignore_ascii_case("set") => {
                State::Setting
            }
            // `RENAME USER joe TO jim`, `ALTER USER joe RENAME TO jim`
            State::Named if word.eq_ignore_ascii_case("to") => State::Person,
            State::Named if !word.eq_ignore_ascii_case("rename") => State::Secrets,
            State::Copy if word.eq_ignore_ascii_case("stdin") => State::CopyFromInput,
            State::Insert if word.eq_ignore_ascii_case("select") => State::InsertSelect,
            State::InsertSelect if word.eq_ignore_ascii_case("input") => State::Insert,
            State::Insert if word.eq_ignore_ascii_case("format") => State::Format,
            other => other,
        }
    }

    fn begins_call(&self, word: &str) -> bool {
        !is_one_of(word, &RESERVED) && !is_one_of(word, &STATEMENTS) && self.statement(word) == State::Plain
    }

    fn statement(&self, word: &str) -> State {
        match word.as_bytes()[0].to_ascii_lowercase() {
            b'c' | b'a' | b'd' | b'm' | b'r' if is_one_of(word, &OBJECTS) => State::Object,
            b'c' if word.eq_ignore_ascii_case("copy") => State::Copy,
            b'a' | b'p' if is_one_of(word, &["attach", "pragma"]) => State::Keyed,
            b'i' if self.inline_formats && word.eq_ignore_ascii_case("insert") => State::Insert,
            b's' if word.eq_ignore_ascii_case("set") => State::Setting,
            b'a' | b'b' | b'c' | b'v' | b'e' | b'i' | b'r' | b'g' if is_one_of(word, &SECRETS) => {
                State::Secrets
            }
            _ => State::Plain,
        }
    }

    fn object(&self, word: &str) -> State {
        if is_one_of(word, &["user", "login"]) {
            State::Person
        } else if word.eq_ignore_ascii_case("password") {
            State::Secret // MaxDB's `ALTER PASSWORD old TO new`
        } else if is_one_of(word, &WITH_SECRETS) {
            State::Secrets
        } else if is_one_of(word, &["function", "procedure", "proc", "routine"]) {
            if self.words_as_arguments { State::Header { parameter: false } } else { self.routine() }
        } else if is_one_of(word, &["or", "replace", "alter"]) {
            State::Object
        } else {
            State::Plain
        }
    }
}

/// After the word behind EXEC.
fn procedure(word: &str) -> State {
    if is_one_of(word, &["as", "immediate", "function", "procedure"]) {
        State::Plain
    } else if is_one_of(word, &["on", "to"]) {
        State::Secrets // `GRANT EXECUTE ON`
    } else {
        State::Arguments
    }
}
