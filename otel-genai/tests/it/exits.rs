//! Every way out of an operation: one span, one duration, what was known by then.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::{FutureExt, poll};
use opentelemetry::trace::Status;
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiInference};
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::{DURATION, EARLY, TOKENS, assert_conventions, genai};

fn start(genai: &GenAi) -> GenAiInference {
    let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
    chat.response().usage.input_tokens = Some(7);
    chat
}

/// One span, one duration, and the tokens that were known.
#[track_caller]
fn assert_once(telemetry: &TestTelemetry, error_type: Option<&str>) {
    assert_conventions(telemetry);
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    assert_eq!(telemetry.histogram_count(TOKENS), 1);
    let span = telemetry.span("chat gpt-4o");
    assert!(span.has("gen_ai.usage.input_tokens", 7), "{}", telemetry.tree());
    assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), error_type);
    let status = if error_type.is_some() { Status::error("") } else { Status::Unset };
    assert_eq!(span.status, status);
    assert_eq!(telemetry.points(DURATION)[0].attribute("error.type").is_some(), error_type.is_some());
}

#[test]
fn ended() {
    let telemetry = TestTelemetry::new();
    start(&genai(&telemetry)).end();
    assert_once(&telemetry, None);
}

#[test]
fn failed() {
    let telemetry = TestTelemetry::new();
    start(&genai(&telemetry)).fail("rate_limit_exceeded");
    assert_once(&telemetry, Some("rate_limit_exceeded"));
}

#[test]
fn dropped() {
    let telemetry = TestTelemetry::new();
    drop(start(&genai(&telemetry)));
    assert_once(&telemetry, None);
}

#[tokio::test]
async fn an_error_that_leaves_the_function() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let ask = async {
        let mut chat = start(&genai);
        chat.call(async { Err::<(), _>(std::fmt::Error) }).await?;
        chat.end();
        Ok::<_, std::fmt::Error>(())
    };
    assert!(ask.await.is_err());
    assert_once(&telemetry, Some("core::fmt::Error"));
    assert!(telemetry.span("chat gpt-4o").attribute(EARLY).is_none(), "the call came to its end");
}

#[tokio::test]
async fn dropped_when_the_call_had_its_answer() {
    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    chat.call(async { Ok::<_, std::fmt::Error>(()) }).await.unwrap();
    drop(chat);
    assert_once(&telemetry, None);
    assert!(telemetry.span("chat gpt-4o").attribute(EARLY).is_none(), "{}", telemetry.tree());
}

#[tokio::test]
async fn a_boxed_error_has_no_name() {
    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    let error: Box<dyn std::error::Error + Send + Sync> = "a message with a pr0mpt".into();
    assert!(chat.call(async { Err::<(), _>(error) }).await.is_err());
    chat.end();
    assert_once(&telemetry, Some("_OTHER"));
}

#[tokio::test]
async fn a_second_try_that_goes_well() {
    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    assert!(chat.call(async { Err::<(), _>(std::fmt::Error) }).await.is_err());
    assert!(chat.call(async { Ok::<_, std::fmt::Error>(()) }).await.is_ok());
    chat.end();
    assert_once(&telemetry, None);
}

#[tokio::test]
async fn cancelled_while_it_waits() {
    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    let mut asked = Box::pin(async move { chat.call(pending::<Result<(), std::fmt::Error>>()).await });
    assert!(poll!(&mut asked).is_pending());
    drop(asked);
    assert_once(&telemetry, None);
    assert!(telemetry.span("chat gpt-4o").has(EARLY, true), "{}", telemetry.tree());
}

#[tokio::test]
async fn panics() {
    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    let run = catch_unwind(AssertUnwindSafe(|| chat.run(|| panic!("a test panics here"))));
    assert!(run.is_err());
    assert_once(&telemetry, Some("panic"));
    // Whoever holds it drops it later.
    drop(chat);
    assert_once(&telemetry, Some("panic"));

    let telemetry = TestTelemetry::new();
    let mut chat = start(&genai(&telemetry));
    let asked = async { chat.call(async { panic!("a test panics here") as Result<(), ()> }).await };
    assert!(AssertUnwindSafe(asked).catch_unwind().await.is_err());
    assert_once(&telemetry, Some("panic"));
}

#[test]
fn an_error_in_the_response() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    for (code, expected) in [("overloaded_error", "overloaded_error"), ("a text with blanks", "_OTHER")] {
        telemetry.clear();
        let mut chat = start(&genai);
        let mut error = otel_genai::provider::ProviderError::default();
        error.code = Some(code.into());
        chat.response().error = Some(error);
        chat.end();
        assert!(telemetry.span("chat gpt-4o").has("error.type", expected), "{}", telemetry.tree());
    }
}
