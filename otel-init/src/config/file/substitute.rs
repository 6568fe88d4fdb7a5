//! `${VAR}` and `${VAR:-default}` in scalars.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution>

/// A text after the substitution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Whether a variable, or its default, is in it.
    pub(super) is_substituted: bool,
    /// The variables that are not set and have no default.
    pub(super) unset: Vec<String>,
}

/// Replaces the references. The error is the beginning of the reference that is none.
pub(super) fn substitute(
    input: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Substituted, String> {
    let mut output =
        Substituted { text: String::with_capacity(input.len()), is_substituted: false, unset: Vec::new() };
    // "identifying the next escape sequence, and matching the content since the prior escape sequence".
    for (index, part) in input.split("$$").enumerate() {
        if index > 0 {
            output.text.push('$');
        }
        replace(part, lookup, &mut output)?;
    }
    Ok(output)
}

/// A part of the input without escapes.
fn replace(
    part: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    output: &mut Substituted,
) -> Result<(), String> {
    let mut rest = part;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        output.text.push_str(before);
        let body = reference.get(2..).unwrap_or_default();
        let Some(length) = end_of(body) else {
            // Never closed, so no reference.
            output.text.push_str(reference);
            return Ok(());
        };
        let (inner, after) = body.split_at(length);
        let (name, default) = parts(inner).ok_or_else(|| shown(inner))?;
        // "substituted if ENV-NAME is null, empty, or undefined".
        let value = lookup(name).filter(|value| !value.is_empty());
        match value.as_deref().or(default) {
            Some(value) => output.text.push_str(value),
            None => output.unset.push(name.to_owned()),
        }
        output.is_substituted = true;
        rest = after.get(1..).unwrap_or_default();
    }
    output.text.push_str(rest);
    Ok(())
}

/// Where the reference ends. A default may itself look like a reference, and is then taken as it is, up to its own
/// brace: `${A:-${B}}` is the default `${B}`.
fn end_of(body: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let bytes = body.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if index > 0 && bytes.get(index - 1) == Some(&b'$') => depth += 1,
            b'}' if depth == 0 => return Some(index),
            b'}' => depth -= 1,
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

/// A reference that is none, up to where it goes wrong: what follows may be a default, and that a secret.
fn shown(inner: &str) -> String {
    let end = inner.find(|character: char| !character.is_ascii_alphanumeric() && !"_:".contains(character));
    match end {
        Some(end) => format!("${{{}..}}", inner.split_at(end).0),
        None => format!("${{{inner}}}"),
    }
}

/// The name and the default of a reference that is one.
fn parts(inner: &str) -> Option<(&str, Option<&str>)> {
    let inner = inner.strip_prefix("env:").unwrap_or(inner);
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let mut characters = name.chars();
    let is_start = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let is_name = is_start && characters.all(|other| other.is_ascii_alphanumeric() || other == '_');
    is_name.then_some((name, default))
}

#[cfg(test)]
mod tests {
    use super::substitute;

    fn lookup(name: &str) -> Option<String> {
        let value = match name {
            "STRING_VALUE" => "value",
            "INT_VALUE" => "1",
            "FLOAT_VALUE" => "1.1",
            "INVALID_MAP_VALUE" => "value\nkey:value",
            "DO_NOT_REPLACE_ME" => "Never use this value",
            "REPLACE_ME" => "${DO_NOT_REPLACE_ME}",
            "VALUE_WITH_ESCAPE" => "value$$",
            "EMPTY" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_table_of_the_specification_holds() {
        for (input, expected) in [
            ("${STRING_VALUE}", "value"),
            ("${env:STRING_VALUE}", "value"),
            ("${INVALID_MAP_VALUE}", "value\nkey:value"),
            ("foo ${STRING_VALUE} ${FLOAT_VALUE}", "foo value 1.1"),
            ("${UNDEFINED_KEY}", ""),
            ("${EMPTY:-fallback}", "fallback"),
            ("${UNDEFINED_KEY:-fallback}", "fallback"),
            ("${UNDEFINED_KEY:-}", ""),
            ("${REPLACE_ME}", "${DO_NOT_REPLACE_ME}"),
            ("${UNDEFINED_KEY:-${STRING_VALUE}}", "${STRING_VALUE}"),
            ("$${STRING_VALUE}", "${STRING_VALUE}"),
            ("$$${STRING_VALUE}", "$value"),
            ("$$$${STRING_VALUE}", "$${STRING_VALUE}"),
            ("$${STRING_VALUE:-fallback}", "${STRING_VALUE:-fallback}"),
            ("$${STRING_VALUE:-${STRING_VALUE}}", "${STRING_VALUE:-value}"),
            ("${UNDEFINED_KEY:-$${UNDEFINED_KEY}}", "${UNDEFINED_KEY:-${UNDEFINED_KEY}}"),
            ("${VALUE_WITH_ESCAPE}", "value$$"),
            ("a $$ b", "a $ b"),
            ("a $ b", "a $ b"),
            ("${INT_VALUE", "${INT_VALUE"),
            ("http://${STRING_VALUE:-http://x}/v1", "http://value/v1"),
        ] {
            assert_eq!(substitute(input, &lookup).unwrap().text, expected, "{input}");
        }
    }

    #[test]
    fn variables_that_are_not_set_are_named() {
        let of = |input| substitute(input, &lookup).unwrap().unset;
        assert_eq!(of("Bearer ${TOKEN}, ${EMPTY}"), ["TOKEN", "EMPTY"]);
        assert!(of("${STRING_VALUE} ${TOKEN:-} $${TOKEN}").is_empty());
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for input in ["${STRING_VALUE:?error}", "${1API_KEY}", "${API_$KEY}", "${}", "a ${ b} c"] {
            assert!(substitute(input, &lookup).is_err(), "{input}");
        }
    }

    #[test]
    fn what_follows_a_mistake_is_not_shown() {
        for (input, shown) in [
            ("${TOKEN:?hunter2}", "${TOKEN:..}"),
            ("${TOKEN-hunter2}", "${TOKEN..}"),
            ("Bearer ${env:TOKEN:=hunter2}", "${env:TOKEN:..}"),
            ("${1TOKEN}", "${1TOKEN}"),
        ] {
            assert_eq!(substitute(input, &lookup).unwrap_err(), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(input in ".{0,60}", value in ".{0,20}") {
            let _ = substitute(&input, &|_| Some(value.clone()));
        }
    }
}
