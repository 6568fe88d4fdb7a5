//! Ours next to the others, in turns: `SELECT 1`, prepared, on SQLite in memory.
//!
//! SQLite answers from a thread of the connection's, so most of a call is the hand-over to that thread and back. What an
//! instrumentation adds is a tenth of it, and comes out only like this:
//!
//! `chrt --batch 0 taskset -c 1 cargo bench -p bench-db`
//!
//! On one processor and as a batch, neither thread interrupts the other, and each call has exactly two switches between
//! them; else their number follows from the pace of the caller, and a slower one may have fewer. All cases of one version of
//! sqlx take turns with one connection, a millisecond each, and what a case adds is compared within the round. Figures are
//! medians of several processes, and shares have the least and the most of them.
//! sqlx-tracing works with sqlx 0.8 alone, so what it adds is counted from that.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use bench_db::{SQL, one_connection, one_connection_0_8, telemetry};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Tracer, TracerProvider};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

/// Processes for each table.
const PROCESSES: usize = 15;
const ROUNDS: usize = 150;
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

/// What one process found out of one case: the call itself, and what it adds to the bare one, by the wall clock and by the
/// processor's; allocations.
type Figures = [f64; 4];

/// Prints the figures of each case, for the process that has started this one.
fn print_figures(cases: &mut [Case<'_>], samples: &[Vec<Sample>]) {
    let allocations: Vec<f64> = cases.iter_mut().map(|case| case.allocations() as f64).collect();
    for (index, case) in cases.iter().enumerate() {
        let (own, bare) = (&samples[index], &samples[case.bare]);
        let added = |clock: fn(&Sample) -> f64| {
            median(own.iter().zip(bare).map(|(own, bare)| clock(own) - clock(bare)).collect())
        };
        let wall = median(own.iter().map(|sample| sample.wall).collect());
        let more = if index == case.bare { 0.0 } else { allocations[case.bare] };
        let (by_wall, by_cpu) = (added(|sample| sample.wall), added(|sample| sample.cpu));
        println!("{}\t{wall}\t{by_wall}\t{by_cpu}\t{}", case.name, allocations[index] - more);
    }
}

/// The figures of a process of its own, by case: where code and data come to lie differs from process to process, and with it
/// what a call costs.
fn figures_of_a_process(phase: &str) -> Vec<(String, Figures)> {
    let program = std::env::current_exe().expect("its path");
    let output = Command::new(program).args(["--once", phase]).output().expect("a process");
    let lines = String::from_utf8(output.stdout).expect("text");
    let figures = lines.lines().map(|line| {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default().to_owned();
        (name, std::array::from_fn(|_| fields.next().and_then(|field| field.parse().ok()).expect("a number")))
    });
    figures.collect()
}

/// What each case adds to the bare one of its version of sqlx, and its share of what sqlx-otel adds.
fn compare(group: &str, phase: &str) {
    println!("\n{group}");
    println!(
        "{:<30} {:>8} {:>9} {:>9} {:>22} {:>22} {:>12}",
        "", "ns", "added ns", "cpu ns", "of sqlx-otel", "by cpu", "allocations"
    );
    let processes: Vec<_> = (0..PROCESSES).map(|_| figures_of_a_process(phase)).collect();
    let other = processes[0].iter().position(|(name, _)| name.starts_with("sqlx-otel")).expect("a case");
    for (index, (name, _)) in processes[0].iter().enumerate() {
        let of_all = |figure: &dyn Fn(&[(String, Figures)]) -> f64| -> Vec<f64> {
            processes.iter().map(|process| figure(process)).collect()
        };
        let middle = |figure: usize| median(of_all(&|process| process[index].1[figure]));
        let share = |figure: usize| {
            let mut shares = of_all(&|process| process[index].1[figure] / process[other].1[figure]);
            shares.sort_by(f64::total_cmp);
            let (least, most) = (shares[0], shares[PROCESSES - 1]);
            if middle(figure) == 0.0 {
                String::new()
            } else {
                format!("{:.2} ({least:.2} .. {most:.2})", median(shares))
            }
        };
        println!(
            "{name:<30} {:>8.0} {:>9.0} {:>9.0} {:>22} {:>22} {:>12}",
            middle(0),
            middle(1),
            middle(2),
            share(1),
            share(2),
            middle(3),
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

fn connections(runtime: &Runtime, by_hand: &ByHand) {
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
    print_figures(&mut cases, &samples);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, once, phase] = arguments.as_slice()
        && once == "--once"
    {
        return run_once(phase);
    }
    compare("one connection, traces and metrics", "sampled");
    compare("one connection, unsampled, metrics", "unsampled");
}

fn run_once(phase: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let (tracer_provider, meter_provider) = telemetry::install();
    telemetry::sample(phase == "sampled");
    let meter = opentelemetry::metrics::MeterProvider::meter(&meter_provider, "by hand");
    let by_hand = ByHand {
        tracer: tracer_provider.tracer("by hand"),
        duration: meter.f64_histogram("db.client.operation.duration").with_unit("s").build(),
    };
    connections(&runtime, &by_hand);
}
