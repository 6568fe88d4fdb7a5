//! Texts as rules match them.

use std::fmt;

use otel_core::glob_matches_case;

/// A glob, or a text as it is.
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
        if self.is_glob { glob_matches_case(&self.text, text) } else { *self.text == *text }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_glob_has_stars_and_a_text_is_exact() {
        assert!(Pattern::new("/health*").matches("/health/live"));
        assert!(!Pattern::new("Get*").matches("GET /"));
        assert!(Pattern::exact("a*").matches("a*") && !Pattern::exact("a*").matches("ab"));
    }
}
