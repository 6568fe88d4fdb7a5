//! Decides how far a text can be trusted, and in which reading.

use std::borrow::Cow;

use super::dialect::Holds;
use super::guard::Guard;
use super::sanitize::{Written, write};
use super::statement::QueryRules;
use super::token::Token;
use super::tokens::{Findings, Reading, Tokens};

/// Longer texts are read up to here, and up to their first string: whether their quotes are in order, nobody looks.
pub(super) const MOST_BYTES: usize = 32 * 1024;

/// How often the end of what is certain may move before nothing is.
const MOST_CUTS: usize = 4;

/// What is known of a text.
pub(super) struct Known<'a> {
    /// The sanitized text; `None` when it is not safe.
    pub(super) text: Option<Cow<'a, str>>,
    /// The part of the text that is as the tokens say, for the summary.
    pub(super) certain: &'a str,
    pub(super) reading: Reading,
    /// Whether all of the text is certain.
    pub(super) complete: bool,
}

pub(super) fn read(text: &str, rules: QueryRules) -> Known<'_> {
    let usual = rules.usual_reading();
    let capped = text.len() > MOST_BYTES;
    let part = &text[..text.floor_char_boundary(MOST_BYTES)];
    let (written, findings) = pass(part, rules, usual);
    if capped {
        return truncated(text, certain_end(&findings, written.data, part.len()), rules, usual);
    }
    if findings.doubtful_escape.is_none() && findings.doubtful_nesting.is_none() {
        if let Some(broken) = findings.broken {
            let end = findings.first_string.map_or(broken, |string| string.min(broken));
            return Known { text: None, certain: &text[..end], reading: usual, complete: false };
        }
        if let Some(end) = first(findings.cut, written.data) {
            return truncated(text, end, rules, usual);
        }
        return Known { text: Some(written.text), certain: text, reading: usual, complete: true };
    }
    resolve(text, rules, usual, written, &findings)
}

/// The tokens of a text that is certain.
pub(super) fn tokens(text: &str, rules: QueryRules, reading: Reading) -> Tokens<'_> {
    Tokens::new(text, rules.dialect().grammar(), rules.names_in_double_quotes(), reading)
}

/// The text may be read in more than one way. A text that its author's server understands is in order in the way of that
/// server. If the usual way is, and all others are broken or say the same, it is that one. Else the text ends before the
/// token that they read differently.
fn resolve<'a>(
    text: &'a str,
    rules: QueryRules,
    usual: Reading,
    written: Written<'a>,
    findings: &Findings,
) -> Known<'a> {
    let doubt = first(findings.doubtful_escape, findings.doubtful_nesting).unwrap_or(0);
    let is_in_order = |findings: &Findings| findings.broken.is_none() && !findings.unlikely;
    let mut in_order = usize::from(is_in_order(findings));
    let mut differ = in_order == 0;
    for other in other_readings(usual, rules) {
        let (otherwise, found) = pass(text, rules, other);
        // A server runs the statements before the one that is broken.
        let runs = is_in_order(&found) || otherwise.separator > Some(doubt);
        if runs {
            in_order += 1;
            differ |=
                otherwise.text != written.text || found.cut != findings.cut || otherwise.data != written.data;
        }
    }
    if in_order == 0 {
        let end = findings.first_string.map_or(doubt, |string| string.min(doubt));
        return Known { text: None, certain: &text[..end], reading: usual, complete: false };
    }
    if differ {
        return truncated(text, doubt, rules, usual);
    }
    match first(findings.cut, written.data) {
        Some(end) => truncated(text, end, rules, usual),
        None => Known { text: Some(written.text), certain: text, reading: usual, complete: true },
    }
}

/// Every other way in which the dialect lets a text be read. A flip of one rule may bring the doubt of the other to
/// light, so all combinations are tried.
fn other_readings(usual: Reading, rules: QueryRules) -> impl Iterator<Item = Reading> {
    let grammar = rules.dialect().grammar();
    let (escapes, nested) = (grammar.escapes.depends(), grammar.nested_comments.depends());
    let flips = [(escapes, false), (false, nested), (escapes, nested)];
    let tried = if escapes && nested { 3 } else { 1 };
    let flips = flips.into_iter().filter(|flip| *flip != (false, false)).take(tried);
    flips.map(move |(escapes, nested)| Reading {
        escapes: usual.escapes ^ escapes,
        nested: usual.nested ^ nested,
        lenient: true,
    })
}

/// The text up to `end`, which all readings agree on, and a `?` for the rest.
fn truncated(text: &str, end: usize, rules: QueryRules, reading: Reading) -> Known<'_> {
    let mut end = end;
    for _ in 0..MOST_CUTS {
        let certain = &text[..end];
        let (written, findings) = pass(certain, rules, reading);
        // Without what follows it, a token may be read otherwise: what is behind such a one was written as it is.
        if let Some(earlier) = first(findings.cut, written.data).filter(|earlier| *earlier < end) {
            end = earlier;
            continue;
        }
        // A token that ended here only because the text does.
        let text = findings.broken.is_none().then(|| {
            let mut text = written.text.into_owned();
            text.push('?');
            Cow::Owned(text)
        });
        return Known { text, certain, reading, complete: false };
    }
    Known { text: None, certain: &text[..0], reading, complete: false }
}

fn pass(text: &str, rules: QueryRules, reading: Reading) -> (Written<'_>, Findings) {
    let mut tokens = tokens(text, rules, reading);
    let written = write(text, &mut tokens, Guard::new(rules.dialect().grammar()));
    (written, tokens.findings())
}

/// The end of what is certain in a text of which only a part was read.
fn certain_end(findings: &Findings, data: Option<usize>, read: usize) -> usize {
    let ends = [
        findings.first_string,
        findings.cut,
        findings.broken,
        findings.doubtful_escape,
        findings.doubtful_nesting,
        data,
    ];
    ends.into_iter().flatten().fold(read, usize::min)
}

fn first(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether the text has a placeholder for a parameter.
pub(super) fn is_parameterized(text: &str, rules: QueryRules, reading: Reading) -> bool {
    let grammar = rules.dialect().grammar();
    let mut tokens = tokens(text, rules, reading);
    let is_parameter = |token: &Token| {
        token.kind == super::token::Kind::Placeholder
            && match text.as_bytes()[token.start] {
                b'@' => grammar.at_parameters,
                b'?' => grammar.escape_strings != Holds::Always,
                _ => true,
            }
    };
    std::iter::from_fn(|| tokens.next()).any(|token| is_parameter(&token))
}
