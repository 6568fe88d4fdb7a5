//! Patterns with stars and question marks.

/// Whether `text` is like `pattern`, in which `*` stands for any text and `?` for one character. Case makes no difference in
/// ASCII. It looks back to the last star only, so the time is bounded by the product of both lengths.
///
/// ```
/// use otel_core::glob_matches;
/// assert!(glob_matches("x-*-id", "X-Request-Id"));
/// assert!(!glob_matches("x-?", "x-"));
/// ```
#[must_use]
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |one, other| one.eq_ignore_ascii_case(&other))
}

/// Like [`glob_matches`], but case makes a difference.
///
/// ```
/// use otel_core::glob_matches_case;
/// assert!(glob_matches_case("GET /users/*", "GET /users/42"));
/// assert!(!glob_matches_case("Get *", "GET /users/42"));
/// ```
#[must_use]
pub fn glob_matches_case(pattern: &str, text: &str) -> bool {
    matches(pattern, text, |one, other| one == other)
}

fn matches(pattern: &str, text: &str, is_same: impl Fn(u8, u8) -> bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Where to go on when what follows the last star did not fit.
    let mut retry = None;
    while read < text.len() {
        match (pattern.get(at), retry) {
            (Some(b'*'), _) => {
                retry = Some((at + 1, read));
                at += 1;
            }
            (Some(b'?'), _) => {
                at += 1;
                read += width(text[read]);
            }
            (Some(wanted), _) if is_same(*wanted, text[read]) => {
                at += 1;
                read += 1;
            }
            (_, Some((after_star, start))) => {
                let next = start + width(text[start]);
                retry = Some((after_star, next));
                (at, read) = (after_star, next);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
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

    use super::{glob_matches, glob_matches_case};

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("x-test", "x-test", true),
            ("x-*", "x-test", true),
            ("X-tes?", "x-test", true),
            ("*-bin", "request-id-bin", true),
            ("*a*b", "aab", true),
            ("*", "", true),
            ("**", "abc", true),
            ("", "", true),
            ("?", "é", true),
            ("?é?", "éÉ", false),
            ("", "a", false),
            ("??", "é", false),
            ("x-?", "x-", false),
            ("x", "x-test", false),
            ("a.c", "abc", false),
            ("*a*b", "aac", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(glob_matches("Get*", "GET /") && !glob_matches_case("Get*", "GET /"));
    }

    proptest! {
        #[test]
        fn as_a_regular_expression_would(glob in "[abA*?é]{0,8}", text in "[abBé]{0,12}") {
            let pattern: String = glob.chars().map(|character| match character {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => regex::escape(&other.to_string()),
            }).collect();
            let is_match = |flags: &str| {
                regex::Regex::new(&format!("{flags}^{pattern}$")).unwrap().is_match(&text)
            };
            prop_assert_eq!(glob_matches_case(&glob, &text), is_match(""));
            prop_assert_eq!(glob_matches(&glob, &text), is_match("(?i)"));
        }
    }
}
