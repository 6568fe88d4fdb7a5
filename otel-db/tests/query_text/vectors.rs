//! The sanitizer and summary cases of the reference suites, read in place where they are there.
//!
//! Each source asserts what it asserts, and we hold it hard, but for the cases of `differences.txt`: each line of it is a
//! decision, with its reason, and says what we do instead. A case that differs without a line fails, and so does a line
//! that is no longer true.

use std::collections::{BTreeMap, BTreeSet};

use otel_db::query_text::{Dialect, QueryRules, Statement};
use serde_json::Value;

const DIFFERENCES: &str = include_str!("differences.txt");

#[test]
fn the_reference_suites_hold_but_for_our_decisions() {
    let Some(path) = otel_testing::shared_file!("vectors/sql_cases.json") else { return };
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let decided: BTreeSet<_> = decisions().map(|(_, difference)| difference).collect();
    let mut found = BTreeSet::new();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for case in document["cases"].as_array().unwrap() {
        let source = case["source"].as_str().unwrap().split(' ').next().unwrap();
        let count = counts.entry(source.to_owned()).or_default();
        count.cases += 1;
        for (name, rules) in rules_of(case["dialect"].as_str().unwrap()) {
            if name == "postgresql" && case["input"].as_str().unwrap().contains('`') {
                continue; // "any" dialect, but one with back quotes
            }
            let differences = differences(case, name, rules, count);
            count.different += differences.len();
            found.extend(differences);
        }
    }
    for (source, Count { cases, checks, different }) in &counts {
        println!("{source}: {cases} cases, {checks} checks, {different} differ by decision");
    }
    let undecided: Vec<_> = found.difference(&decided).map(String::as_str).collect();
    let stale: Vec<_> = decided.difference(&found).map(String::as_str).collect();
    assert!(
        undecided.is_empty() && stale.is_empty(),
        "{} undecided:\n{}\n{} no longer so:\n{}",
        undecided.len(),
        undecided.join("\n"),
        stale.len(),
        stale.join("\n"),
    );
    assert_eq!(counts.values().map(|count| count.cases).sum::<usize>(), 631);
}

#[test]
fn every_decision_has_a_reason() {
    let reasons: BTreeSet<_> =
        DIFFERENCES.lines().filter_map(|line| Some(line.strip_prefix("# ")?.split_once(": ")?.0)).collect();
    let used: BTreeSet<_> = decisions().map(|(reason, _)| reason).collect();
    assert_eq!(used.difference(&reasons).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(reasons.difference(&used).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[derive(Default)]
struct Count {
    cases: usize,
    checks: usize,
    different: usize,
}

/// The lines of `differences.txt`: the reason, and the difference.
fn decisions() -> impl Iterator<Item = (&'static str, String)> {
    DIFFERENCES.lines().filter(|line| line.starts_with("sql-")).map(|line| {
        let (difference, reason) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("no reason: {line}"));
        (reason, difference.to_owned())
    })
}

/// The dialects that a source's name of a dialect stands for.
fn rules_of(dialect: &str) -> Vec<(&'static str, QueryRules)> {
    let one = |name: &'static str, dialect| (name, QueryRules::new(dialect));
    let generic = one("generic", Dialect::Generic);
    let names = generic.1.with_names_in_double_quotes(true);
    match dialect {
        "double_quotes_are_string_literals" | "other_sql" => vec![generic],
        "double_quotes_are_identifiers" => {
            vec![("names", names), one("postgresql", Dialect::PostgreSql), one("oracle", Dialect::Oracle)]
        }
        "any" => vec![
            generic,
            one("mysql", Dialect::MySql),
            one("postgresql", Dialect::PostgreSql),
            one("sqlite", Dialect::Sqlite),
        ],
        several => several
            .split(',')
            .map(|dialect| match dialect {
                "mysql" => one("mysql", Dialect::MySql),
                "postgres" => one("postgresql", Dialect::PostgreSql),
                "oracle" => one("oracle", Dialect::Oracle),
                "sqlite" => one("sqlite", Dialect::Sqlite),
                "microsoft.sql_server" => one("sql_server", Dialect::SqlServer),
                "cassandra" => generic,
                other => panic!("unknown dialect {other}"),
            })
            .collect(),
    }
}

/// What of a case is not as its source asserts, a line each.
fn differences(case: &Value, name: &str, rules: QueryRules, count: &mut Count) -> Vec<String> {
    let id = case["id"].as_str().unwrap();
    let input = case["input"].as_str().unwrap();
    let statement = rules.statement(input);
    let mut differences = Vec::new();
    let mut check = |field: &str, holds: bool, ours: Option<&str>| {
        count.checks += 1;
        if !holds {
            differences.push(format!("{id} {name} {field} {}", Value::from(ours)));
        }
    };
    for field in case["asserts"].as_array().unwrap() {
        let field = field.as_str().unwrap();
        let expected = case[field].as_str().filter(|expected| !expected.is_empty());
        match field {
            "sanitized" => check(field, is_accepted(case, text(&statement)), text(&statement)),
            "obi_tables" => check(field, names_all(&case[field], &statement), ours(&statement, "summary")),
            "operation" if case["obi_tables"].is_array() => {
                let operation = ours(&statement, field);
                check(field, operation.map(str::to_uppercase).as_deref() == expected, operation);
            }
            _ if case["upstream_disabled"] == true => {}
            _ => check(field, ours(&statement, field) == expected, ours(&statement, field)),
        }
    }
    if case["asserts"] == Value::Array(Vec::new()) {
        let leaked = text(&statement).is_some_and(|text| text.contains("cret") || text.contains("b'"));
        check("privacy", !leaked, text(&statement));
    }
    differences
}

fn text(statement: &Statement) -> Option<&str> {
    statement.text().map(|text| &**text)
}

fn ours<'a>(statement: &'a Statement, field: &str) -> Option<&'a str> {
    let value = match field {
        "summary" => statement.summary(),
        "operation" => statement.operation(),
        "collection" => statement.collection(),
        "stored_procedure" => statement.stored_procedure(),
        other => panic!("unknown field {other}"),
    };
    value.map(|value| &**value)
}

/// Java makes one space of several; the others keep them.
fn is_accepted(case: &Value, text: Option<&str>) -> bool {
    let Some(text) = text else { return false };
    let java = case["source"].as_str().unwrap().contains("java");
    let compared = |text: &str| {
        if !java {
            return text.to_owned();
        }
        let mut spaced = String::new();
        for character in text.chars() {
            let character = if character.is_whitespace() { ' ' } else { character };
            if character != ' ' || !spaced.ends_with(' ') {
                spaced.push(character);
            }
        }
        spaced
    };
    case["sanitized"].as_array().unwrap().iter().any(|one| compared(one.as_str().unwrap()) == compared(text))
}

/// A second opinion on the tables, without their quotes.
fn names_all(tables: &Value, statement: &Statement) -> bool {
    let summary = ours(statement, "summary").unwrap_or_default().replace('`', "");
    tables.as_array().unwrap().iter().all(|table| summary.contains(table.as_str().unwrap()))
}
