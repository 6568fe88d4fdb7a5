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
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match (pattern.get(at_pattern), star) {
            (Some(b'*'), _) => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            (Some(wanted), _) if *wanted == b'?' || wanted.eq_ignore_ascii_case(&text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            (_, Some((star_pattern, star_text))) => {
                star = Some((star_pattern, star_text + 1));
                at_pattern = star_pattern + 1;
                at_text = star_text + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at_pattern..].iter().all(|left| *left == b'*')
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("x-test", "x-test", true),
            ("x-*", "x-test", true),
            ("X-tes?", "x-test", true),
            ("*-bin", "request-id-bin", true),
            ("*a*b", "aab", true),
            ("*", "", true),
            ("x-?", "x-", false),
            ("x", "x-test", false),
            ("*a*b", "aac", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
