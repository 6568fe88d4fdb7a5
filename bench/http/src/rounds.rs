//! Takes turns: each round measures every case for a moment, and the medians over the rounds are compared.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};

use crate::allocations::allocations;
use crate::telemetry;

/// One case: a name, and what is measured.
pub struct Case<'a> {
    pub name: &'static str,
    pub call: Box<dyn FnMut() + 'a>,
}

impl Case<'_> {
    /// Each reads and writes headers with what its users have.
    fn prepare(&self) {
        telemetry::propagate(self.name.starts_with("otel-") || self.name == "by hand");
    }
}

/// What a group of cases has shown.
pub struct Results {
    pub group: String,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub name: &'static str,
    pub median_ns: f64,
    pub allocations: u64,
}

const ROUNDS: usize = 31;

/// Measures the cases in turns; the first one is what the others are added to.
pub fn measure(criterion: &mut Criterion, group: &str, mut cases: Vec<Case<'_>>) -> Results {
    let allocations: Vec<u64> = cases
        .iter_mut()
        .map(|case| {
            case.prepare();
            // The first calls make instruments, attribute sets and connections.
            (0..200).for_each(|_| (case.call)());
            allocations(|| (case.call)())
        })
        .collect();
    let mut samples = vec![Vec::new(); cases.len()];
    let mut criterion_group = criterion.benchmark_group(group);
    criterion_group
        .warm_up_time(Duration::from_millis(4))
        .measurement_time(Duration::from_millis(16))
        .sample_size(10);
    for round in 0..ROUNDS {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            let mut best = f64::MAX;
            case.prepare();
            criterion_group.bench_function(BenchmarkId::new(case.name, round), |bencher| {
                bencher.iter_custom(|iterations| {
                    let started = std::time::Instant::now();
                    (0..iterations).for_each(|_| (case.call)());
                    let elapsed = started.elapsed();
                    best = best.min(elapsed.as_nanos() as f64 / iterations as f64);
                    elapsed
                });
            });
            samples.push(best);
        }
    }
    criterion_group.finish();
    let rows = cases.iter().zip(allocations).zip(samples);
    let rows = rows.map(|((case, allocations), mut samples)| {
        samples.sort_by(f64::total_cmp);
        Row { name: case.name, median_ns: samples[samples.len() / 2], allocations }
    });
    Results { group: group.to_owned(), rows: rows.collect() }
}

impl Results {
    /// The table: what each case adds to the first one, and ours as a share of what each adds.
    pub fn print(&self, ours: &str) {
        // The filter of the command line may have left cases out.
        let measured: Vec<&Row> = self.rows.iter().filter(|row| row.median_ns < f64::MAX).collect();
        let Some((base, others)) = measured.split_first() else { return };
        let added = |row: &Row| row.median_ns - base.median_ns;
        let ours = others.iter().find(|row| row.name == ours).map(|row| added(row));
        println!(
            "\n{} ({} {:.0} ns, {} allocations)",
            self.group, base.name, base.median_ns, base.allocations
        );
        println!("{:<40} {:>9} {:>12} {:>14}", "", "added ns", "allocations", "ours / this");
        for row in others {
            let share = ours.map_or(f64::NAN, |ours| ours / added(row));
            let allocations = row.allocations as i64 - base.allocations as i64;
            println!("{:<40} {:>9.0} {:>12} {:>14.2}", row.name, added(row), allocations, share);
        }
    }
}
