//! YAML as a tree that knows its lines.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::error::FileError;
use super::substitute::substitute;

/// More than any configuration has. It bounds what aliases of aliases can make of a small file.
const MOST_NODES: usize = 100_000;
const DEEPEST: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) value: Yaml,
}

#[derive(Debug, Clone)]
pub(super) enum Yaml {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file; the number is the line of the key.
    Map(Vec<(String, usize, Node)>),
}

/// A text whose type is for the reader to find out.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Not quoted, so it may be a number.
    pub(super) is_plain: bool,
    /// A variable is in it: nobody can quote it to say that it is a text.
    pub(super) is_substituted: bool,
}

/// The types of the core schema of YAML 1.2.
impl Scalar {
    pub(super) fn is_text(&self) -> bool {
        self.boolean().is_none() && self.number().is_none()
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        let text = self.text.as_str();
        if let Some(hex) = text.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16).ok();
        }
        if let Some(octal) = text.strip_prefix("0o") {
            return i64::from_str_radix(octal, 8).ok();
        }
        text.parse().ok()
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self.text.as_str() {
            ".inf" | ".Inf" | ".INF" | "+.inf" => Some(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
            // Rust reads `inf`, `nan` and `infinity` too, YAML does not.
            text if text.contains(|character: char| character.is_ascii_digit()) => self
                .integer()
                .and_then(|integer| integer.to_string().parse().ok())
                .or_else(|| text.parse().ok()),
            _ => None,
        }
    }
}

/// Reads one document. References to variables are replaced in scalars, so no variable can change the structure. The second
/// value is what looks like a mistake.
pub(super) fn parse(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(Node, Vec<String>), FileError> {
    let parser = Parser::new_from_str(text);
    let mut builder =
        Builder { text, parser, lookup, anchors: HashMap::new(), count: 0, warnings: Vec::new() };
    let mut document = None;
    loop {
        match builder.next()? {
            (Event::StreamEnd, _) => break,
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            (Event::DocumentStart(_), span) if document.is_some() => {
                return Err(FileError::at(span.start.line(), "there is a second document"));
            }
            (Event::DocumentStart(_), _) => {
                let (event, span) = builder.next()?;
                document = Some(builder.node(event, span, 0)?);
            }
            (_, span) => return Err(FileError::at(span.start.line(), "this does not belong here")),
        }
    }
    let document = document.ok_or_else(|| FileError::at(1, "the file is empty"))?;
    Ok((document, builder.warnings))
}

struct Builder<'input, 'lookup> {
    text: &'input str,
    parser: Parser<'input, StrInput<'input>>,
    lookup: &'lookup dyn Fn(&str) -> Option<String>,
    anchors: HashMap<usize, Node>,
    count: usize,
    warnings: Vec<String>,
}

impl<'input> Builder<'input, '_> {
    fn next(&mut self) -> Result<(Event<'input>, Span), FileError> {
        match self.parser.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(FileError::at(error.marker().line(), self.hinted(&error))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// What the parser says, and what it cannot know.
    fn hinted(&self, error: &ScanError) -> String {
        let line = self.text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
        let has_reference = line.contains("${") && line.contains(['{', '[']);
        let hint = if has_reference { "; a ${..} inside of { } or [ ] is to be quoted" } else { "" };
        format!("{}{hint}", error.info())
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, FileError> {
        let line = span.start.line();
        if depth > DEEPEST {
            return Err(FileError::at(line, "it is nested too deeply"));
        }
        self.counted(1, line)?;
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| FileError::at(line, "this anchor is not known"))?;
                self.counted(size(&node), line)?;
                return Ok(Node { line, value: node.value });
            }
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag, line)?),
            Event::SequenceStart(anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => return Err(FileError::at(line, "a value is expected here")),
        };
        let node = Node { line, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn counted(&mut self, more: usize, line: usize) -> Result<(), FileError> {
        self.count += more;
        if self.count > MOST_NODES { Err(FileError::at(line, "the file is too large")) } else { Ok(()) }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        line: usize,
    ) -> Result<Yaml, FileError> {
        let substituted = substitute(text, self.lookup).map_err(|reference| {
            FileError::at(
                line,
                format!(
                    "{reference} is no reference to a variable, expected ${{NAME}} or ${{NAME:-default}}"
                ),
            )
        })?;
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        let is_plain = style == ScalarStyle::Plain && !is_text;
        // "Node types MUST be interpreted after environment variable substitution takes place."
        if is_plain && ["", "~", "null", "Null", "NULL"].contains(&&*substituted.text) {
            return Ok(Yaml::Null);
        }
        // A value that is nothing but a variable that is not set is none, which templates make use of.
        if !substituted.text.is_empty() {
            self.warnings.extend(substituted.unset.iter().map(|name| {
                format!("line {line}: {name} is not set, and nothing stands in its place; write ${{{name}:-}} if it should")
            }));
        }
        let is_substituted = substituted.is_substituted;
        Ok(Yaml::Scalar(Scalar { text: substituted.text, is_plain, is_substituted }))
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, FileError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Yaml::List(items)),
                (event, span) => {
                    let index = items.len();
                    let item = self.node(event, span, depth + 1);
                    items.push(item.map_err(|error| error.below(&format!("[{index}]")))?);
                }
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, FileError> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let mut keys = HashSet::new();
        loop {
            let (key, line) = match self.next()? {
                (Event::MappingEnd, _) => break,
                // "Mapping keys are not candidates for substitution."
                (Event::Scalar(key, ..), span) => (key.into_owned(), span.start.line()),
                (_, span) => return Err(FileError::at(span.start.line(), "a key must be a text")),
            };
            let value = self.next().and_then(|(event, span)| self.node(event, span, depth + 1));
            let value = value.map_err(|error| error.below(&key))?;
            if key == "<<" {
                merged.push((line, value));
            } else if keys.insert(key.clone()) {
                entries.push((key, line, value));
            } else {
                return Err(FileError::at(line, "the key is there twice").below(&key));
            }
        }
        // The merge key of YAML 1.1, which the specification's own examples use: what stands in the map itself wins.
        for (line, value) in merged {
            let Yaml::Map(others) = value.value else {
                return Err(FileError::at(line, "<< expects a map"));
            };
            entries.extend(others.into_iter().filter(|(key, ..)| keys.insert(key.clone())));
        }
        Ok(Yaml::Map(entries))
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Yaml::Null | Yaml::Scalar(_) => 1,
        Yaml::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Yaml::Map(entries) => 1 + entries.iter().map(|(_, _, value)| size(value)).sum::<usize>(),
    }
}
