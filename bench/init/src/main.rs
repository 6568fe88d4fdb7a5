//! Processor time of each span and each log record, to the answer of a local sink that only counts.
//!
//! The sender and the sink are processes of their own; the time is that of the sender's process, user and system, so
//! a busy machine changes it little. The senders take turns, and the median of the turns is shown: whole, and without what it
//! takes to make a span of the SDK, measured with a processor that drops it.
//!
//! ```sh
//! cargo run --release -p bench-init
//! ```

mod sender;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use sender::{DROPPED, LOGS, LOGS_SDK, OURS, OURS_DROPPED, SDK};

type Failure = Box<dyn std::error::Error>;

const TURNS: usize = 5;
const ITEMS: usize = 200_000;
/// As many spans as fit in the queue of the SDK, so that it drops none.
const SHORT: usize = 2000;
/// As many as fit in the memory of ours.
const LONG: usize = 100_000;
const SENDERS: [&str; 4] = [SDK, OURS, sender::NO_REDACTION, sender::SDK_QUEUE];
const WAYS: [(&str, &str); 4] =
    [("grpc", "none"), ("http/protobuf", "none"), ("grpc", "zstd"), ("http/protobuf", "zstd")];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sink"] => Ok(bench_sink::run()?),
        ["send", sender, protocol, compression, endpoint, threads, round, items] => {
            let (threads, round, items) = (threads.parse()?, round.parse()?, items.parse()?);
            sender::run(sender, protocol, compression, endpoint, threads, round, items)
        }
        [] => compare(),
        other => Err(format!("unknown: {other:?}").into()),
    }
}

/// Microseconds of processor time for each.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// All threads.
    whole: f64,
    /// The threads that make them.
    pushing: f64,
}

fn compare() -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let (mut sink, address) = start_sink(&program)?;
    let measure = |sender: &str,
                   (protocol, compression): (&str, &str),
                   threads: usize,
                   round: usize|
     -> Result<Cost, Failure> {
        let (threads, round) = (threads.to_string(), round.to_string());
        let output = Command::new(&program)
            .args([
                "send",
                sender,
                protocol,
                compression,
                &format!("http://{address}"),
                &threads,
                &round,
                &ITEMS.to_string(),
            ])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        match *numbers {
            [whole, pushing] => Ok(Cost { whole, pushing }),
            _ => {
                Err(format!("{sender} over {protocol}: {text}{}", String::from_utf8_lossy(&output.stderr))
                    .into())
            }
        }
    };
    println!(
        "| protocol | compression | sender | us of CPU | | without making a span of the SDK | spans per CPU second | |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for way in WAYS {
        let mut costs: Vec<Vec<f64>> = vec![Vec::new(); SENDERS.len()];
        let mut making = Vec::new();
        for _ in 0..TURNS {
            making.push(measure(DROPPED, way, 1, SHORT)?.whole);
            for (sender, costs) in SENDERS.iter().zip(&mut costs) {
                costs.push(measure(sender, way, 1, SHORT)?.whole);
            }
        }
        let making = median(making);
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        for (sender, cost) in SENDERS.iter().zip(&costs) {
            let (export, of_sdk) = (cost - making, costs[0] - making);
            let (protocol, compression) = way;
            println!(
                "| {protocol} | {compression} | {sender} | {cost:.2} | {:.1}x | {export:.2} | {:.0} | {:.1}x |",
                costs[0] / cost,
                1e6 / export,
                of_sdk / export
            );
        }
    }
    println!("\n| protocol | compression | sender | us of CPU | |\n|---|---|---|---|---|");
    for way in WAYS {
        let (mut upstream, mut own) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            upstream.push(measure(LOGS_SDK, way, 1, SHORT)?.whole);
            own.push(measure(LOGS, way, 1, SHORT)?.whole);
        }
        let ((protocol, compression), upstream, own) = (way, median(upstream), median(own));
        println!("| {protocol} | {compression} | {LOGS_SDK} | {upstream:.2} | 1.0x |");
        println!("| {protocol} | {compression} | {LOGS} | {own:.2} | {:.1}x |", upstream / own);
    }
    println!(
        "\n| sender | pushing threads | us of their CPU | spans per second of all | |\n|---|---|---|---|---|"
    );
    for sender in [DROPPED, OURS_DROPPED, OURS] {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            one.push(measure(sender, WAYS[0], 1, LONG)?.pushing);
            two.push(measure(sender, WAYS[0], 2, LONG)?.pushing);
        }
        let (one, two) = (median(one), median(two));
        println!("| {sender} | 1 | {one:.2} | {:.0} | |", 1e6 / one);
        println!("| {sender} | 2 | {two:.2} | {:.0} | {:.2}x |", 2e6 / two, 2.0 * one / two);
    }
    sink.kill()?;
    sink.wait()?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn start_sink(program: &std::path::Path) -> Result<(Child, SocketAddr), Failure> {
    let mut sink = Command::new(program).arg("sink").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(sink.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    Ok((sink, line.trim().parse()?))
}
