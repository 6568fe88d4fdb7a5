//! Texts that strangers choose.

/// Longer texts are cut: a caller must not fill the export queue with one header.
const MAX_LENGTH: usize = 8 * 1024;

/// The first 8 KiB of a text that a stranger chose, cut between characters.
///
/// ```
/// assert_eq!(otel_core::bounded("curl/8.7.1"), "curl/8.7.1");
/// assert_eq!(otel_core::bounded(&"a".repeat(10_000)).len(), 8 * 1024);
/// ```
#[must_use]
pub fn bounded(text: &str) -> &str {
    if text.len() <= MAX_LENGTH {
        return text;
    }
    let cut = (0..=MAX_LENGTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..cut]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "é".repeat(MAX_LENGTH);
        assert_eq!(bounded(&text).len(), MAX_LENGTH);
        assert_eq!(bounded("short"), "short");
        assert!(bounded(&format!("a{text}")).len() < MAX_LENGTH);
    }
}
