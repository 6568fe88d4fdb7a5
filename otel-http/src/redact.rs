//! The secrets in a body's text, told by the names of their keys.

use std::borrow::Cow;

use otel_core::sounds_secret;

const REDACTED: &str = "REDACTED";

/// The text with the values of keys that sound like a secret replaced: of JSON, which need not begin the text, and unless it
/// does, of a form; of a form in parts before that.
pub(crate) fn redact_secrets(text: &str) -> Cow<'_, str> {
    match redact_parts(text) {
        Some(redacted) => Cow::Owned(redact_pairs(&redacted).into_owned()),
        None => redact_pairs(text),
    }
}

/// The parts of `multipart/form-data` whose names, or whatever else their heads say, sound like a secret.
fn redact_parts(text: &str) -> Option<String> {
    // Something may stand before the first part.
    let boundary = text.lines().find(|line| line.starts_with("--"))?;
    let delimiter = format!("\n{}", boundary.trim_end());
    let parts = text.split(&delimiter).map(|part| {
        let blank_lines = ["\r\n\r\n", "\n\n"].into_iter();
        let content = blank_lines.filter_map(|line| Some(part.find(line)? + line.len())).min();
        let (head, content) = part.split_at(content.unwrap_or(part.len()));
        let is_secret = head.to_ascii_lowercase().contains("content-disposition")
            && head.split([';', '"', '=', ' ', '\r', '\n']).any(is_secret_key);
        let line_end = if content.ends_with('\r') { "\r" } else { "" };
        match is_secret && !content.is_empty() {
            true => format!("{head}{REDACTED}{line_end}"),
            false => part.to_owned(),
        }
    });
    Some(parts.collect::<Vec<_>>().join(&delimiter))
}

fn redact_pairs(text: &str) -> Cow<'_, str> {
    let without_json = redact_json(text);
    if text.trim_start().starts_with(['{', '[', '"']) {
        return without_json;
    }
    match redact_form(&without_json) {
        Cow::Owned(redacted) => Cow::Owned(redacted),
        Cow::Borrowed(_) => without_json,
    }
}

fn redact_form(text: &str) -> Cow<'_, str> {
    let is_secret = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| is_secret_key(key));
    if !text.split(['&', '\n']).any(is_secret) {
        return Cow::Borrowed(text);
    }
    let pairs = text.split_inclusive(['&', '\n']).map(|pair| match pair.split_once('=') {
        Some((key, value)) if is_secret_key(key) => {
            let end = value.chars().last().filter(|end| matches!(end, '&' | '\n'));
            format!("{key}={REDACTED}{}", end.map_or(String::new(), String::from))
        }
        _ => pair.to_owned(),
    });
    Cow::Owned(pairs.collect())
}

/// Looks for `"key":` and replaces the value, of an object or a list all that follows, since its end may be cut off; and for
/// strings that hold a text with such a key.
fn redact_json(text: &str) -> Cow<'_, str> {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some((before, after)) = next_secret(rest) {
        redacted.push_str(before);
        redacted.push('"');
        redacted.push_str(REDACTED);
        redacted.push('"');
        rest = after;
    }
    if redacted.is_empty() {
        return Cow::Borrowed(text);
    }
    redacted.push_str(rest);
    Cow::Owned(redacted)
}

/// What stands before the next value that is a secret, and what follows it.
fn next_secret(text: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    while let Some(start) = text[at..].find('"').map(|start| at + start) {
        let is_cut = string_end(&text[start..]).is_none();
        let end = string_end(&text[start..]).map_or(text.len(), |end| start + end);
        let (string, after) = (&text[start + 1..end - usize::from(!is_cut)], &text[end..]);
        if after.trim_start().starts_with(':') && is_secret_key(string) {
            let value = after.trim_start_matches([' ', '\t', '\r', '\n', ':']);
            return Some((&text[..text.len() - value.len()], behind(value)));
        }
        if holds_secret(string) {
            return Some((&text[..start], after));
        }
        at = end;
    }
    None
}

/// What follows a value.
fn behind(value: &str) -> &str {
    match value.as_bytes().first() {
        Some(b'"') => string_end(value).map_or("", |end| &value[end..]),
        Some(b'{' | b'[') => "",
        _ => value.find([',', '}', ']']).map_or("", |end| &value[end..]),
    }
}

/// Whether a string, as it stands in JSON, holds JSON, a form or a URL with a key that sounds like a secret.
fn holds_secret(string: &str) -> bool {
    let quoted: Vec<_> = string.split('"').map(|part| part.trim_end_matches('\\')).collect();
    // Blanks may be escaped, and those before a colon too.
    let is_colon = |text: &str| text.trim_start_matches([' ', '\\', 'n', 'r', 't']).starts_with(':');
    let in_json = |pair: &[&str]| is_colon(pair[1]) && is_secret_key(pair[0]);
    let in_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| sounds_secret(&with_hyphens(key)));
    quoted.windows(2).any(in_json)
        || string.split("\\n").flat_map(|line| line.split([' ', '?', '&', '#', ';'])).any(in_pair)
}

/// Where a string that begins with a quotation mark ends; `None` if it was cut.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A key with escapes is not read, and so taken for a secret.
fn is_secret_key(key: &str) -> bool {
    key.contains(['\\', '%']) || sounds_secret(&with_hyphens(key.trim()))
}

/// `access_key` and `accessKey` with a hyphen between their words, as in the names of headers.
fn with_hyphens(key: &str) -> String {
    let mut hyphenated = String::with_capacity(key.len() + 4);
    let mut after_lower_case = false;
    for letter in key.chars() {
        if after_lower_case && letter.is_ascii_uppercase() {
            hyphenated.push('-');
        }
        after_lower_case = letter.is_ascii_lowercase();
        hyphenated.push(if letter == '_' { '-' } else { letter });
    }
    hyphenated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_replaced() {
        for (text, expected) in [
            (r#"{"name":"Ada","password":"hunter2","n":1}"#, r#"{"name":"Ada","password":"REDACTED","n":1}"#),
            (r#"{"api_key" : "a\"b", "x": [1]}"#, r#"{"api_key" : "REDACTED", "x": [1]}"#),
            (r#"{"token":12345,"x":1}"#, r#"{"token":"REDACTED","x":1}"#),
            (r#"{"secrets":{"a":"b"},"x":1}"#, r#"{"secrets":"REDACTED""#),
            (r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"REDACTED"}"#),
            (r#"{"password":"cut off in the mid"#, r#"{"password":"REDACTED""#),
            (r#"["password", "x"]"#, r#"["password", "x"]"#),
            (r#"{"accessKey":"a","monkey":"b"}"#, r#"{"accessKey":"REDACTED","monkey":"b"}"#),
            // What keeps browsers from running an answer as a script, a mark of the byte order, a call.
            (")]}',\n{\"token\":\"x\"}", ")]}',\n{\"token\":\"REDACTED\"}"),
            ("\u{feff}{\"token\":\"x\"}", "\u{feff}{\"token\":\"REDACTED\"}"),
            ("go({\"token\":\"x\"})", "go({\"token\":\"REDACTED\"})"),
            // Texts within texts.
            (r#"{"a":"{\"password\" : \"x\"}","b":1}"#, r#"{"a":"REDACTED","b":1}"#),
            (r#"{"a":"{\"b\":\"{\\\"apiKey\\\":7}\"}","c":2}"#, r#"{"a":"REDACTED","c":2}"#),
            (r#"{"a":"{\"password\":\"cut off in the mid"#, r#"{"a":"REDACTED""#),
            (r#"{"a":"{\"password\"\n: \"x\"}","b":1}"#, r#"{"a":"REDACTED","b":1}"#),
            (r#"{"a":"user=ada&password=x"}"#, r#"{"a":"REDACTED"}"#),
            (r#"{"a":"https://shop.example/reset?token=x#top"}"#, r#"{"a":"REDACTED"}"#),
            (r#"{"a":"first\nsession_id=x"}"#, r#"{"a":"REDACTED"}"#),
            (
                r#"{"a":"the \"password\" is x","b":"x = token"}"#,
                r#"{"a":"the \"password\" is x","b":"x = token"}"#,
            ),
            (r#"x={"token":"y"}&pin_token=7"#, r#"x={"token":"REDACTED"}&pin_token=REDACTED"#),
            ("user=ada&password=hunter2&x=1", "user=ada&password=REDACTED&x=1"),
            ("session_id=7", "session_id=REDACTED"),
            (
                "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nada\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x--\r\n",
                "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nada\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nREDACTED\r\n--x--\r\n",
            ),
            ("plain text", "plain text"),
            ("---\ntitle: a token\n\nbought", "---\ntitle: a token\n\nbought"),
        ] {
            assert_eq!(redact_secrets(text), expected, "{text}");
        }
    }

    #[test]
    fn wherever_a_body_is_cut_its_secrets_are_hidden() {
        for text in [
            r#"{"é":1,"password":"hunter2","b":["x"]}"#,
            r#"{"a":"{\"password\":\"hunter2\"}","é":1}"#,
            r#"{"a":"é{\"b\":\"{\\\"password\\\" : \\\"hunter2\\\"}\"}"}"#,
            r#"{"a":"é https://shop.example/?password=hunter2"}"#,
            "é=1&password=hunter2&b=1",
            "--x\r\nContent-Disposition: form-data; filename=\"é\"; name=password\r\n\r\nhunter2\r\n\r\nhunter2\r\n--x--",
            "--x\nContent-Disposition: form-data; name=\"p%61ssword\"\n\nhunter2\n--x--",
            "\r\n--x\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--x--",
        ] {
            for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                let redacted = redact_secrets(&text[..end]);
                assert!(!redacted.contains("hu"), "{redacted}");
            }
        }
    }
}
