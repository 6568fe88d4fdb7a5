//! Whether a text or a key is worth a look for secrets: one pass without a pattern, because almost none holds one.
//!
//! Each form of the preset has something that cannot be missing: how a word begins, a name before `:` or `=`, a user in a
//! URL. Without one of these a text is clean; with one, the patterns decide. The test below makes texts of every form.

/// How words begin that may be a secret or announce one. Case does not matter here.
const BEGINNINGS: &[&str] = &[
    "bearer",
    "basic",
    "negotiate",
    "eyj",
    "begin",
    "akia",
    "asia",
    "abia",
    "acca",
    "agpa",
    "aida",
    "aroa",
    "aipa",
    "anpa",
    "anva",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glptt-",
    "glsoat-",
    "glft-",
    "xox",
    "xapp-",
    // After "hooks.".
    "slack.com",
    "sk",
    "rk_",
    "pk_",
    "whsec_",
    "aiza",
    "ya29.",
    "gocspx-",
    "npm_",
    "pypi-",
    "sg.",
    "hf_",
    "hvs.",
    "hvb.",
    "hvr.",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
];

/// No form is shorter from such a beginning on: "basic", a space, and eight characters.
const SHORTEST_WITH_BEGINNING: usize = 14;

/// How the names end whose values are secrets.
const NAMES: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "key",
    "token",
    "sessionid",
    "credential",
    "signature",
    "sig",
    "cookie",
    "authorization",
];

/// The last three letters of [`NAMES`].
const NAME_ENDS: [[u8; 3]; NAMES.len()] = {
    let mut ends = [[0; 3]; NAMES.len()];
    let mut index = 0;
    while index < NAMES.len() {
        let name = NAMES[index].as_bytes();
        let end = name.len();
        ends[index] = [name[end - 3], name[end - 2], name[end - 1]];
        index += 1;
    }
    ends
};

/// A secret key of Amazon: letters, digits, `/` and `+`.
const LONG_RUN: usize = 40;

/// Of the first two letters of [`BEGINNINGS`], by the five bits of each that do not depend on case.
const FIRST_TWO: [u32; 32] = {
    let mut bits = [0; 32];
    let mut index = 0;
    while index < BEGINNINGS.len() {
        let word = BEGINNINGS[index].as_bytes();
        bits[(word[0] & 31) as usize] |= 1 << (word[1] & 31);
        index += 1;
    }
    bits
};

#[derive(Clone, Copy)]
enum Class {
    /// What `\b` has on one side.
    Word,
    /// Between words, and part of a long run.
    Joint,
    /// Between words.
    Gap,
    /// `:` or `=`.
    Assignment,
    /// Unicode has more letters and white space than this knows.
    Foreign,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Gap; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => Class::Word,
            b'/' | b'+' => Class::Joint,
            b':' | b'=' => Class::Assignment,
            0x80.. => Class::Foreign,
            _ => Class::Gap,
        };
        byte += 1;
    }
    classes
};

/// False only if no form of [`super::preset::SECRET_FORMS`] fits any part of `text`. Takes time linear to the text.
pub(super) fn may_hold_secret(text: &[u8]) -> bool {
    let (mut is_in_word, mut run_start, mut has_long_run) = (false, 0, false);
    for (at, byte) in text.iter().enumerate() {
        let class = CLASSES[usize::from(*byte)];
        match class {
            Class::Word => {
                if !is_in_word && begins_secret(&text[at..]) {
                    return true;
                }
                is_in_word = true;
                continue;
            }
            Class::Foreign => return true,
            Class::Assignment if names_secret(&text[..at]) || has_user(&text[at..]) => return true,
            Class::Joint => {}
            Class::Assignment | Class::Gap => {
                has_long_run |= at - run_start >= LONG_RUN;
                run_start = at + 1;
            }
        }
        is_in_word = false;
    }
    has_long_run |= text.len() - run_start >= LONG_RUN;
    has_long_run && text.windows(3).any(|part| part.eq_ignore_ascii_case(b"aws"))
}

/// Whether a `:` or `=` is among the first or the last eight bytes, eight at a time.
pub(super) fn has_assignment(short: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    // <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH_BITS != 0;
    let holds = |word: &[u8; 8]| {
        [b':', b'='].iter().any(|byte| has_zero(u64::from_ne_bytes(*word) ^ u64::from_ne_bytes([*byte; 8])))
    };
    match (short.first_chunk(), short.last_chunk()) {
        (Some(first), Some(last)) => holds(first) || holds(last),
        _ => short.iter().any(|byte| matches!(byte, b':' | b'=')),
    }
}

/// What stands in every key that [`super::preset::SECRET_KEYS`] fits, in whatever case.
const KEY_PARTS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "credential",
    "authorization",
    "cookie",
    "key",
    "token",
    "jwt",
    "csrf",
    "xsrf",
    "bearer",
    "sessionid",
    "connection",
    "otp",
    "pin",
    "cvv",
    "cvc",
];

/// False only if [`super::preset::SECRET_KEYS`] does not fit.
pub(super) fn may_be_secret_key(key: &str) -> bool {
    let holds = |part: &&str| {
        key.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    // Unicode has more letters that fold to these.
    !key.is_ascii() || KEY_PARTS.iter().any(holds)
}

fn begins_secret(rest: &[u8]) -> bool {
    let [first, second, ..] = rest else { return false };
    let is_likely = FIRST_TWO[usize::from(first & 31)] >> (second & 31) & 1 == 1;
    is_likely
        && rest.len() >= SHORTEST_WITH_BEGINNING
        && BEGINNINGS.iter().any(|beginning| {
            rest.get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning.as_bytes()))
        })
}

/// Whether what stands before a `:` or `=` may be the name of a secret, perhaps in quotes.
fn names_secret(before: &[u8]) -> bool {
    let is_around = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | b'"' | b'\'' | b'\\');
    let end = before.iter().rposition(|byte| !is_around(byte)).map_or(0, |last| last + 1);
    let last = before[..end].last_chunk().map(|last: &[u8; 3]| last.map(|byte| byte.to_ascii_lowercase()));
    last.is_some_and(|last| NAME_ENDS.contains(&last))
}

/// Whether this goes on as `://user:password@` would.
fn has_user(from_colon: &[u8]) -> bool {
    let Some(rest) = from_colon.strip_prefix(b"://") else { return false };
    let end = rest.iter().find(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | b'/' | b'?' | b'#' | b'@'));
    end == Some(&b'@')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::string_regex;
    use regex::RegexSet;

    use super::super::preset::{SECRET_FORMS, SECRET_KEYS};
    use super::{has_assignment, may_be_secret_key, may_hold_secret};

    /// A pattern that makes texts of the form: of ASCII, and without what only looks around.
    fn making(pattern: &str) -> String {
        let plain = pattern.replace("(?-u:\\b)", "").replace("|$", "").replace("(?i)", "").replace("*?", "*");
        let mut made = String::new();
        let mut rest = plain.as_str();
        while let Some(start) = rest.find("[^") {
            let end = (start + 2..rest.len())
                .find(|at| rest[*at..].starts_with(']') && !rest[..*at].ends_with('\\'))
                .unwrap();
            made += &format!("{}[ -~&&{}]", &rest[..start], &rest[start..=end]);
            rest = &rest[end + 1..];
        }
        (made + rest).replace("(?s:.)", "[ -~\n]").replace("\\s*", "[ \t]{0,3}").replace("\\s+", "[ \n]{1,3}")
    }

    fn shuffled_case(text: &str, bits: u64) -> String {
        let flipped = |(at, character): (usize, char)| match bits >> (at % 64) & 1 {
            0 => character.to_ascii_lowercase(),
            _ => character.to_ascii_uppercase(),
        };
        text.chars().enumerate().map(flipped).collect()
    }

    #[test]
    fn no_text_of_any_form_is_passed_over() {
        let forms = RegexSet::new(SECRET_FORMS.iter().map(|form| form.pattern)).unwrap();
        for (index, form) in SECRET_FORMS.iter().enumerate() {
            let makes = string_regex(&making(form.pattern)).unwrap();
            let around = "([ -~]{0,12}[ ,;(\"'/?&.-])?";
            let matched = std::cell::Cell::new(0);
            let texts =
                (around, makes, "[ -~]{0,12}", any::<u64>(), 0_usize..4, any::<prop::sample::Index>());
            proptest!(ProptestConfig::with_cases(100), |((before, made, after, bits, what, place) in texts)| {
                let made = if form.pattern.starts_with("(?i)") { shuffled_case(&made, bits) } else { made };
                let mut text = before + &made + &after;
                // As it is, or with a mistake that the form may allow.
                let place = place.index(text.len());
                match what {
                    0 if text.is_char_boundary(place) => text.insert(place, ' '),
                    1 => drop(text.pop()),
                    _ => {}
                }
                matched.set(matched.get() + u32::from(forms.is_match(&text)));
                prop_assert!(!forms.is_match(&text) || may_hold_secret(text.as_bytes()), "{text:?}");
            });
            assert!(matched.get() > 20, "form {index} is hardly made: {matched:?}");
        }
    }

    #[test]
    fn assignments_are_seen_wherever_they_stand() {
        for len in 0..=16 {
            for other in 0..=u8::MAX {
                let text = vec![other; len];
                assert_eq!(has_assignment(&text), len > 0 && [b':', b'='].contains(&other), "{text:?}");
                for (place, sign) in (0..len).flat_map(|place| [(place, b':'), (place, b'=')]) {
                    let mut text = text.clone();
                    text[place] = sign;
                    assert!(has_assignment(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn no_secret_key_is_passed_over_and_common_keys_are() {
        let keys = regex::Regex::new(SECRET_KEYS).unwrap();
        let makes = SECRET_KEYS.replace("(?i)", "").replace("($|", "(").replace("(^|", "(").replace('$', "");
        let texts = ("([a-z]{0,8}[._-])?", string_regex(&makes).unwrap(), "[a-z.]{0,4}", any::<u64>());
        let matched = std::cell::Cell::new(0);
        proptest!(ProptestConfig::with_cases(2000), |((before, made, after, bits) in texts)| {
            let key = shuffled_case(&(before + &made + &after), bits);
            matched.set(matched.get() + u32::from(keys.is_match(&key)));
            prop_assert!(!keys.is_match(&key) || may_be_secret_key(&key), "{key:?}");
        });
        assert!(matched.get() > 500, "{matched:?}");
        assert!(may_be_secret_key("\u{212a}ey"), "the sign of Kelvin");
        for key in [
            "http.route",
            "url.path",
            "user_agent.original",
            "server.address",
            "db.query.text",
            "service.name",
        ] {
            assert!(!may_be_secret_key(key), "{key}");
        }
    }

    #[test]
    fn what_services_record_is_passed_over() {
        for text in [
            "GET /users/{id}",
            "/users/4711/orders/c2f9a0b1-4c5d-4e6f-8a7b-9c0d1e2f3a4b?page=2&sort=name",
            "https://shop.example:8443/users/4711?lang=en",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "SELECT id, name FROM users WHERE email = $1 AND created_at > $2",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "checkout-7d9f8b6c5-x2x4z.shop.svc.cluster.local",
            "2001:db8:85a3::8a2e:370:7334",
            "application/json; charset=utf-8",
            "src/checkout/payment.rs",
        ] {
            assert!(!may_hold_secret(text.as_bytes()), "{text}");
        }
    }
}
