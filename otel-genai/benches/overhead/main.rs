//! What watching costs a stream of 1,000 chunks: bare and through the layer, in turns, over a real socket and in memory.
//!
//! Bare is hyper's client, which reads the frames of the body and looks at none. The server is in the same process and sends
//! each chunk by itself, so on few cores its work counts, too. Budget: at most 5 % slower over a socket, and memory that
//! does not grow with the stream.
//!
//! `-- count bare` and `-- count watched` read one stream in memory and nothing else, for a counter of instructions:
//! `valgrind --tool=callgrind target/release/deps/overhead-* count watched`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints what it finds"
)]

use std::convert::Infallible;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otel_core::Install;
use otel_genai::content::ContentPolicy;
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiConventions, GenAiLayer, RequestBody};
use tower::{Layer, Service, ServiceExt, service_fn};

const CHUNKS: usize = 1_000;
const ROUNDS: usize = 60;

/// A chunk as OpenAI sends it.
fn chunk(number: usize) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-B1jzMqgDuXSwQlLNVpwvJ8a6gUQeV\",\"object\":\"chat.completion.chunk\",\"created\":1740000000,\
         \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_eb9dce56a8\",\"choices\":\
         [{{\"index\":0,\"delta\":{{\"content\":\" word{number}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    ))
}

async fn answer() -> Response {
    // Each chunk is a write of its own, as a model's server flushes it.
    let chunks = stream::iter(0..CHUNKS).then(|number| async move {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(chunk(number))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
    response
}

fn genai() -> GenAi {
    GenAi::builder()
        .with_conventions(GenAiConventions::V1_41)
        .with_content_policy(ContentPolicy::none())
        .build()
}

fn layer(host: &str) -> GenAiLayer {
    GenAiLayer::builder().with_genai(genai()).with_openai_compatible(host, Provider::OpenAi).build()
}

type Client<B> = legacy::Client<HttpConnector, B>;

fn request<B: From<Bytes>>(address: SocketAddr) -> http::Request<B> {
    let body = Bytes::from_static(
        br#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#,
    );
    http::Request::post(format!("http://{address}/v1/chat/completions")).body(B::from(body)).unwrap()
}

/// What all threads of the process have run, as Linux counts it: on a busy machine the one number that says something.
fn cpu_time() -> Option<Duration> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let line = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += line.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// How long a stream took: on the clock, and on the processors.
async fn ask<S, B>(client: &mut S, address: SocketAddr) -> [Duration; 2]
where
    S: Service<http::Request<Full<Bytes>>, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let (started, before) = (Instant::now(), cpu_time().unwrap_or_default());
    let response = client.ready().await.unwrap().call(request(address)).await.unwrap();
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
    [started.elapsed(), cpu_time().unwrap_or_default() - before]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn over_a_socket() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/v1/chat/completions", post(answer));
    tokio::spawn(axum::serve(listener, app).into_future());

    let mut bare: Client<Full<Bytes>> = legacy::Client::builder(TokioExecutor::new()).build_http();
    let watched: Client<RequestBody<Full<Bytes>>> =
        legacy::Client::builder(TokioExecutor::new()).build_http();
    let mut watched = layer(&address.to_string()).layer(watched);
    let (mut bare_times, mut watched_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 5 {
        // The order changes from round to round.
        let (first, second);
        if round % 2 == 0 {
            first = ask(&mut bare, address).await;
            second = ask(&mut watched, address).await;
        } else {
            second = ask(&mut watched, address).await;
            first = ask(&mut bare, address).await;
        }
        if round >= 5 {
            bare_times.push(first);
            watched_times.push(second);
        }
    }
    for (index, what) in ["on the clock", "on the processors"].into_iter().enumerate() {
        let bare: Vec<Duration> = bare_times.iter().map(|times| times[index]).collect();
        let watched: Vec<Duration> = watched_times.iter().map(|times| times[index]).collect();
        let pairs = bare.iter().zip(&watched);
        let mut ratios: Vec<f64> = pairs.map(|(bare, watched)| watched.div_duration_f64(*bare)).collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let (bare, watched) = (median(bare), median(watched));
        println!(
            "over a socket, {CHUNKS} chunks, {what}: bare {bare:?}, watched {watched:?}, median ratio {ratio:.3}"
        );
    }
}

/// Reads a stream of so many chunks that are there already, through the layer or without it.
fn in_memory(chunks: usize, watched: bool) {
    let inner = service_fn(move |_: http::Request<RequestBody<Full<Bytes>>>| async move {
        let frames =
            stream::iter(0..chunks).map(|_| Ok::<_, Infallible>(http_body::Frame::data(one_chunk())));
        let mut response = http::Response::new(StreamBody::new(frames));
        response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
        Ok::<_, Infallible>(response)
    });
    let mut client = LAYERS.with(|layers| layers[usize::from(watched)].clone()).layer(inner);
    ask(&mut client, SocketAddr::from(([127, 0, 0, 1], 80))).now_or_never().unwrap();
}

thread_local! {
    static LAYERS: [GenAiLayer; 2] = [layer("elsewhere"), layer("127.0.0.1")];
    static CHUNK: Bytes = chunk(7);
}

fn one_chunk() -> Bytes {
    CHUNK.with(Bytes::clone)
}

fn cost_in_memory() {
    for _ in 0..3 {
        in_memory(CHUNKS, true);
    }
    let (mut bare, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (times, is_watched) in [(&mut bare, false), (&mut watched, true)] {
            let started = Instant::now();
            in_memory(CHUNKS, is_watched);
            times.push(started.elapsed());
        }
    }
    let each = (median(watched) - median(bare)) / u32::try_from(CHUNKS).unwrap();
    println!("in memory: watching costs {each:?} for each chunk");
    for chunks in [1_000, 10_000, 100_000] {
        let bare = allocation_counter::measure(|| in_memory(chunks, false));
        let watched = allocation_counter::measure(|| in_memory(chunks, true));
        let (count, bytes) = (watched.count_total - bare.count_total, watched.bytes_max - bare.bytes_max);
        println!("{chunks} chunks: {count} allocations more, {bytes} bytes more at the highest");
    }
}

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

fn main() {
    install();
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "count") {
        let watched = arguments.get(at + 1).is_some_and(|what| what == "watched");
        // The first stream pays for what all share.
        in_memory(10, watched);
        return (0..10).for_each(|_| in_memory(CHUNKS, watched));
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(over_a_socket());
    cost_in_memory();
}
