//! Repeats one case, for callgrind: `repeat-grpc CASE COUNT`.

use bench_grpc::layers::{bare, by_hand, count, our_client, our_server, ours, say, tonic_tracing};
use bench_http::telemetry;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, times] = arguments.as_slice() else { panic!("repeat-grpc CASE COUNT") };
    let times: u32 = times.parse().expect("a number");
    let installed = telemetry::install();
    telemetry::sample(!case.ends_with("unsampled"));
    if case.ends_with("metrics") {
        telemetry::without_traces();
    }
    let mut call: Box<dyn FnMut()> = match case.as_str() {
        "bare" => Box::new(say(bare())),
        "ours" | "ours-unsampled" => Box::new(say(ours())),
        "floor" | "floor-unsampled" => Box::new(say(by_hand(&installed))),
        "tonic-tracing" | "tonic-tracing-unsampled" => Box::new(tonic_tracing()),
        "client" | "client-unsampled" => Box::new(say(our_client())),
        "server" | "server-unsampled" | "server-metrics" => Box::new(say(our_server())),
        "stream-bare" => Box::new(count(bare(), 10_000)),
        "stream-ours" => Box::new(count(ours(), 10_000)),
        other => panic!("no case {other}"),
    };
    (0..times).for_each(|_| call());
    drop(installed);
}
