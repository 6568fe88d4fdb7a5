//! Ours next to the others, in turns: `SELECT 1`, prepared, on SQLite in memory.
//!
//! SQLite answers from a thread of the connection's, so most of a call is the hand-over to that thread and back. What an
//! instrumentation adds is a tenth of it, and comes out only like this:
//!
//! `chrt --batch 0 taskset -c 1 cargo bench -p bench-db`
//!
//! On one processor and as a batch, neither thread interrupts the other, and each call has exactly two switches between
//! them; else their number follows from the pace of the caller, and a slower one may have fewer. All cases of one version of
//! sqlx take turns with one connection, a few milliseconds each, and what a case adds is compared within the round.
//! sqlx-tracing works with sqlx 0.8 alone, so what it adds is counted from that.

use std::hint::black_box;
use std::time::Instant;

use bench_db::{SQL, one_connection, one_connection_0_8, telemetry};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer, TracerProvider};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 1_000;
/// Calls of one case in one round, before they are timed and while they are.
const WARM_UP: usize = 20;
const CALLS: usize = 100;

/// Calls the measuring function with what it is to call.
type WithCall<'a> = Box<dyn FnMut(&mut dyn FnMut(&mut dyn FnMut())) + 'a>;

struct Case<'a> {
    name: &'static str,
    /// Which case it is compared with, of the same version of sqlx.
    bare: usize,
    with_call: WithCall<'a>,
}

/// Nanoseconds of one call.
#[derive(Clone, Copy, Default)]
struct Sample {
    wall: f64,
    /// Of all threads of the process.
    cpu: f64,
}

impl Sample {
    fn now(started: Instant) -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self { wall: started.elapsed().as_nanos() as f64, cpu: cpu.tv_sec as f64 * 1e9 + cpu.tv_nsec as f64 }
    }
}

impl Case<'_> {
    fn sample(&mut self) -> Sample {
        let mut sample = Sample::default();
        (self.with_call)(&mut |call| {
            (0..WARM_UP).for_each(|_| call());
            let started = Instant::now();
            let before = Sample::now(started);
            (0..CALLS).for_each(|_| call());
            let after = Sample::now(started);
            let of_one = |before: f64, after: f64| (after - before) / CALLS as f64;
            sample = Sample { wall: of_one(before.wall, after.wall), cpu: of_one(before.cpu, after.cpu) };
        });
        sample
    }

    fn allocations(&mut self) -> i64 {
        let mut fewest = u64::MAX;
        (self.with_call)(&mut |call| {
            // SQLite's thread allocates too, sooner or later.
            for _ in 0..20 {
                fewest = fewest.min(allocation_counter::measure(&mut *call).count_total);
            }
        });
        fewest as i64
    }
}

/// The samples of all rounds, by case.
fn measure(cases: &mut [Case<'_>]) -> Vec<Vec<Sample>> {
    let mut samples = vec![Vec::new(); cases.len()];
    let count = cases.len();
    for round in 0..ROUNDS {
        for turn in 0..count {
            // Forwards and backwards, so that no case always follows the same one.
            let index = (round + if round % 2 == 0 { turn } else { count - turn }) % count;
            samples[index].push(cases[index].sample());
        }
    }
    samples
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The medians of rounds, drawn with replacement again and again: how far a figure would vary if all were measured anew.
fn spread(figure: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    let mut state = 1_u64;
    let mut draw = || {
        // The multiplier of Knuth's MMIX, of which the high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % ROUNDS
    };
    let mut figures: Vec<f64> =
        (0..400).map(|_| figure(&(0..ROUNDS).map(|_| draw()).collect::<Vec<_>>())).collect();
    figures.sort_by(f64::total_cmp);
    (figures[10], figures[389])
}

/// What each case adds to the bare one of its version of sqlx, and its share of what the first of the others adds.
fn print(group: &str, cases: &mut [Case<'_>], samples: &[Vec<Sample>]) {
    println!("\n{group}");
    println!(
        "{:<30} {:>8} {:>9} {:>9} {:>20} {:>20} {:>12}",
        "", "ns", "added ns", "cpu ns", "of sqlx-otel, 95 %", "by cpu, 95 %", "allocations"
    );
    let allocations: Vec<i64> = cases.iter_mut().map(Case::allocations).collect();
    let all: Vec<usize> = (0..ROUNDS).collect();
    let added = |case: usize, rounds: &[usize], clock: fn(&Sample) -> f64| {
        let bare = &samples[cases[case].bare];
        median(rounds.iter().map(|round| clock(&samples[case][*round]) - clock(&bare[*round])).collect())
    };
    let other = cases.iter().position(|case| case.name.starts_with("sqlx-otel")).expect("a case");
    for (index, case) in cases.iter().enumerate() {
        let is_bare = index == case.bare;
        let of_other = |clock: fn(&Sample) -> f64| {
            let share = |rounds: &[usize]| added(index, rounds, clock) / added(other, rounds, clock);
            let (low, high) = spread(share);
            if is_bare { String::new() } else { format!("{:.2} ({low:.2} .. {high:.2})", share(&all)) }
        };
        println!(
            "{:<30} {:>8.0} {:>9.0} {:>9.0} {:>20} {:>20} {:>12}",
            case.name,
            median(samples[index].iter().map(|sample| sample.wall).collect()),
            added(index, &all, |sample| sample.wall),
            added(index, &all, |sample| sample.cpu),
            of_other(|sample| sample.wall),
            of_other(|sample| sample.cpu),
            allocations[index] - if is_bare { 0 } else { allocations[case.bare] },
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

fn connections(runtime: &Runtime, by_hand: &ByHand, group: &str) {
    let pool = runtime.block_on(one_connection()).expect("a database in memory");
    let pool_0_8 = runtime.block_on(one_connection_0_8()).expect("a database in memory");
    let ours = otel_db::sqlx::Pool::from(pool.clone());
    let sqlx_otel = sqlx_otel::PoolBuilder::from(pool.clone()).build();
    let sqlx_tracing = sqlx_tracing::Pool::from(pool_0_8.clone());
    macro_rules! case {
        ($name:expr, $bare:expr, $query:expr, $pool:expr, |$connection:ident| $executor:expr) => {
            case!($name, $bare, $query, $pool, |$connection| $executor, |call: &mut dyn FnMut()| call())
        };
        ($name:expr, $bare:expr, $query:expr, $pool:expr, |$connection:ident| $executor:expr, $around:expr) => {
            Case {
                name: $name,
                bare: $bare,
                with_call: Box::new(|measure| {
                    let mut $connection = runtime.block_on($pool.acquire()).expect("a connection");
                    let mut call = || {
                        $around(&mut || {
                            black_box(runtime.block_on($query.fetch_one($executor)).expect("a row"));
                        });
                    };
                    measure(&mut call);
                }),
            }
        };
    }
    let by_hand = |call: &mut dyn FnMut()| by_hand.around(call);
    let mut cases = [
        case!("bare sqlx 0.9", 0, sqlx::query(SQL), pool, |connection| &mut *connection),
        case!("otel-db", 0, sqlx::query(SQL), ours, |connection| &mut *connection),
        case!("sqlx-otel 0.5", 0, sqlx::query(SQL), sqlx_otel, |connection| &mut connection),
        case!("by hand", 0, sqlx::query(SQL), pool, |connection| &mut *connection, by_hand),
        case!("bare sqlx 0.8", 4, sqlx_0_8::query(SQL), pool_0_8, |connection| &mut *connection),
        case!("sqlx-tracing 0.2 (no metrics)", 4, sqlx_0_8::query(SQL), sqlx_tracing, |connection| {
            &mut connection
        }),
    ];
    let samples = measure(&mut cases);
    print(group, &mut cases, &samples);
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let (tracer_provider, meter_provider) = telemetry::install();
    let meter = opentelemetry::metrics::MeterProvider::meter(&meter_provider, "by hand");
    let by_hand = ByHand {
        tracer: tracer_provider.tracer("by hand"),
        duration: meter.f64_histogram("db.client.operation.duration").with_unit("s").build(),
    };
    connections(&runtime, &by_hand, "one connection, traces and metrics");
    telemetry::sample(false);
    connections(&runtime, &by_hand, "one connection, unsampled, metrics");
}
