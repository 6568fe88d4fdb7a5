//! Streams that are there already: what watching costs by itself, in time and in memory.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::{Full, StreamBody};
use otel_genai::{GenAiLayer, GenAiRequestBody};
use tower::{Layer, service_fn};

use crate::client::{ask, layer};
use crate::server::{CHUNKS, chunk};

const ROUNDS: usize = 60;

thread_local! {
    static LAYERS: [GenAiLayer; 2] = [layer("elsewhere"), layer("127.0.0.1")];
    static CHUNK: Bytes = chunk(7);
}

/// Reads a stream of so many chunks, through the layer or without it.
pub(crate) fn read(chunks: usize, is_watched: bool) {
    let inner = service_fn(move |_: http::Request<GenAiRequestBody<Full<Bytes>>>| async move {
        let one = || CHUNK.with(Bytes::clone);
        let frames = stream::iter(0..chunks).map(move |_| Ok::<_, Infallible>(http_body::Frame::data(one())));
        let mut response = http::Response::new(StreamBody::new(frames));
        response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
        Ok::<_, Infallible>(response)
    });
    let client = LAYERS.with(|layers| layers[usize::from(is_watched)].clone()).layer(inner);
    ask(client, "http://127.0.0.1/v1/chat/completions".to_owned()).now_or_never().unwrap();
}

pub(crate) fn print() {
    for _ in 0..3 {
        read(CHUNKS, true);
    }
    let (mut bare, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (times, is_watched) in [(&mut bare, false), (&mut watched, true)] {
            let started = Instant::now();
            read(CHUNKS, is_watched);
            times.push(started.elapsed());
        }
    }
    let each = (median(watched) - median(bare)) / u32::try_from(CHUNKS).unwrap();
    println!("in memory: watching costs {each:?} for each chunk");
    for chunks in [1_000, 10_000, 100_000] {
        let bare = allocation_counter::measure(|| read(chunks, false));
        let watched = allocation_counter::measure(|| read(chunks, true));
        let (count, bytes) = (watched.count_total - bare.count_total, watched.bytes_max - bare.bytes_max);
        println!("{chunks} chunks: {count} allocations more, {bytes} bytes more at the highest");
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
