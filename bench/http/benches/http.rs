//! Ours next to the others, in turns.

use bench_http::rounds::{Case, Results, measure};
use bench_http::{client, floor, server, telemetry};
use criterion::Criterion;
use tower::{Layer, Service};

type RouterOf = (&'static str, axum::Router);

fn servers(criterion: &mut Criterion, group: &str, parent: bool, routers: Vec<RouterOf>) -> Results {
    let cases = routers
        .into_iter()
        .map(|(name, router)| (name, server::ready(router)))
        .map(|(name, router)| Case { name, call: Box::new(move || server::call(&router, parent)) });
    measure(criterion, group, cases.collect())
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let mut results = Vec::new();
    let routers = || {
        vec![
            ("bare", server::bare()),
            ("empty layer", server::empty_layer()),
            ("otel-http", server::ours()),
            ("opentelemetry-instrumentation-tower", server::contrib_tower()),
            ("tower-otel", server::tower_otel()),
            ("axum-tracing-opentelemetry (no metrics)", server::axum_tracing()),
        ]
    };
    results.push(servers(&mut criterion, "server, nothing installed", false, routers()));

    let installed = telemetry::install();
    let with_floor = || {
        let floor = server::bare().layer(floor::FloorLayer::new(&installed, true));
        let mut routers = routers();
        routers.push(("by hand", floor));
        routers
    };
    telemetry::sample(true);
    results.push(servers(&mut criterion, "server, traces and metrics", false, with_floor()));
    results.push(servers(&mut criterion, "server, traces and metrics, a parent", true, with_floor()));
    results.push(clients(&mut criterion, "client in process, traces and metrics"));
    results.push(reqwests(&mut criterion, "reqwest on loopback, traces and metrics"));
    telemetry::sample(false);
    results.push(servers(&mut criterion, "server, unsampled, metrics", false, with_floor()));

    telemetry::without_traces();
    let routers = vec![
        ("bare", server::bare()),
        ("empty layer", server::empty_layer()),
        ("otel-http", server::ours()),
        ("opentelemetry-instrumentation-tower", server::contrib_tower_metrics()),
        ("tower-otel", server::tower_otel_metrics()),
        ("by hand", server::bare().layer(floor::FloorLayer::new(&installed, false))),
    ];
    results.push(servers(&mut criterion, "server, metrics alone", false, routers));
    results.iter().for_each(|results| results.print("otel-http"));
}

fn clients(criterion: &mut Criterion, group: &str) -> Results {
    let clients =
        [("bare", client::bare()), ("otel-http", client::ours()), ("tower-otel", client::tower_otel())];
    let cases = clients
        .into_iter()
        .map(|(name, mut client)| Case { name, call: Box::new(move || client::call(&mut client)) });
    measure(criterion, group, cases.collect())
}

fn reqwests(criterion: &mut Criterion, group: &str) -> Results {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = format!("http://{}/users/42", runtime.block_on(client::serve()));
    let (runtime, url) = (&runtime, url.as_str());
    let plain = || reqwest::Client::builder().no_proxy().build().expect("a client");
    let (bare, ours) = (plain(), otel_http::reqwest::Client::new(plain()));
    let older = &telemetry::older_subscriber();
    let service = || tower_otel::trace::HttpLayer::client(tracing::Level::INFO).layer(plain());
    let traced = reqwest_middleware::ClientBuilder::new(plain())
        .with(reqwest_tracing::TracingMiddleware::<reqwest_tracing::SpanBackendWithUrl>::new())
        .build();
    let read = move |sent: &mut dyn FnMut() -> Sent| {
        let answer = async { sent().await.bytes().await };
        std::hint::black_box(runtime.block_on(answer).expect("a body"));
    };
    let mut service = service();
    let cases = vec![
        Case { name: "bare", call: Box::new(move || read(&mut || answer(bare.get(url).send()))) },
        Case { name: "otel-http", call: Box::new(move || read(&mut || answer(ours.get(url).send()))) },
        Case {
            name: "tower-otel (no metrics)",
            call: Box::new(move || {
                read(&mut || {
                    let request = reqwest::Request::new(http::Method::GET, url.parse().expect("a URL"));
                    answer(service.call(request))
                });
            }),
        },
        Case {
            name: "reqwest-tracing (no metrics)",
            call: Box::new(move || {
                tracing::dispatcher::with_default(older, || read(&mut || answer(traced.get(url).send())));
            }),
        },
    ];
    measure(criterion, group, cases)
}

type Sent = std::pin::Pin<Box<dyn Future<Output = reqwest::Response>>>;

fn answer<E: std::fmt::Debug>(sent: impl Future<Output = Result<reqwest::Response, E>> + 'static) -> Sent {
    Box::pin(async { sent.await.expect("an answer") })
}
