//! One case many times, for a profiler: `repeat <case> <phase> <times>`.

use bench_http::{client, floor, server, telemetry};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, case, phase, times] = arguments.as_slice() else {
        panic!(
            "repeat <bare|empty|ours|contrib|floor|client|bare-client> <none|sampled|parent|unsampled|metrics> <times>"
        )
    };
    let times: usize = times.parse().expect("a number");
    let installed = (phase != "none").then(telemetry::install);
    telemetry::sample(phase != "unsampled");
    if phase == "metrics" {
        telemetry::without_traces();
    }
    if case.ends_with("client") {
        let mut client = if case == "client" { client::ours() } else { client::bare() };
        (0..times).for_each(|_| client::call(&mut client));
        return;
    }
    let router = match case.as_str() {
        "bare" => server::bare(),
        "empty" => server::empty_layer(),
        "contrib" => server::contrib_tower(),
        "floor" => {
            let installed = installed.as_ref().expect("the floor needs providers");
            server::bare().layer(floor::FloorLayer::new(installed, phase != "metrics"))
        }
        _ => server::ours(),
    };
    let router = server::ready(router);
    (0..times).for_each(|_| server::call(&router, phase == "parent"));
}
