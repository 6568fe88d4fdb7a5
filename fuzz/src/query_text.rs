//! The text of queries: any bytes as a query of any dialect.

use otel_db::query_text::{Dialect, QueryRules, json, redis};

const DIALECTS: [Dialect; 7] = [
    Dialect::Generic,
    Dialect::PostgreSql,
    Dialect::MySql,
    Dialect::Sqlite,
    Dialect::SqlServer,
    Dialect::Oracle,
    Dialect::ClickHouse,
];

/// Nothing else holds it.
const SECRET: &str = "zq8473920174";

/// The first byte chooses the dialect and the options, the rest is the query.
///
/// What was sanitized stays as it is, the summary keeps its length, and a string that stands behind text without quotes
/// comes out of neither, whatever follows it.
pub fn query_text(data: &[u8]) {
    let Some((&choice, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let rules = QueryRules::new(DIALECTS[usize::from(choice) % DIALECTS.len()])
        .with_names_in_double_quotes(choice & 0x80 != 0);
    let once = rules.statement(&text);
    if let Some(once) = once.text() {
        let twice = rules.statement(once);
        // A text beyond the cap was cut, and what is left may end within a token.
        if text.len() <= 32 * 1024 {
            assert_eq!(twice.text(), Some(once));
        }
    }
    assert!(once.summary().is_none_or(|summary| summary.chars().count() <= 255));

    // libFuzzer learns the token from the comparisons below; where it stands outside of quotes, it may come out.
    if text.contains(SECRET) {
        return;
    }
    let split = text.char_indices().nth(usize::from(choice) % 32).map_or(text.len(), |(at, _)| at);
    let (before, after) = text.split_at(split);
    let before =
        before.replace(|one: char| !one.is_ascii_alphanumeric() && !" ,.()=<>;\n".contains(one), " ");
    let planted = rules.statement(&format!("{before} '{SECRET}' {after}"));
    let shown = [planted.text(), planted.summary(), planted.collection(), planted.stored_procedure()];
    for shown in shown.into_iter().flatten() {
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

/// Commands of Redis and documents of JSON: values never come out.
pub fn commands(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(once) = json::sanitize(&text) {
        assert_eq!(json::sanitize(&once).as_deref(), Some(&*once));
    }
    // As above.
    if text.contains(SECRET) {
        return;
    }
    let quoted = format!("{{\"a\": [\"{SECRET}\", {{\"b\": \"{SECRET}\"}}], \"c\": {text}}}");
    assert!(json::sanitize(&quoted).is_none_or(|text| !text.contains(SECRET)));
    let mut words = data.split(|byte| *byte == b' ');
    let command = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
    let arguments: Vec<&[u8]> = words.chain([SECRET.as_bytes()]).collect();
    let shown = redis::sanitize(&command, &arguments);
    assert!(!shown.contains(SECRET), "{shown}");
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::{Duration, Instant};

    const PIECES: &[&str] = &[
        "'",
        "''",
        "\"",
        "`",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "\\",
        "\\'",
        "--",
        "-- ",
        "/*",
        "*/",
        "/*!",
        "#",
        "\n",
        "\r",
        "$",
        "$$",
        "$a$",
        "q'[",
        "]'",
        "E'",
        "N'",
        "x'",
        "U&'",
        "nq'",
        "_utf8'",
        ":",
        "::",
        ":1",
        "@",
        "?",
        "?1",
        "$1",
        ".",
        ",",
        ";",
        "1",
        "-",
        "+",
        "1e5",
        "0x1F",
        ".5",
        "é",
        "’",
        "\0",
        " ",
        " ",
        " ",
        " ",
        "a",
        "SELECT",
        "FROM",
        "t",
        "IN",
        "VALUES",
        "INSERT INTO",
        "UPDATE",
        "DELETE",
        "JOIN",
        "WITH",
        "AS",
        "CREATE",
        "USER",
        "PASSWORD",
        "IDENTIFIED BY",
        "COPY",
        "STDIN",
        "FORMAT",
        "TABLE",
        "//",
        "true",
        "*",
        "=",
        "DISTINCT FROM",
        "CALL",
        "USE",
        "EXPLAIN",
        "ON",
        "null",
        "\"a\":",
        "SET",
        "AUTH",
        "GET",
    ];

    /// The target on the stable toolchain: pieces of queries in any order, from a fixed seed, for `FUZZ_SECONDS`.
    fn drive(target: fn(&[u8])) {
        let seconds =
            std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(2);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = move |bound: usize| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
        };
        let mut runs = 0_u64;
        while runs < 1000 || Instant::now() < end {
            let mut input = vec![below(256) as u8];
            for _ in 0..below(40) {
                match below(8) {
                    0 => input.push(below(256) as u8),
                    _ => input.extend_from_slice(PIECES[below(PIECES.len())].as_bytes()),
                }
                if below(2) == 0 {
                    input.push(b' ');
                }
            }
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                panic!("the input was {:?}", String::from_utf8_lossy(&input));
            }
            runs += 1;
        }
        println!("{runs} runs");
    }

    #[test]
    fn query_text() {
        drive(super::query_text);
    }

    #[test]
    fn commands() {
        drive(super::commands);
    }
}
