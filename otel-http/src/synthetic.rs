//! `user_agent.synthetic.type`: whether a program asks that is no user's.

/// Words of crawlers: a search engine, a preview, a scraper that says so.
const BOTS: [&str; 7] = ["bot", "crawler", "spider", "slurp", "facebookexternalhit", "preview", "scrapy"];

/// Words of programs that test or watch a service.
const TESTS: [&str; 8] = [
    "alwayson",
    "synthetic",
    "pingdom",
    "uptimerobot",
    "statuscake",
    "kube-probe",
    "elb-healthchecker",
    "googlehc",
];

/// A maker of phones.
const NO_BOTS: [&str; 1] = ["cubot"];

/// `bot` or `test`; `None` for users, and for programs that do not say what they are.
///
/// "This attribute MAY be derived from the contents of the `user_agent.original` attribute. Components that populate the
/// attribute are responsible for determining what they consider to be synthetic bot or test traffic."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/user-agent/>
pub(crate) fn synthetic_type(user_agent: &str) -> Option<&'static str> {
    // What comes later is rarely the program's name, and a client chooses the length.
    let beginning = &user_agent.as_bytes()[..user_agent.len().min(512)];
    let has = |words: &[&str]| words.iter().any(|word| contains(beginning, word.as_bytes()));
    if has(&TESTS) {
        return Some("test");
    }
    (has(&BOTS) && !has(&NO_BOTS)).then_some("bot")
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_say_what_they_are() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Some("bot")),
            ("Mozilla/5.0 (compatible; bingbot/2.0)", Some("bot")),
            ("DatadogSynthetics", Some("test")),
            ("Mozilla/5.0 (compatible; AlwaysOn/1.0)", Some("test")),
            ("kube-probe/1.30", Some("test")),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/140.0", None),
            ("Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/140.0 Mobile Safari/537.36", None),
            ("curl/8", None),
            ("", None),
        ] {
            assert_eq!(synthetic_type(user_agent), expected, "{user_agent}");
        }
    }
}
