//! Ours next to the others, in turns: a unary call in process, through the client and the server.

use bench_grpc::layers::{bare, by_hand, count, ours, ours_in_full, say, tonic_tracing, tower_otel};
use bench_http::rounds::{Case, Results, measure};
use bench_http::telemetry::{self, Installed};
use criterion::Criterion;

fn unary(criterion: &mut Criterion, group: &str, installed: Option<&Installed>) -> Results {
    let mut cases = vec![
        Case { name: "bare", call: Box::new(say(bare())) },
        Case { name: "otel-grpc", call: Box::new(say(ours())) },
        Case { name: "otel-grpc, all switches", call: Box::new(say(ours_in_full())) },
        Case { name: "tonic-tracing-opentelemetry (no metrics)", call: Box::new(tonic_tracing()) },
        Case { name: "tower-otel (no metrics)", call: Box::new(tower_otel()) },
    ];
    if let Some(installed) = installed {
        cases.push(Case { name: "by hand", call: Box::new(say(by_hand(installed))) });
    }
    measure(criterion, group, cases)
}

fn stream(criterion: &mut Criterion, group: &str) -> Results {
    const MESSAGES: u64 = 10_000;
    let cases = vec![
        Case { name: "bare", call: Box::new(count(bare(), MESSAGES)) },
        Case { name: "otel-grpc", call: Box::new(count(ours(), MESSAGES)) },
        Case { name: "otel-grpc, all switches", call: Box::new(count(ours_in_full(), MESSAGES)) },
    ];
    measure(criterion, group, cases)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let mut results = vec![unary(&mut criterion, "unary, nothing installed", None)];
    let installed = telemetry::install();
    telemetry::sample(true);
    results.push(unary(&mut criterion, "unary, sampled, metrics", Some(&installed)));
    let streams = stream(&mut criterion, "a stream of 10,000 messages, sampled, metrics");
    for row in &streams.rows {
        println!("{}: {:.2} % of bare", row.name, 100.0 * row.median_ns / streams.rows[0].median_ns);
    }
    results.push(streams);
    telemetry::sample(false);
    results.push(unary(&mut criterion, "unary, unsampled, metrics", Some(&installed)));
    results.iter().for_each(|results| results.print("otel-grpc"));
    drop(installed);
}
