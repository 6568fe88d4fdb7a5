//! Queries that are JSON: the bodies of Elasticsearch and OpenSearch, alone or a line each, and commands of MongoDB.
//!
//! ```
//! use otel_db::query_text::json;
//!
//! let body = r#"{"query": {"terms": {"user.name": ["ada", "grace"]}}, "size": 10}"#;
//! assert_eq!(json::sanitize(body).unwrap(), r#"{"query":{"terms":{"user.name":["?"]}},"size":"?"}"#);
//! ```

use super::reading::MOST_BYTES;

/// The document, or several, with `"?"` for all strings, numbers and booleans. Names of fields are kept as long as they
/// look like names; equal neighbours in an array become one. Spaces between the pieces go.
///
/// `None` for what is no JSON, deeper than 64 levels, or longer than 32 KiB.
#[must_use]
pub fn sanitize(text: &str) -> Option<String> {
    Sanitizer::new(text, false)?.documents()
}

/// As [`sanitize`], for a command of MongoDB: what it works on stays, `{"find":"orders","filter":{"total":"?"}}`.
pub(super) fn sanitize_command(text: &str) -> Option<String> {
    Sanitizer::new(text, true)?.documents()
}

/// Deeper documents are left out; it bounds the stack.
const DEEPEST: usize = 64;

struct Sanitizer<'a> {
    text: &'a [u8],
    at: usize,
    out: String,
    is_command: bool,
}

impl<'a> Sanitizer<'a> {
    fn new(text: &'a str, is_command: bool) -> Option<Self> {
        let out = String::with_capacity(text.len().min(MOST_BYTES));
        (text.len() <= MOST_BYTES).then_some(Self { text: text.as_bytes(), at: 0, out, is_command })
    }

    fn documents(mut self) -> Option<String> {
        self.value(0)?;
        while self.peek().is_some() {
            self.out.push('\n');
            self.value(0)?;
        }
        Some(self.out)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                self.string()?;
                self.out.push_str("\"?\"");
                Some(())
            }
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.take(b'{')?;
        self.out.push('{');
        let mut first = true;
        while self.peek()? != b'}' {
            if !first {
                self.take(b',')?;
                self.out.push(',');
            }
            self.peek().filter(|next| *next == b'"')?;
            let name = self.string()?;
            self.out.push('"');
            self.out.push_str(if is_name(name) { name } else { "?" });
            self.out.push_str("\":");
            self.take(b':')?;
            if self.is_command && depth == 0 && self.names_target(name, first) {
                self.kept()?;
            } else {
                self.value(depth + 1)?;
            }
            first = false;
        }
        self.take(b'}')?;
        self.out.push('}');
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        self.out.push('[');
        let begin = self.out.len();
        let mut last = begin..begin;
        let mut first = true;
        while self.peek()? != b']' {
            if !first {
                self.take(b',')?;
            }
            let written = self.out.len();
            if last.start < last.end {
                self.out.push(',');
            }
            let start = self.out.len();
            self.value(depth + 1)?;
            if last.start < last.end && self.out[last.clone()] == self.out[start..] {
                self.out.truncate(written);
            } else {
                last = start..self.out.len();
            }
            first = false;
        }
        self.take(b']')?;
        self.out.push(']');
        Some(())
    }

    /// A number, `true`, `false`; `null` is no value.
    fn scalar(&mut self) -> Option<()> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.'))
        {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        let number = matches!(word.first()?, b'0'..=b'9' | b'-');
        match word {
            b"null" => self.out.push_str("null"),
            b"true" | b"false" => self.out.push_str("\"?\""),
            _ if number => self.out.push_str("\"?\""),
            _ => return None,
        }
        Some(())
    }

    /// The content of a string as it is written, with its escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        let content = std::str::from_utf8(self.text.get(start..self.at)?).ok()?;
        self.at += 1;
        Some(content)
    }

    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        self.peek().filter(|next| *next == expected)?;
        self.at += 1;
        Some(())
    }

    /// The value of the command itself, which is a collection, of `getMore`'s collection, and of the database.
    fn names_target(&self, name: &str, first: bool) -> bool {
        (first && COMMANDS.contains(&name)) || matches!(name, "$db" | "collection")
    }

    fn kept(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return self.value(1);
        }
        let name = self.string()?;
        self.out.push('"');
        self.out.push_str(if is_name(name) { name } else { "?" });
        self.out.push('"');
        Some(())
    }
}

/// The commands of MongoDB whose value is the name of a collection.
const COMMANDS: [&str; 19] = [
    "find",
    "insert",
    "update",
    "delete",
    "aggregate",
    "count",
    "distinct",
    "findAndModify",
    "findandmodify",
    "create",
    "createIndexes",
    "drop",
    "dropIndexes",
    "listIndexes",
    "mapReduce",
    "collStats",
    "collMod",
    "validate",
    "compact",
];

/// Whether it looks like the name of a field or a collection, and not like data: no address, no number, no sentence.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 128
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b'$'))
        && bytes.all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b'-' | b'*' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_fields_stay() {
        let cases = [
            (
                r#"{"a": 1, "b": -1.5e3, "c": true, "d": null, "e": "x\"y"}"#,
                r#"{"a":"?","b":"?","c":"?","d":null,"e":"?"}"#,
            ),
            (r#"[1, "a", true, [2], {"b": []}]"#, r#"["?",["?"],{"b":[]}]"#),
            (r#"[{"a": 1}, {"a": 2}, {"b": 3}]"#, r#"[{"a":"?"},{"b":"?"}]"#),
            (
                r#"{"ada@example.com": 1, "4111111111111111": 2, "a b": 3, "x.y-z[0]": 4}"#,
                r#"{"?":"?","?":"?","?":"?","x.y-z[0]":"?"}"#,
            ),
            (
                "{\"index\": {\"_id\": \"7\"}}\n{\"name\": \"ada\"}\n",
                "{\"index\":{\"_id\":\"?\"}}\n{\"name\":\"?\"}",
            ),
            (r#""x""#, r#""?""#),
        ];
        for (text, expected) in cases {
            assert_eq!(sanitize(text).as_deref(), Some(expected), "{text}");
            assert_eq!(sanitize(expected).as_deref(), Some(expected), "{text}, twice");
        }
    }

    #[test]
    fn what_is_no_json_is_left_out() {
        let deep = "[".repeat(100);
        let long = format!("\"{}\"", "x".repeat(MOST_BYTES));
        for text in [
            "",
            "{",
            "[1",
            "\"a",
            "\"a\\",
            "{a: 1}",
            "{'a': 1}",
            "secret",
            "{\"a\" 1}",
            "[1 2]",
            "{\"a\": \u{0}}",
            &deep,
            &long,
        ] {
            assert_eq!(sanitize(text), None, "{text}");
        }
    }
}
