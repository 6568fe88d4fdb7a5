//! How a value of the configuration is shown in a message: quoted, shortened, and not at all where it may be a secret.

use std::sync::LazyLock;

use crate::safety::{Redactor, SafetySettings};

/// Characters of a value that are enough to find it by.
const MOST: usize = 60;

/// A value that is refused, quoted and not too long. A secret that came to the wrong place is not shown.
pub(crate) fn shown(value: &str) -> String {
    if may_be_secret(value) {
        return "what may be a secret".to_owned();
    }
    match value.char_indices().nth(MOST) {
        Some((end, _)) => {
            let (beginning, rest) = value.split_at(end);
            format!("{beginning:?} and {} characters more", rest.chars().count())
        }
        None => format!("{value:?}"),
    }
}

fn may_be_secret(value: &str) -> bool {
    static SECRETS: LazyLock<Option<Redactor>> = LazyLock::new(|| SafetySettings::default().redactor().ok());
    value.split(|character: char| !character.is_ascii_alphanumeric()).any(is_token)
        || SECRETS.as_ref().is_some_and(|secrets| secrets.text(value).is_some())
}

/// Words have no digits, numbers no letters, and what has both is short: keys and tokens are not.
fn is_token(run: &str) -> bool {
    run.len() >= 16
        && run.bytes().any(|byte| byte.is_ascii_digit())
        && run.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_may_be_a_secret_is_not_shown_and_words_are() {
        for secret in [
            "Bearer hunter2-and-more",
            "Authorization: Bearer hunter2-and-more",
            "http://user:hunter2@collector:4318",
            "a,api-key=hunter2hunter2",
            "password=hunter2hunter2",
            "dd0c5a1e93b14f2e8a7c",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(shown(secret), "what may be a secret", "{secret}");
        }
        for plain in
            ["5s", "base2_exponential_bucket_histogramm", "18446744073709551616", "http/json ", "a=b"]
        {
            assert_eq!(shown(plain), format!("{plain:?}"));
        }
        assert_eq!(shown("a\nb"), r#""a\nb""#);
        assert_eq!(shown(&"é".repeat(100)), format!("\"{}\" and 40 characters more", "é".repeat(60)));
    }
}
