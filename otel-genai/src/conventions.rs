//! Which state of the conventions is emitted.

use std::env;

/// The state of the GenAI conventions that is emitted. They are all in development, and are being renamed.
///
/// | | |
/// |---|---|
/// | [`V1_41`](Self::V1_41) | the last release before they moved into a repository of their own; what most backends read |
/// | [`Latest`](Self::Latest) | that repository as of October 2026, with what its first release, 0.1.0, has changed since |
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum GenAiConventions {
    /// Semantic conventions 1.41.1: the default.
    #[default]
    V1_41,
    /// The later conventions: other metrics, `cache_write` for `cache_creation`, tokens by modality, plans and memory.
    Latest,
}

impl GenAiConventions {
    /// What `OTEL_SEMCONV_STABILITY_OPT_IN` says, now.
    #[must_use]
    pub fn from_env() -> Self {
        env::var("OTEL_SEMCONV_STABILITY_OPT_IN").map_or(Self::default(), |value| Self::from_opt_in(&value))
    }

    /// What a value of `OTEL_SEMCONV_STABILITY_OPT_IN` says: a list with commas, in which
    /// `gen_ai_latest_experimental` means [`Latest`](Self::Latest).
    ///
    /// ```
    /// # use otel_genai::GenAiConventions;
    /// assert_eq!(GenAiConventions::from_opt_in("http, gen_ai_latest_experimental"), GenAiConventions::Latest);
    /// assert_eq!(GenAiConventions::from_opt_in("http/dup"), GenAiConventions::V1_41);
    /// ```
    #[must_use]
    pub fn from_opt_in(list: &str) -> Self {
        match list.split(',').any(|item| item.trim() == "gen_ai_latest_experimental") {
            true => Self::Latest,
            false => Self::V1_41,
        }
    }

    pub(crate) const fn is_latest(self) -> bool {
        matches!(self, Self::Latest)
    }

    /// The schema of what is emitted; the later conventions have published none.
    pub(crate) const fn schema_url(self) -> Option<&'static str> {
        match self {
            Self::V1_41 => Some("https://opentelemetry.io/schemas/1.41.1"),
            Self::Latest => None,
        }
    }
}
