//! Texts as rules match them.

use std::fmt;

/// A glob, or a text as it is. Matched without a regular expression, because it cannot fail to compile and takes linear
/// memory.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    is_glob: bool,
}

impl Pattern {
    /// `*` stands for any characters, `?` for one.
    pub(super) fn new(glob: &str) -> Self {
        Self { text: glob.into(), is_glob: true }
    }

    pub(super) fn exact(text: &str) -> Self {
        Self { text: text.into(), is_glob: false }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        if !self.is_glob {
            return *self.text == *text;
        }
        let (glob, text) = (self.text.as_bytes(), text.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where to go on when what follows the last star did not fit.
        let mut retry = None;
        while read < text.len() {
            match glob.get(at) {
                Some(b'*') => {
                    retry = Some((at + 1, read));
                    at += 1;
                }
                Some(b'?') => {
                    at += 1;
                    read += width(text[read]);
                }
                Some(byte) if *byte == text[read] => {
                    at += 1;
                    read += 1;
                }
                _ => match retry {
                    Some((after_star, start)) => {
                        let next = start + width(text[start]);
                        retry = Some((after_star, next));
                        (at, read) = (after_star, next);
                    }
                    None => return false,
                },
            }
        }
        glob[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The bytes of the character that begins with this one.
fn width(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0.. => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    #[test]
    fn stars_and_question_marks_match_and_nothing_else_is_special() {
        for (glob, text, is_match) in [
            ("/health*", "/health/live", true),
            ("/health*", "/api/health", false),
            ("*/health", "/api/health", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*aab", "aaaab", true),
            ("?", "é", true),
            ("??", "é", false),
            ("a.c", "abc", false),
            ("Get*", "GET /", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "abc", true),
        ] {
            assert_eq!(Pattern::new(glob).matches(text), is_match, "{glob} {text}");
        }
        assert!(Pattern::exact("a*").matches("a*") && !Pattern::exact("a*").matches("ab"));
    }

    proptest! {
        #[test]
        fn as_a_regular_expression_would(glob in "[ab*?é]{0,8}", text in "[abé]{0,12}") {
            let pattern: String = glob.chars().map(|character| match character {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => regex::escape(&other.to_string()),
            }).collect();
            let expected = regex::Regex::new(&format!("^{pattern}$")).unwrap().is_match(&text);
            prop_assert_eq!(Pattern::new(&glob).matches(&text), expected);
        }
    }
}
