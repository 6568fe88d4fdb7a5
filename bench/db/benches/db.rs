//! Ours next to the others, in turns: `SELECT 1`, prepared, on SQLite in memory.
//!
//! Each round measures every case for a moment, each time another one first, and the medians over the rounds are compared.
//! All cases of one version of sqlx take turns with one connection: SQLite answers from a thread of the connection's, and one
//! may be slower than another for as long as it lives. For the same reason the clock is of use only on one processor:
//! `taskset -c 1 cargo bench -p bench-db`. sqlx-tracing works with sqlx 0.8 alone, so what it adds is counted from that.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bench_db::{SQL, one_connection, one_connection_0_8, telemetry};
use criterion::{BenchmarkId, Criterion};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer, TracerProvider};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 15;

/// Calls the measuring function with what it is to call.
type WithCall<'a> = Box<dyn FnMut(&mut dyn FnMut(&mut dyn FnMut())) + 'a>;

struct Case<'a> {
    name: &'static str,
    with_call: WithCall<'a>,
}

impl Case<'_> {
    fn time(&mut self, iterations: u64) -> Duration {
        let mut elapsed = Duration::ZERO;
        (self.with_call)(&mut |call| {
            let started = Instant::now();
            (0..iterations).for_each(|_| call());
            elapsed = started.elapsed();
        });
        elapsed
    }

    fn allocations(&mut self) -> u64 {
        let mut fewest = u64::MAX;
        (self.with_call)(&mut |call| {
            // SQLite's thread allocates too, sooner or later.
            for _ in 0..20 {
                fewest = fewest.min(allocation_counter::measure(&mut *call).count_total);
            }
        });
        fewest
    }
}

struct Row {
    name: &'static str,
    median_ns: f64,
    allocations: u64,
}

fn measure(criterion: &mut Criterion, group: &str, mut cases: Vec<Case<'_>>) -> Vec<Row> {
    let mut samples = vec![Vec::new(); cases.len()];
    let mut criterion_group = criterion.benchmark_group(group);
    criterion_group
        .warm_up_time(Duration::from_millis(10))
        .measurement_time(Duration::from_millis(40))
        .sample_size(10);
    for round in 0..ROUNDS {
        for turn in 0..cases.len() {
            let index = (round + turn) % cases.len();
            let case = &mut cases[index];
            let mut best = f64::MAX;
            criterion_group.bench_function(BenchmarkId::new(case.name, round), |bencher| {
                bencher.iter_custom(|iterations| {
                    let elapsed = case.time(iterations);
                    best = best.min(elapsed.as_nanos() as f64 / iterations as f64);
                    elapsed
                });
            });
            samples[index].push(best);
        }
    }
    criterion_group.finish();
    let rows = cases.iter_mut().zip(samples).map(|(case, mut samples)| {
        samples.sort_by(f64::total_cmp);
        Row { name: case.name, median_ns: samples[samples.len() / 2], allocations: case.allocations() }
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
    fn around(&self, call: &mut dyn FnMut()) {
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
    let pool = runtime.block_on(one_connection()).expect("a database in memory");
    let pool_0_8 = runtime.block_on(one_connection_0_8()).expect("a database in memory");
    let ours = otel_db::sqlx::Pool::from(pool.clone());
    let sqlx_otel = sqlx_otel::PoolBuilder::from(pool.clone()).build();
    let sqlx_tracing = sqlx_tracing::Pool::from(pool_0_8.clone());
    macro_rules! case {
        ($name:expr, $query:expr, $pool:expr, |$connection:ident| $executor:expr) => {
            case!($name, $query, $pool, |$connection| $executor, |call: &mut dyn FnMut()| call())
        };
        ($name:expr, $query:expr, $pool:expr, |$connection:ident| $executor:expr, $around:expr) => {
            Case {
                name: $name,
                with_call: Box::new(|measure| {
                    let mut $connection = runtime.block_on($pool.acquire()).expect("a connection");
                    let mut call = || {
                        $around(&mut || {
                            black_box(runtime.block_on($query.fetch_one($executor)).expect("a row"));
                        });
                    };
                    (0..200).for_each(|_| call());
                    measure(&mut call);
                }),
            }
        };
    }
    let by_hand = |call: &mut dyn FnMut()| by_hand.around(call);
    let cases = vec![
        case!("bare sqlx 0.9", sqlx::query(SQL), pool, |connection| &mut *connection),
        case!("otel-db", sqlx::query(SQL), ours, |connection| &mut *connection),
        case!("sqlx-otel 0.5", sqlx::query(SQL), sqlx_otel, |connection| &mut connection),
        case!("by hand", sqlx::query(SQL), pool, |connection| &mut *connection, by_hand),
        case!("bare sqlx 0.8", sqlx_0_8::query(SQL), pool_0_8, |connection| &mut *connection),
        case!("sqlx-tracing 0.2 (no metrics)", sqlx_0_8::query(SQL), sqlx_tracing, |connection| {
            &mut connection
        }),
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
