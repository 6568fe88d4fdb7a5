//! What telemetry costs a whole service. The page of the results is `docs/src/operations/overhead.md`.
//!
//! An axum server in a process of its own, on one core of its own, exports over gRPC to a local sink that only counts.
//! Clients of this process drive it: first as fast as it goes, then with 10,000 requests a second. The servers take turns,
//! each as a new process, and the table has the median of the turns. Ratios are to the bare server of the same turn.
//!
//! ```sh
//! scripts/overhead            # about six minutes
//! scripts/overhead --quick    # one minute, and only an idea
//! ```

mod load;
mod process;
mod server;
mod table;

use std::net::SocketAddr;
use std::time::Duration;

use load::{Load, Pace};
use process::{Place, Process};
use server::{BARE, BARE_AGAIN, CONTRIB, OURS, TOWER_OTEL, is_bare};
use table::Row;

pub type Failure = Box<dyn std::error::Error>;

/// Requests a second, where it is not as many as there can be.
const STEADY: f64 = 10_000.0;

/// A server, and the fraction of its traces that is sampled.
type Case = (&'static str, f64);

const SAMPLED: [Case; 5] = [(BARE, 1.0), (OURS, 1.0), (CONTRIB, 1.0), (TOWER_OTEL, 1.0), (BARE_AGAIN, 1.0)];
const LESS_SAMPLED: [Case; 9] = [
    (BARE, 1.0),
    (OURS, 1.0),
    (OURS, 0.1),
    (OURS, 0.01),
    (CONTRIB, 1.0),
    (CONTRIB, 0.1),
    (CONTRIB, 0.01),
    (TOWER_OTEL, 1.0),
    (BARE_AGAIN, 1.0),
];

/// The title of a table, the number of connections, and who is asked how.
const TABLES: [(&str, usize, Pace, &[Case]); 4] = [
    ("At saturation, 32 connections", 32, Pace::Saturation, &SAMPLED),
    ("At saturation, 128 connections", 128, Pace::Saturation, &SAMPLED),
    ("At 10,000 requests/s", 32, Pace::Steady(STEADY), &LESS_SAMPLED),
    ("At 10,000 requests/s, clients with timers of a millisecond", 32, Pace::Timers(STEADY), &SAMPLED),
];

#[derive(Debug, Clone, Copy)]
struct Plan {
    turns: usize,
    warm_up: Duration,
    measured: Duration,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sink"] => Ok(bench_sink::run()?),
        ["serve", variant] => server::run(variant),
        [] => compare(Plan {
            turns: 5,
            warm_up: Duration::from_millis(500),
            measured: Duration::from_millis(2000),
        }),
        ["--quick"] => compare(Plan {
            turns: 2,
            warm_up: Duration::from_millis(300),
            measured: Duration::from_millis(700),
        }),
        other => Err(format!("unknown: {other:?}; there is --quick and nothing else").into()),
    }
}

/// Which core is whose.
struct Cores {
    server: Place,
    clients: usize,
    /// Shared with the clients if there are but two. They come first then: what a response takes should not contain the work
    /// of the sink, which stands for another machine.
    sink: Place,
}

fn compare(plan: Plan) -> Result<(), Failure> {
    let count = std::thread::available_parallelism()?.get();
    let cores = Cores {
        server: Place { core: 0, yields: false },
        clients: 1 % count,
        sink: Place { core: 2.min(count - 1), yields: count < 3 },
    };
    process::stay_on(cores.clients)?;
    let sink = Process::start(&["sink"], &cores.sink, &[])?;
    println!(
        "{count} cores{}; {} turns of {:.1?} each; OTLP over gRPC, not compressed",
        if process::has_taskset() { "" } else { ", nobody pinned: taskset is not there" },
        plan.turns,
        plan.measured
    );
    for (title, connections, pace, cases) in TABLES {
        let mut turns = Vec::new();
        for _ in 0..plan.turns {
            let connect = |server| Load::connect(server, connections, pace);
            let rows: Result<Vec<Row>, Failure> =
                cases.iter().map(|case| measure(*case, connect, plan, &cores, &sink)).collect();
            turns.push(rows?);
        }
        println!("\n{title}\n\n{}", table::table(cases, &turns));
    }
    Ok(())
}

fn measure(
    (variant, sampled): Case,
    connect: impl Fn(SocketAddr) -> Result<Load, Failure>,
    plan: Plan,
    cores: &Cores,
    sink: &Process,
) -> Result<Row, Failure> {
    let environment = [
        ("OTEL_SERVICE_NAME", "overhead".to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", sink.address)),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()),
        ("OTEL_TRACES_SAMPLER_ARG", sampled.to_string()),
        // The others have none.
        ("OTEL_LOGS_EXPORTER", "none".to_owned()),
        ("RUST_LOG", "warn".to_owned()),
    ];
    let counted = bench_sink::counts(sink.address)?;
    let server = Process::start(&["serve", variant], &cores.server, &environment)?;
    let mut load = connect(server.address)?;
    let warm_up = load.run(plan.warm_up)?.latencies.len();
    let cpu = server.cpu()?;
    let seen = load.run(plan.measured)?;
    let cpu = server.cpu()? - cpu;
    let (memory, heap) = server.memory()?;
    drop(load);
    server.finish()?;
    let after = bench_sink::counts(sink.address)?;
    let (spans, bytes) = ((after.spans - counted.spans) as f64, (after.bytes - counted.bytes) as f64);
    let requests = seen.latencies.len() as f64;
    // One more asks how long a response is.
    let expected = (requests + warm_up as f64 + 1.0) * sampled;
    Ok(Row {
        throughput: requests / seen.elapsed.as_secs_f64(),
        cpu: cpu.as_secs_f64() / requests * 1e6,
        p50: seen.percentile(0.5).as_secs_f64() * 1e6,
        p99: seen.percentile(0.99).as_secs_f64() * 1e6,
        p999: seen.percentile(0.999).as_secs_f64() * 1e6,
        memory,
        heap,
        bytes_per_span: bytes / spans,
        arrived: if is_bare(variant) { f64::NAN } else { spans / expected * 100.0 },
    })
}
