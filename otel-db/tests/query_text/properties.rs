//! What holds for any query, and for any text.

use otel_db::query_text::{Dialect, QueryRules, sanitize, summarize};
use proptest::prelude::*;

use crate::literals::{DIALECTS, query};

/// So many cases, or as many as `PROPTEST_CASES` says.
pub(crate) fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1000),
    }
}

proptest! {
    #![proptest_config(config())]

    /// Each literal holds a token that is nowhere else; none of them comes out, in the text or in the summary.
    #[test]
    fn no_literal_comes_out(query in query()) {
        let statement = QueryRules::new(query.dialect).statement(&query.text);
        let shown = [statement.text(), statement.summary(), statement.operation(), statement.collection(), statement.stored_procedure()];
        for shown in shown.into_iter().flatten() {
            for secret in &query.secrets {
                prop_assert!(!shown.contains(secret), "{secret} in {shown}\nof {:?}: {}", query.dialect, query.text);
            }
        }
    }

    /// A query in order is not left out because of its literals.
    #[test]
    fn the_text_of_a_query_in_order_is_there(query in query()) {
        prop_assert!(sanitize(&query.text, query.dialect).is_some(), "{:?}: {}", query.dialect, query.text);
    }

    #[test]
    fn other_literals_make_the_same_text(query in query()) {
        let one = sanitize(&query.text, query.dialect);
        let other = sanitize(&query.with_others, query.dialect);
        prop_assert_eq!(one, other, "{:?}: {}", query.dialect, query.text);
        prop_assert_eq!(summarize(&query.text, query.dialect), summarize(&query.with_others, query.dialect));
    }

    #[test]
    fn sanitizing_twice_is_sanitizing_once(query in query()) {
        once_is_enough(&query.text, query.dialect)?;
    }

    #[test]
    fn any_text_is_read_without_panic_and_once(text in sql_like(), dialect in prop::sample::select(&DIALECTS[..])) {
        once_is_enough(&text, dialect)?;
        let summary = summarize(&text, dialect);
        prop_assert!(summary.as_ref().is_none_or(|summary| summary.chars().count() <= 255));
    }

    #[test]
    fn any_characters_are_read_without_panic(text in "\\PC*|[\\x00-\\x7f]*", dialect in prop::sample::select(&DIALECTS[..])) {
        once_is_enough(&text, dialect)?;
    }

    /// The token in quotes is in no output, whatever surrounds it, as long as the text before it has no quotes.
    #[test]
    fn the_first_string_never_comes_out(before in "[a-z0-9 ,.()=*<>_;]{0,30}", after in sql_like(), dialect in prop::sample::select(&DIALECTS[..])) {
        let text = format!("{before} 'zq8473920174' {after}");
        let statement = QueryRules::new(dialect).statement(&text);
        for shown in [statement.text(), statement.summary()].into_iter().flatten() {
            prop_assert!(!shown.contains("zq8473920174"), "{shown}\nof {dialect:?}: {text}");
        }
    }
}

pub(crate) fn once_is_enough(text: &str, dialect: Dialect) -> Result<(), TestCaseError> {
    if let Some(once) = sanitize(text, dialect) {
        let twice = sanitize(&once, dialect);
        prop_assert_eq!(twice.as_deref(), Some(&*once), "{:?}: {}", dialect, text);
    }
    Ok(())
}

/// Pieces that mean something to a tokenizer, in any order.
fn sql_like() -> impl Strategy<Value = String> {
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
        "@@",
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
        "\u{0}",
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
        "E",
        "N",
        "q",
        "€12",
        "01234567-89ab-cdef-0123-456789abcdef",
        "abcdef01-",
        "EXEC",
        "CALL",
        "USE",
        "GRANT",
        "EXPLAIN",
        "BEGIN",
    ];
    let piece = (prop::sample::select(PIECES), any::<bool>());
    prop::collection::vec(piece, 0..40).prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, spaced)| format!("{piece}{}", if spaced { " " } else { "" }))
            .collect()
    })
}

/// What is cut off takes the end of a placeholder's suffix with it, so what stands before it reads otherwise.
#[test]
fn a_number_in_a_suffix_that_is_cut_does_not_come_out() {
    for text in [
        "SELECT $a(4111111111111111,$x$ y",
        "SELECT @a(4111111111111111,5.5,$x$ y)",
        "SELECT 1, :a(4111111111111111,$x$ y) FROM t",
        "SELECT $a(1,$b(4111111111111111,$x$ y",
        // The end of the suffix is inside of a string, which is not there any more the second time.
        "SELECT $a($x$b y$x$;[",
    ] {
        for dialect in DIALECTS {
            let statement = QueryRules::new(dialect).statement(text);
            for shown in [statement.text(), statement.summary()].into_iter().flatten() {
                assert!(!shown.contains("4111"), "{shown}\nof {dialect:?}: {text}");
            }
            once_is_enough(text, dialect).unwrap();
        }
    }
}

#[test]
fn a_text_in_double_quotes_is_no_name_before_a_dot_and_a_string() {
    for text in [r#"SELECT "hunter2".x'1f'"#, r#"SELECT "hunter2".nq'[a]'"#, r#"SELECT "hunter2".U&'a'"#] {
        let statement = QueryRules::new(Dialect::MySql).statement(text);
        assert!(statement.text().is_none_or(|text| !text.contains("hunter2")), "{:?}", statement.text());
        once_is_enough(text, Dialect::Generic).unwrap();
    }
}
