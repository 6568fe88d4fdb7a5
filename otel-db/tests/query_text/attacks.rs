//! The repository's own table: texts that carry a secret past a careless sanitizer, and what becomes of them.
//!
//! `attacks.txt` has a text a line, and what it becomes in each dialect; the secret is the word `s3cret`, which is to be
//! in no text and in no summary.

use otel_db::query_text::{Dialect, QueryRules};

const ATTACKS: &str = include_str!("attacks.txt");

const DIALECTS: [(&str, Dialect); 7] = [
    ("generic", Dialect::Generic),
    ("postgresql", Dialect::PostgreSql),
    ("mysql", Dialect::MySql),
    ("sqlite", Dialect::Sqlite),
    ("sql_server", Dialect::SqlServer),
    ("oracle", Dialect::Oracle),
    ("clickhouse", Dialect::ClickHouse),
];

#[test]
fn no_attack_of_the_table_gets_a_secret_out() {
    let mut wrong = Vec::new();
    let mut attacks = 0;
    for (input, expected) in cases() {
        assert!(input.contains("s3cret"), "no secret in {input}");
        attacks += 1;
        for (dialects, text) in expected {
            for (name, dialect) in DIALECTS
                .iter()
                .filter(|(name, _)| dialects == "*" || dialects.split(' ').any(|one| one == *name))
            {
                let statement = QueryRules::new(*dialect).statement(&input);
                let ours = statement.text().map_or("-".to_owned(), |text| written(text));
                if ours != text {
                    wrong.push(format!("{name}: {input}\n    expected {text}\n    but was  {ours}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(attacks >= 60, "only {attacks} attacks");
}

/// Whatever the dialect is, and whatever the text is in another one: a text may be kept only where the word is a name.
#[test]
fn no_attack_gets_a_secret_out_in_a_dialect_it_is_not_made_for() {
    let mut leaks = Vec::new();
    for (input, expected) in cases() {
        let named: Vec<_> = expected.iter().filter(|(_, text)| text.contains("s3cret")).collect();
        for (name, dialect) in DIALECTS {
            let statement = QueryRules::new(dialect).statement(&input);
            let shown =
                [statement.text(), statement.summary(), statement.collection(), statement.stored_procedure()];
            let leaked = shown.into_iter().flatten().any(|text| text.contains("s3cret"));
            let is_name = named.iter().any(|(dialects, _)| dialects.split(' ').any(|one| one == name));
            if leaked && !is_name {
                leaks.push(format!("{name}: {input} -> {:?} {:?}", statement.text(), statement.summary()));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// The texts, and for each the dialects with what is expected of them. `\n`, `\r`, `\0` and `\t` are written so.
fn cases() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let mut cases: Vec<(String, Vec<_>)> = Vec::new();
    for line in ATTACKS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("    ") {
            None => cases.push((read(line), Vec::new())),
            Some(expected) => {
                let (dialects, text) =
                    expected.split_once(": ").unwrap_or_else(|| panic!("no dialect: {line}"));
                cases.last_mut().unwrap().1.push((dialects, text));
            }
        }
    }
    cases
}

fn read(text: &str) -> String {
    text.replace("⏎", "\n").replace("␍", "\r").replace("␀", "\0").replace("␉", "\t")
}

fn written(text: &str) -> String {
    text.replace('\n', "⏎").replace('\r', "␍").replace('\0', "␀").replace('\t', "␉")
}
