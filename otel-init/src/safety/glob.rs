//! Patterns with `*` and `?`, for keys and names.

use regex::{RegexSet, RegexSetBuilder};

/// Several globs at once. `*` stands for any characters, `?` for one; case does not matter.
#[derive(Debug, Clone)]
pub(crate) struct Globs(Option<RegexSet>);

impl Globs {
    /// `Err` if they are too large together to be compiled.
    pub(crate) fn new<G: AsRef<str>>(globs: impl IntoIterator<Item = G>) -> Result<Self, regex::Error> {
        let patterns: Vec<_> = globs.into_iter().map(|glob| to_regex(glob.as_ref())).collect();
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        let set = RegexSetBuilder::new(patterns).case_insensitive(true).dot_matches_new_line(true).build()?;
        Ok(Self(Some(set)))
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|set| set.is_match(text))
    }

    /// The first glob, in the order given, that fits.
    pub(super) fn first_match(&self, text: &str) -> Option<usize> {
        let set = self.0.as_ref()?;
        if set.is_match(text) { set.matches(text).iter().next() } else { None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn to_regex(glob: &str) -> String {
    let mut pattern = String::from("^");
    for character in glob.chars() {
        match character {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            other => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    pattern
}

#[cfg(test)]
mod tests {
    use super::Globs;

    #[test]
    fn stars_and_question_marks_match_and_nothing_else_is_special() {
        for (glob, text, is_match) in [
            ("user.*", "user.email", true),
            ("user.*", "users.email", false),
            ("*password*", "db.Password.old", true),
            ("?ser", "user", true),
            ("?ser", "ser", false),
            ("a+b", "a+b", true),
            ("a+b", "aab", false),
            ("/health*", "/health/live", true),
            ("/health*", "/api/health", false),
            ("*", "", true),
            ("a*z", "a\nz", true),
            ("é?", "éa", true),
        ] {
            assert_eq!(Globs::new([glob]).unwrap().is_match(text), is_match, "{glob} {text}");
        }
        let globs = Globs::new(["b*", "a*", "ab*"]).unwrap();
        assert_eq!(globs.first_match("abc"), Some(1));
        assert_eq!(globs.first_match("c"), None);
        assert_eq!(Globs::new([""; 0]).unwrap().first_match(""), None);
    }
}
