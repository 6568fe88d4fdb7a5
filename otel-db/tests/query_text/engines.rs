//! Real databases are the judges: what a server returns as a value was a literal, so it is not to come out. Queries are put
//! together of what quotes, escapes and comments can do to each other; those that the server refuses prove nothing.
//!
//! SQLite always; PostgreSQL and MariaDB, in each of the modes that change what a quote means, where `scripts/services` runs.

use otel_db::query_text::{Dialect, QueryRules};
use otel_testing::require_service;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row, SqliteConnection};

/// Queries for each server and mode, and how many of them it has to accept at least.
const QUERIES: usize = 4000;
const ACCEPTED: usize = 300;

/// What a query selects; `@` is where a token stands.
const ELEMENTS: &[&str] = &[
    "'@'",
    "'C:\\'",
    "'@\\'",
    "'it\\'s @'",
    "'\\\\'",
    "'@\\\\'",
    "'\\\\\\'@'",
    "'@''@'",
    "'''@'",
    "'@'''",
    "''",
    "'--@'",
    "'@ -- '",
    "'/*@'",
    "'*/@'",
    "'#@'",
    "'@;'",
    "\"@\"",
    "\"@\\\"\"",
    "\"@'\"",
    "'\"@'",
    "E'@\\'@'",
    "e'\\\\@'",
    "N'@'",
    "U&'@'",
    "$$@$$",
    "$$'@$$",
    "$t$@'$t$",
    "$t$ $$ @ $$ $t$",
    "`it's`",
    "[it's]",
    "\"it's\"",
    "_utf8'@'",
    "'\\@'",
    "'@\n@'",
    "'\\\n@'",
    "1",
    "-1",
    "1e5",
    "1--1",
    "1-- @\n",
    "'@'/*'*/",
    "'@'--'\n",
    "'@'#'\n",
    "'@'/*! */",
    "'@'/*!99999 ' */",
    "/*!'@'*/",
    "'@'::text",
    "('@')",
    "('@' '@')",
    "concat('@',\"@\")",
    "'@'||'\\'",
    "'\\'||'@'",
    "'\\' || `@`",
    "case when '@'='' then '@' else '@' end",
    "'@' AS \"@\"",
    "'@'b",
    "\\N",
    "'@' -- \\'\n",
    "'@' /* \\' */",
    "'@' /*/* ' */",
    "'@' /*/* ' */ */",
    "'\\'",
    "'\\''",
    "'\\\\''",
    "'@\\''",
    "E'@'\n'@\\'@'",
    "E'@'\n'\\', @, @'",
    "E'@' -- '\n'@\\'@'\n'\\'@'",
    "'@'\n'@\\'",
    "$a(')",
    "$a::b(@)",
    "@a('),'@'",
];

const BETWEEN: &[&str] = &[", ", ",", ", /* ' */ ", ", -- '\n", ", # '\n", ",\n", " || ", ", --'\n"];
const BEHIND: &[&str] = &["", "", "", "", " -- '", " /* ' */", " # '", "'", " -- \\'"];

/// Runs queries on a connection and looks for their values in what we say of them.
macro_rules! judge {
    ($connection:expr, $dialect:expr, $seed:expr) => {{
        let mut random = Random($seed);
        let mut accepted = 0;
        for _ in 0..QUERIES {
            let (text, tokens) = random.query();
            let row = sqlx::raw_sql(AssertSqlSafe(text.clone())).fetch_optional(&mut $connection).await;
            let Ok(Some(row)) = row else { continue };
            let values: Vec<String> =
                (0..row.len()).filter_map(|index| row.try_get_unchecked(index).ok()).collect();
            let literals: Vec<_> =
                tokens.iter().filter(|token| values.iter().any(|value| value.contains(*token))).collect();
            accepted += usize::from(!literals.is_empty());
            let statement = QueryRules::new($dialect).statement(&text);
            for shown in [statement.text(), statement.summary()].into_iter().flatten() {
                let leaked = literals.iter().any(|literal| shown.contains(literal.as_str()));
                assert!(!leaked, "{:?} returns {values:?} for {text}\nand we say {shown}", $dialect);
            }
        }
        assert!(accepted >= ACCEPTED, "only {accepted} of {QUERIES} queries prove anything");
    }};
}

#[tokio::test]
async fn what_sqlite_takes_for_a_value_does_not_come_out() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    judge!(connection, Dialect::Sqlite, 1);
    judge!(connection, Dialect::Generic, 2);
}

#[tokio::test]
async fn what_postgresql_takes_for_a_value_does_not_come_out() {
    let Some(url) =
        require_service("PostgreSQL (TEST_POSTGRES_URL)", std::env::var("TEST_POSTGRES_URL").ok())
    else {
        return;
    };
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for mode in ["on", "off"] {
        let set = format!("SET standard_conforming_strings = {mode}; SET backslash_quote = on");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await.unwrap();
        judge!(connection, Dialect::PostgreSql, 3);
        judge!(connection, Dialect::Generic, 4);
    }
}

#[tokio::test]
async fn what_mariadb_takes_for_a_value_does_not_come_out() {
    let Some(url) = require_service("MariaDB (TEST_MARIADB_URL)", std::env::var("TEST_MARIADB_URL").ok())
    else {
        return;
    };
    let mut connection = MySqlConnection::connect(&url).await.unwrap();
    for mode in ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"] {
        let set = format!("SET SESSION sql_mode = '{mode}'");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await.unwrap();
        judge!(connection, Dialect::MySql, 5);
        judge!(connection, Dialect::Generic, 6);
    }
}

/// splitmix64: the same queries each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(mixed >> 33).unwrap() % bound
    }

    fn query(&mut self) -> (String, Vec<String>) {
        let mut text = "SELECT ".to_owned();
        let mut tokens = Vec::new();
        for element in 0..1 + self.below(4) {
            if element > 0 {
                text.push_str(BETWEEN[self.below(BETWEEN.len())]);
            }
            for character in ELEMENTS[self.below(ELEMENTS.len())].chars() {
                if character == '@' {
                    tokens.push(format!("zq{:09}", self.below(1_000_000_000)));
                    text.push_str(&tokens[tokens.len() - 1]);
                } else {
                    text.push(character);
                }
            }
        }
        text.push_str(BEHIND[self.below(BEHIND.len())]);
        (text, tokens)
    }
}
