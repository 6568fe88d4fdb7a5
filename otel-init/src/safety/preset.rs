//! What the presets look for. The test beside this file counts hits and misses form by form.

use super::action::Redact;

/// A form of a value and what becomes of it.
pub(super) struct Form {
    pub(super) pattern: &'static str,
    pub(super) action: fn() -> Redact,
    /// What a pattern cannot say, such as a check digit.
    pub(super) check: Option<fn(&str) -> bool>,
}

impl Form {
    const fn masked(pattern: &'static str) -> Self {
        Self { pattern, action: || Redact::Mask, check: None }
    }

    /// Keeps the first group, and the second where there is one: what stands around the secret.
    const fn behind(pattern: &'static str) -> Self {
        Self { pattern, action: || Redact::replace("${1}REDACTED${2}"), check: None }
    }

    const fn checked(self, check: fn(&str) -> bool) -> Self {
        Self { check: Some(check), ..self }
    }
}

/// Keys whose values are secrets.
pub(super) const SECRET_KEYS: &str = concat!(
    r"(?i)passw(or)?d|passphrase|passcode|pwd$|secret|credential|authorization|cookie",
    r"|(api|access|private|signing|encryption|account|shared|master)[._-]?key($|[._-]?(value|material|pem)$)",
    r"|token$|token[._-]?value$|jwt|csrf|xsrf|bearer|session[._-]?(key|token)|sessionid",
    r"|connection[._-]?string|(^|[._-])(otp|pin|cvv|cvc)$",
);

/// Names of the semantic conventions that only look like secrets.
pub(super) const NO_SECRET_KEYS: &[&str] =
    &["aws.secretsmanager.secret.arn", "k8s.secret.name", "k8s.secret.uid"];

/// No secret that a preset knows is shorter, so shorter values are not looked at.
pub(super) const SHORTEST_SECRET: usize = 6;

/// Nor is one that has no `:` and no `=`: "basic", a space, and eight characters.
pub(super) const SHORTEST_BARE_SECRET: usize = 14;

/// What is behind a name that sounds like a secret, or behind one of these others, and `:` or `=`. The first group begins
/// before the name.
macro_rules! named {
    ($value:literal) => {
        named!("", $value)
    };
    ($others:literal, $value:literal) => {
        concat!(
            "(?i)((?:",
            $others,
            r#"passw(?:or)?d|passphrase|(?-u:\b)pwd|secret|(?:api|access|private|account|signing)[_-]?key|"#,
            r#"(?:access|auth|refresh|id|session|security|bearer|csrf|xsrf|api)?[_-]?token|sessionid|credential|"#,
            r#"x-(?:amz|goog)-signature|(?-u:\b)signature|(?-u:\b)sig)["'\\]*\s*[:=]\s*"#,
            $value
        )
    };
}

/// Values that are secrets whatever their key.
pub(super) const SECRET_FORMS: &[Form] = &[
    // Whole header lines, before the parts in them.
    Form::behind(
        r#"(?i)((?-u:\b)(?:set-cookie|cookie|authorization|proxy-authorization|x-api-key)["']?\s*[:=]\s*(?:\[\s*)?["']?)[^\r\n"']+()"#,
    ),
    // Whole lists, before what is in them. A bracket within quotes does not end one.
    Form::behind(named!(
        r"(?-u:\b)(?:set-cookie|cookie|authorization|proxy-authorization|x-api-key)|",
        r#"\[\s*)(?:\\+"[^\\"]*(?:\\+"|$)|"(?:[^\\"]|\\.)*(?:"|$)|'[^']*(?:'|$)|[^\\\]"'])+()"#
    )),
    Form::behind(r"(?i)((?-u:\b)(?:bearer|basic|negotiate)\s+)[a-z0-9._~+/=-]{8,}()").checked(is_credential),
    // user:password@ in a URL, also where the password has an @ that should be encoded.
    Form::behind(r"(?i)((?-u:\b)[a-z][a-z0-9+.-]*://)[^\s/?#@]*:[^\s/?#]*(@)"),
    // "name": "value", 'name': 'value', and JSON within JSON; then name=value. A value in quotes may have gaps.
    Form::behind(named!(r#"")(?:[^"\\\r\n]|\\.)+()"#)),
    Form::behind(named!(r#"')[^'\r\n]+()"#)),
    Form::behind(named!(r#"\\+")[^"\\\r\n]+()"#)),
    Form::behind(named!(r#"["'\\]*)(?:(?:bearer|basic)\s+)?[^\s&"'\\,;<>(){}\[\]]+()"#)),
    // JSON Web Token.
    Form::masked(r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"),
    Form::masked(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----(?s:.)*?(?:-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|$)",
    ),
    // Amazon: access key ids, and secret keys where the text says so.
    Form::masked(r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z0-9]{16}(?-u:\b)"),
    Form::behind(r#"(?i)(aws.{0,20}?["'=:\s]+)[a-z0-9/+]{40}(?-u:\b)()"#),
    // GitHub, GitLab, Slack, Stripe, Google, OpenAI and Anthropic, npm, PyPI, SendGrid, Hugging Face, Vault,
    // DigitalOcean, Twilio, Azure storage.
    Form::masked(r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}"),
    Form::masked(r"(?-u:\b)github_pat_[A-Za-z0-9_]{22,}"),
    Form::masked(r"(?-u:\b)gl(?:pat|dt|rt|cbt|ptt|soat|ft)-[A-Za-z0-9_-]{20,}"),
    Form::masked(r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Form::masked(r"(?-u:\b)xapp-[0-9]-[A-Za-z0-9-]{10,}"),
    Form::behind(r"(hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9/_-]+()"),
    Form::masked(r"(?-u:\b)(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    Form::masked(r"(?-u:\b)whsec_[A-Za-z0-9+/=]{16,}"),
    Form::masked(r"(?-u:\b)AIza[0-9A-Za-z_-]{35}"),
    Form::masked(r"(?-u:\b)ya29\.[0-9A-Za-z_-]{20,}"),
    Form::masked(r"(?-u:\b)GOCSPX-[0-9A-Za-z_-]{20,}"),
    Form::masked(r"(?-u:\b)sk-(?:[a-z]+[0-9]*-){0,3}[A-Za-z0-9_-]{20,}").checked(has_digit),
    Form::masked(r"(?-u:\b)npm_[A-Za-z0-9]{36}"),
    Form::masked(r"(?-u:\b)pypi-[A-Za-z0-9_-]{16,}").checked(has_digit),
    Form::masked(r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    Form::masked(r"(?-u:\b)hf_[A-Za-z0-9]{30,}"),
    Form::masked(r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    Form::masked(r"(?-u:\b)do[opr]_v1_[a-f0-9]{64}"),
    Form::masked(r"(?-u:\b)SK[a-f0-9]{32}(?-u:\b)"),
    Form::behind(r"(?i)(AccountKey=|SharedAccessKey=)[a-z0-9+/=]{20,}()"),
];

type KeyRule = (&'static str, fn() -> Redact);

/// Keys whose values say who somebody is.
pub(super) const PERSON_KEYS: &[KeyRule] = &[
    ("client.address", || Redact::TruncateIp),
    ("network.peer.address", || Redact::TruncateIp),
    ("source.address", || Redact::TruncateIp),
    ("*.ip_address", || Redact::TruncateIp),
    ("*remote_addr", || Redact::TruncateIp),
    ("*x-forwarded-for", || Redact::Mask),
    ("*email*", || Redact::Mask),
    ("*phone*", || Redact::Mask),
    ("*full_name", || Redact::Mask),
    ("*first_name", || Redact::Mask),
    ("*last_name", || Redact::Mask),
    ("*birth*", || Redact::Mask),
    ("*ssn", || Redact::Mask),
    ("*social_security*", || Redact::Mask),
    ("*iban*", || Redact::KeepLast4),
    ("*card_number*", || Redact::KeepLast4),
    ("user.id", || Redact::Hash),
    ("user.name", || Redact::Hash),
    ("enduser.id", || Redact::Hash),
];

/// Values that say who somebody is, whatever their key.
pub(super) const PERSON_FORMS: &[Form] = &[
    Form::masked(r"(?i)[a-z0-9._%+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?-u:\b)"),
    Form::masked(r"(?-u:\b)[0-9](?:[ -]?[0-9]){12,18}(?-u:\b)").checked(is_card_number),
    Form::masked(r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?-u:\b)")
        .checked(is_iban),
    // United States social security number.
    Form::masked(r"(?-u:\b)[0-9]{3}-[0-9]{2}-[0-9]{4}(?-u:\b)").checked(is_social_security_number),
    // Telephone numbers in the international form.
    Form::masked(
        r"\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{2,4}(?:[ .-]?[0-9]{2,4}){1,4}(?-u:\b)",
    ),
    Form {
        pattern: r"(?-u:\b)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?-u:\b)",
        action: || Redact::TruncateIp,
        check: Some(is_address),
    },
];

/// Tells `Bearer 8xLOxBtZp8` from "bearer authentication".
fn is_credential(text: &str) -> bool {
    let value = text.split_whitespace().last().unwrap_or_default();
    let is_word =
        value.chars().all(|character| character.is_ascii_lowercase() || matches!(character, '.' | '-'));
    !is_word || value.len() >= 24
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The check digit of Luhn, which every card number has.
fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    let is_same = digits.windows(2).all(|pair| pair[0] == pair[1]);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    !is_same && sum.is_multiple_of(10)
}

/// The check digits of an international bank account number: modulo 97.
fn is_iban(text: &str) -> bool {
    let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let (Some(head), Some(tail)) = (compact.get(..4), compact.get(4..)) else {
        return false;
    };
    let remainder = tail.chars().chain(head.chars()).filter_map(|character| character.to_digit(36)).fold(
        0,
        |rest, value| {
            let shifted = if value > 9 { rest * 100 } else { rest * 10 };
            (shifted + value) % 97
        },
    );
    compact.len() >= 15 && remainder == 1
}

fn is_social_security_number(text: &str) -> bool {
    !(text.starts_with("000") || text.starts_with("666") || text.starts_with('9') || text.ends_with("0000"))
        && text.get(4..6) != Some("00")
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| !address.is_loopback() && !address.is_unspecified())
}
