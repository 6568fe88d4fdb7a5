//! Streams that hold their operation.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, Stream, StreamExt, stream};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use otel_genai::GenAiInference;
use otel_genai::provider::{Api, Provider};
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::{DURATION, EARLY, assert_conventions, genai};

const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const NEXT: &str = "gen_ai.client.operation.time_per_output_chunk";

fn start(telemetry: &TestTelemetry) -> GenAiInference {
    genai(telemetry).chat(Provider::OpenAi, "gpt-4o").with_stream(true).start()
}

fn watch<S: Stream<Item = Result<&'static str, std::fmt::Error>>>(
    telemetry: &TestTelemetry,
    items: S,
) -> impl Stream<Item = S::Item> {
    start(telemetry).watch_results(items, |item, chunk| {
        assert_ne!(*item, "bomb", "a test panics here");
        let output = chunk.response.usage.output_tokens.unwrap_or(0) + 1;
        chunk.response.usage.output_tokens = Some(output);
        if *item == "ping" {
            chunk.set_output(0);
        }
    })
}

#[track_caller]
fn assert_once(telemetry: &TestTelemetry, tokens: i64, chunks: (u64, u64), error_type: Option<&str>) {
    assert_conventions(telemetry);
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    let span = telemetry.span("chat gpt-4o");
    assert!(span.has("gen_ai.usage.output_tokens", tokens), "{}", telemetry.tree());
    assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), error_type);
    let count = |name: &str| {
        let points = telemetry.metrics().into_iter().filter(|metric| metric.name == name);
        points.flat_map(|metric| metric.points).map(|point| point.histogram().unwrap().count).sum::<u64>()
    };
    assert_eq!((count(FIRST), count(NEXT)), chunks);
}

#[tokio::test]
async fn to_the_end() {
    let telemetry = TestTelemetry::new();
    let items = stream::iter([Ok("ping"), Ok("a"), Ok("b"), Ok("ping"), Ok("c")]);
    let seen: Vec<_> = watch(&telemetry, items).collect().await;
    assert_eq!(seen.len(), 5);
    assert_once(&telemetry, 5, (1, 2), None);
    assert!(telemetry.span("chat gpt-4o").attribute(EARLY).is_none(), "{}", telemetry.tree());
}

#[tokio::test]
async fn dropped_in_the_middle() {
    let telemetry = TestTelemetry::new();
    let mut items = Box::pin(watch(&telemetry, stream::iter([Ok("a"), Ok("b")]).chain(stream::pending())));
    items.next().await;
    items.next().await;
    assert!(items.next().now_or_never().is_none());
    drop(items);
    assert_once(&telemetry, 2, (1, 1), None);
    assert!(telemetry.span("chat gpt-4o").has(EARLY, true), "{}", telemetry.tree());
}

#[tokio::test]
async fn chunks_that_come_at_once_do_not_all_wait_for_the_end() {
    let telemetry = TestTelemetry::new();
    let endless = stream::iter([Ok("a"); 40]).chain(stream::pending());
    let mut items = Box::pin(watch(&telemetry, endless));
    for _ in 0..40 {
        items.next().await;
    }
    let so_far = telemetry.histogram_count(NEXT);
    assert!((32..=39).contains(&so_far), "{so_far} of 39 are recorded");
    drop(items);
    assert_once(&telemetry, 40, (1, 39), None);
}

#[tokio::test]
async fn an_item_that_is_an_error() {
    let telemetry = TestTelemetry::new();
    let items = stream::iter([Ok("a"), Err(std::fmt::Error), Ok("b")]);
    assert_eq!(watch(&telemetry, items).count().await, 3);
    assert_once(&telemetry, 2, (1, 1), Some("core::fmt::Error"));
}

#[tokio::test]
async fn a_stream_that_panics_and_a_reader_that_does() {
    let telemetry = TestTelemetry::new();
    let items = stream::iter([Ok("a")]).chain(stream::once(async { panic!("a test panics here") }));
    let run = AssertUnwindSafe(watch(&telemetry, items).count()).catch_unwind().await;
    assert!(run.is_err());
    assert_once(&telemetry, 1, (1, 0), Some("panic"));

    let telemetry = TestTelemetry::new();
    let items = stream::iter([Ok("a"), Ok("bomb"), Ok("b")]);
    assert_eq!(watch(&telemetry, items).count().await, 3, "the application gets its items");
    assert_once(&telemetry, 2, (1, 2), None);
}

#[tokio::test]
async fn items_are_made_in_the_context_of_the_span() {
    let telemetry = TestTelemetry::new();
    let items = stream::iter([Ok("a")]).map(|item| {
        assert!(Context::current().span().span_context().is_valid());
        item
    });
    watch(&telemetry, items).count().await;
    assert_once(&telemetry, 1, (1, 0), None);
}

#[tokio::test]
async fn bytes_of_a_known_api() {
    let telemetry = TestTelemetry::new();
    let body = "data: {\"id\":\"r1\",\"model\":\"m1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n\
        data: {\"id\":\"r1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    for size in [1, 7, body.len()] {
        telemetry.clear();
        let pieces: Vec<_> = body.as_bytes().chunks(size).map(Ok::<_, Infallible>).collect();
        let watched =
            start(&telemetry).watch_bytes(Api::OpenAiChat, "text/event-stream", stream::iter(pieces));
        watched.count().await;
        let span = telemetry.span("chat gpt-4o");
        assert!(span.has("gen_ai.usage.output_tokens", 2) && span.has("gen_ai.response.id", "r1"));
    }
    let broken = stream::iter([Ok(&body.as_bytes()[..100]), Err(std::fmt::Error)]);
    telemetry.clear();
    start(&telemetry).watch_bytes(Api::OpenAiChat, "text/event-stream", broken).count().await;
    let span = telemetry.span("chat gpt-4o");
    assert!(span.has("error.type", "core::fmt::Error") && span.has("gen_ai.response.id", "r1"));
}
