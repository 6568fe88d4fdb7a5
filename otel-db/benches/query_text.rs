//! What the text of a query costs: to sanitize it, to summarize it, and to find a known statement again.
//!
//! The texts are those of the reference suites where they are there, else a few of our own, repeated.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otel_db::query_text::{Dialect, QueryRules, sanitize, statement, summarize};

const OWN: &[&str] = &[
    "SELECT id, name, price FROM products WHERE category = 'books' AND price < 20.5 ORDER BY name LIMIT 50",
    "INSERT INTO orders (customer_id, product_id, amount) VALUES ($1, $2, $3) RETURNING id",
    "UPDATE stock SET amount = amount - 1 WHERE product_id IN (1, 2, 3, 4, 5)",
];

fn texts() -> Vec<String> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/sql_cases.json");
    let Ok(file) = std::fs::read(shared) else { return OWN.iter().map(ToString::to_string).collect() };
    let document: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let cases = document["cases"].as_array().unwrap();
    cases.iter().map(|case| case["input"].as_str().unwrap().to_owned()).collect()
}

fn throughput(criterion: &mut Criterion) {
    let texts = texts();
    // Repeated to the length of a page, as statements that applications build are.
    let long: Vec<String> =
        texts.iter().map(|text| format!("{text} ").repeat(4096 / (text.len() + 1) + 1)).collect();
    for (name, texts) in [("as they are", &texts), ("repeated to 4 KiB", &long)] {
        let mut group = criterion.benchmark_group(format!("the reference suites' texts {name}"));
        group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
        for (name, dialect) in
            [("generic", Dialect::Generic), ("PostgreSQL", Dialect::PostgreSql), ("MySQL", Dialect::MySql)]
        {
            group.bench_function(format!("sanitize, {name}"), |bencher| {
                bencher.iter(|| {
                    texts
                        .iter()
                        .filter_map(|text| sanitize(text, dialect))
                        .map(|text| text.len())
                        .sum::<usize>()
                });
            });
        }
        group.bench_function("summarize, PostgreSQL", |bencher| {
            bencher.iter(|| {
                texts
                    .iter()
                    .filter_map(|text| summarize(text, Dialect::PostgreSql))
                    .map(|text| text.len())
                    .sum::<usize>()
            });
        });
        group.finish();
    }
}

fn one_statement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one statement");
    for text in OWN {
        let name = &text[..6];
        group.bench_function(format!("{name}, sanitized"), |bencher| {
            bencher.iter(|| sanitize(black_box(text), Dialect::PostgreSql));
        });
        group.bench_function(format!("{name}, from the cache"), |bencher| {
            bencher.iter(|| statement(black_box(text), Dialect::PostgreSql));
        });
    }
    let long = format!("SELECT {} FROM t WHERE a = $1", "a_column_name, ".repeat(270));
    group.bench_function("4 KiB, from the cache", |bencher| {
        bencher.iter(|| QueryRules::new(Dialect::PostgreSql).statement(black_box(&long)));
    });
    group.finish();
}

criterion_group!(benches, throughput, one_statement);
criterion_main!(benches);
