//! What watching costs a stream of 1,000 chunks: bare and through the layer, in turns, over a real socket and in memory.
//!
//! Budget: at most 5 % slower over a socket, and memory that does not grow with the stream. The server is another process on
//! another core, and sends the chunks as a model does, one by one without a pause, and all at once, which is the worst case.
//! The clients are async-openai, as it is used, and hyper's alone, which looks at nothing that comes: once as plain text,
//! which a model next door speaks, and once over TLS with HTTP/2, which providers speak.
//!
//! `cargo bench -p otel-genai --features async-openai --bench overhead`. Beside it there are
//!
//! - `-- rounds <times>`, which leaves out the model's pace and compares the others so many times: on a machine that is busy
//!   with other things too, the medians of 1,000 rounds say something;
//! - `-- count bare` and `-- count watched`, which read 10 streams in memory and nothing else;
//! - `-- stream <openai|hyper|hyper-https> <bare|watched> <as-a-model|one-by-one|at-once> <times>`, which reads so many over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints what it finds"
)]

mod client;
mod memory;
mod pinning;
mod server;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otel_core::Install;
use tokio::runtime::Runtime;

use client::Ask;
use server::{CHUNKS, Pace, Server};

const WARM_UP: usize = 1;

/// As otel-init installs them: spans are dropped when they end, metrics are kept and not exported. What is left is what the
/// application pays.
fn install() {
    let metrics = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    let traces = SdkTracerProvider::builder().build();
    opentelemetry::global::set_meter_provider(metrics);
    opentelemetry::global::set_tracer_provider(traces.clone());
    Install::new()
        .with_tracer_provider(traces)
        .with_sampler_reads_attributes(false)
        .with_bound_instruments(true)
        .announce();
}

/// What one stream took: on the clock, and of this process on the processors.
fn measure(runtime: &Runtime, ask: &Arc<Ask>, pace: Pace) -> [Duration; 2] {
    let (started, before) = (Instant::now(), cpu_time());
    stream(runtime, ask, pace);
    [started.elapsed(), cpu_time() - before]
}

/// In a task, as services do.
fn stream(runtime: &Runtime, ask: &Arc<Ask>, pace: Pace) {
    let ask = Arc::clone(ask);
    runtime.block_on(async { tokio::spawn(async move { ask(pace).await }).await.unwrap() });
}

/// What all threads of the process have run, as Linux counts it: on a busy machine the one number that says something.
fn cpu_time() -> Duration {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let line = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        nanoseconds += line.split(' ').next().unwrap().parse::<u64>().unwrap();
    }
    Duration::from_nanos(nanoseconds)
}

fn compare(name: &str, runtime: &Runtime, clients: [Ask; 2], pace: Pace, rounds: usize) {
    let clients = clients.map(Arc::new);
    let mut samples: [Vec<[Duration; 2]>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds + WARM_UP {
        // The order changes from round to round.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let sample = measure(runtime, &clients[which], pace);
            if round >= WARM_UP {
                samples[which].push(sample);
            }
        }
    }
    for (index, what) in ["clock", "processor"].into_iter().enumerate() {
        let of = |which: usize| samples[which].iter().map(move |times| times[index].as_secs_f64() * 1e6);
        let (bare, watched) = (median(of(0)), median(of(1)));
        let ratio = median(of(1).zip(of(0)).map(|(watched, bare)| watched / bare));
        let each = (watched - bare) * 1e3 / CHUNKS as f64;
        println!(
            "{name:<13} {:<11} {what:<10} {bare:>11.0} {watched:>11.0} {each:>10.0} {ratio:>8.3}",
            pace.name()
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn client(name: &str, server: &Server, is_watched: bool) -> Ask {
    match name {
        "hyper" => client::hyper(server.address, is_watched),
        "hyper-https" => client::hyper_tls(server, is_watched),
        _ => client::async_openai(server.address, is_watched),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    if arguments == ["serve"] {
        return server::serve();
    }
    install();
    if let ["count", what] = arguments[..] {
        // The first stream pays for what all share.
        memory::read(10, what == "watched");
        return (0..10).for_each(|_| memory::read(CHUNKS, what == "watched"));
    }
    let server = Server::start();
    pinning::stay_on_clients();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if let ["stream", name, what, pace, times] = arguments[..] {
        let ask = Arc::new(client(name, &server, what == "watched"));
        let pace = Pace::ALL.into_iter().find(|known| known.name() == pace).unwrap();
        return (0..times.parse().unwrap()).for_each(|_| stream(&runtime, &ask, pace));
    }
    let (rounds, paces) = match arguments[..] {
        ["rounds", times] => (times.parse().unwrap(), &Pace::ALL[1..]),
        _ => (100, &Pace::ALL[..]),
    };
    println!(
        "{:<36} {:>11} {:>11} {:>10} {:>8}",
        "1,000 chunks", "bare us", "watched us", "ns/chunk", "ratio"
    );
    for name in ["async-openai", "hyper", "hyper-https"] {
        for pace in paces {
            let clients = [false, true].map(|is_watched| client(name, &server, is_watched));
            let rounds = if matches!(pace, Pace::AsAModel) { 5 } else { rounds };
            compare(name, &runtime, clients, *pace, rounds);
        }
    }
    memory::print();
}
