//! Ours next to the others, in turns: `SELECT 1`, prepared, on SQLite in memory.
//!
//! Each round measures every case for a moment, and the medians over the rounds are compared. sqlx-tracing works with sqlx
//! 0.8 alone, so what it adds is counted from that.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bench_db::{SQL, one_connection, one_connection_0_8, telemetry};
use criterion::{BenchmarkId, Criterion};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer, TracerProvider};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 15;

struct Case<'a> {
    name: &'static str,
    call: Box<dyn FnMut() + 'a>,
}

struct Row {
    name: &'static str,
    median_ns: f64,
    allocations: u64,
}

fn measure(criterion: &mut Criterion, group: &str, mut cases: Vec<Case<'_>>) -> Vec<Row> {
    let allocations: Vec<u64> = cases
        .iter_mut()
        .map(|case| {
            (0..200).for_each(|_| (case.call)());
            allocation_counter::measure(|| (case.call)()).count_total
        })
        .collect();
    let mut samples = vec![Vec::new(); cases.len()];
    let mut criterion_group = criterion.benchmark_group(group);
    criterion_group
        .warm_up_time(Duration::from_millis(10))
        .measurement_time(Duration::from_millis(40))
        .sample_size(10);
    for round in 0..ROUNDS {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            let mut best = f64::MAX;
            criterion_group.bench_function(BenchmarkId::new(case.name, round), |bencher| {
                bencher.iter_custom(|iterations| {
                    let started = Instant::now();
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
    let rows = cases.iter().zip(allocations).zip(samples).map(|((case, allocations), mut samples)| {
        samples.sort_by(f64::total_cmp);
        Row { name: case.name, median_ns: samples[samples.len() / 2], allocations }
    });
    rows.collect()
}

/// What each case adds to the bare one of its version of sqlx, which stands before it.
fn print(group: &str, rows: &[Row]) {
    println!("\n{group}");
    println!("{:<36} {:>9} {:>9} {:>12}", "", "ns", "added ns", "allocations");
    let mut bare = &rows[0];
    for row in rows {
        if row.name.starts_with("bare") {
            bare = row;
        }
        println!(
            "{:<36} {:>9.0} {:>9.0} {:>12}",
            row.name,
            row.median_ns,
            row.median_ns - bare.median_ns,
            row.allocations as i64 - if std::ptr::eq(row, bare) { 0 } else { bare.allocations as i64 },
        );
    }
}

/// The least that a span and a duration with the same attributes may cost.
struct ByHand {
    tracer: opentelemetry_sdk::trace::SdkTracer,
    duration: opentelemetry::metrics::Histogram<f64>,
}

impl ByHand {
    fn around(&self, call: impl FnOnce()) {
        let attributes =
            [KeyValue::new("db.system.name", "sqlite"), KeyValue::new("db.query.summary", "SELECT")];
        let mut of_span = Vec::with_capacity(3);
        of_span.extend(attributes.iter().cloned());
        of_span.push(KeyValue::new("db.query.text", "SELECT ?"));
        let builder = SpanBuilder::from_name("SELECT").with_kind(SpanKind::Client).with_attributes(of_span);
        let started = Instant::now();
        let mut span = self.tracer.build(builder);
        call();
        span.end();
        self.duration.record(started.elapsed().as_secs_f64(), &attributes);
    }
}

fn connections(criterion: &mut Criterion, runtime: &Runtime, by_hand: &ByHand, group: &str) {
    let pool = || runtime.block_on(one_connection()).expect("a database in memory");
    let pool_0_8 = || runtime.block_on(one_connection_0_8()).expect("a database in memory");
    let mut bare = runtime.block_on(pool().acquire()).expect("a connection");
    let mut hand = runtime.block_on(pool().acquire()).expect("a connection");
    let (ours, sqlx_otel) = (otel_db::sqlx::Pool::from(pool()), sqlx_otel::PoolBuilder::from(pool()).build());
    let mut ours = runtime.block_on(ours.acquire()).expect("a connection");
    let mut sqlx_otel = runtime.block_on(sqlx_otel.acquire()).expect("a connection");
    let mut bare_0_8 = runtime.block_on(pool_0_8().acquire()).expect("a connection");
    let sqlx_tracing = sqlx_tracing::Pool::from(pool_0_8());
    let mut sqlx_tracing = runtime.block_on(sqlx_tracing.acquire()).expect("a connection");
    macro_rules! case {
        ($name:expr, $query:expr, $executor:expr) => {
            Case {
                name: $name,
                call: Box::new(|| {
                    black_box(runtime.block_on($query.fetch_one($executor)).expect("a row"));
                }),
            }
        };
    }
    let cases = vec![
        case!("bare sqlx 0.9", sqlx::query(SQL), &mut *bare),
        case!("otel-db", sqlx::query(SQL), &mut *ours),
        case!("sqlx-otel 0.5", sqlx::query(SQL), &mut sqlx_otel),
        Case {
            name: "by hand",
            call: Box::new(|| {
                by_hand.around(|| {
                    black_box(runtime.block_on(sqlx::query(SQL).fetch_one(&mut *hand)).expect("a row"));
                });
            }),
        },
        case!("bare sqlx 0.8", sqlx_0_8::query(SQL), &mut *bare_0_8),
        case!("sqlx-tracing 0.2 (no metrics)", sqlx_0_8::query(SQL), &mut sqlx_tracing),
    ];
    let rows = measure(criterion, group, cases);
    print(group, &rows);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let (tracer_provider, meter_provider) = telemetry::install();
    let meter = opentelemetry::metrics::MeterProvider::meter(&meter_provider, "by hand");
    let by_hand = ByHand {
        tracer: tracer_provider.tracer("by hand"),
        duration: meter.f64_histogram("db.client.operation.duration").with_unit("s").build(),
    };
    connections(&mut criterion, &runtime, &by_hand, "one connection, traces and metrics");
    telemetry::sample(false);
    connections(&mut criterion, &runtime, &by_hand, "one connection, unsampled, metrics");
}
