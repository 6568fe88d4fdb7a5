//! Events.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opentelemetry::logs::Severity;
use opentelemetry::trace::TraceContextExt;
use otel_genai::provider::{Provider, ProviderError};
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry, log};

use crate::support::{builder, genai, latest};

#[test]
fn a_result_of_an_evaluation_belongs_to_the_span_that_was_judged() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
    let result = genai.evaluation("relevance").with_score(0.1).with_score(0.9).with_label("relevant");
    result.with_explanation("Fits").with_response_id("r1").emit_in(chat.context());
    chat.end();
    genai.evaluation("harm").with_error_type("timeout").emit();

    assert_eq!(Conventions::new().check(&telemetry), []);
    let logs = telemetry.logs();
    assert_eq!(logs.len(), 2);
    assert_eq!(logs[0].event_name, Some("gen_ai.evaluation.result"));
    assert!(
        logs[0].has("gen_ai.evaluation.score.value", 0.9)
            && logs[0].has("gen_ai.evaluation.name", "relevance")
    );
    assert_eq!(logs[0].attributes.len(), 5, "each is there once: {:?}", logs[0]);
    assert_eq!(logs[0].span_id, Some(telemetry.span("chat gpt-4o").span_context.span_id()));
    assert!(logs[1].has("error.type", "timeout") && logs[1].span_id.is_none());
}

#[test]
fn the_details_of_a_call_are_recommended_later_and_a_choice_before() {
    let telemetry = TestTelemetry::new();
    genai(&telemetry).chat(Provider::OpenAi, "gpt-4o").start().end();
    assert!(telemetry.logs().is_empty());

    let mut chat = latest(&telemetry).chat(Provider::OpenAi, "gpt-4o").with_seed(7).start();
    chat.response().id = Some("r1".into());
    chat.fail("overloaded");
    assert_eq!(Conventions::new().check(&telemetry), []);
    let log = &telemetry.logs()[0];
    assert_eq!(log.event_name, Some("gen_ai.client.inference.operation.details"));
    for (key, value) in [("gen_ai.response.id", "r1"), ("error.type", "overloaded")] {
        assert!(log.has(key, value), "{key}");
    }
    assert!(log.has("gen_ai.request.seed", 7));
    telemetry.assert_clean();
}

#[test]
fn a_failed_call_of_a_service_is_an_exception_for_whoever_asks() {
    let telemetry = TestTelemetry::new();
    let genai = builder(&telemetry).with_exception_events(&telemetry.logger_provider()).build();
    genai.chat(Provider::OpenAi, "gpt-4o").start().end();
    drop(genai.chat(Provider::OpenAi, "gpt-4o").start());
    genai.execute_tool("lookup").start().fail("timeout");
    assert!(telemetry.logs().is_empty());

    let chat = genai.chat(Provider::OpenAi, "gpt-5").start();
    let span_id = chat.context().span().span_context().span_id();
    chat.fail("overloaded");
    // The service's answer says so.
    let mut embeddings = genai.embeddings(Provider::OpenAi, "e").start();
    embeddings.response().error.insert(ProviderError::default()).code = Some("rate_limited".into());
    embeddings.end();
    // A panic inside of one.
    let mut chat = genai.chat(Provider::OpenAi, "gpt-5").start();
    let panicked = catch_unwind(AssertUnwindSafe(|| chat.run(|| panic!("secret"))));
    assert!(panicked.is_err());
    drop(chat);

    let logs = telemetry.logs();
    assert_eq!(logs.len(), 3);
    for (log, expected) in logs.iter().zip(["overloaded", "rate_limited", "panic"]) {
        assert_eq!(log.event_name, Some("gen_ai.client.operation.exception"));
        assert!(log.has("exception.type", expected), "{expected}");
    }
    assert_eq!(logs[0].span_id, Some(span_id));
    let event = log("").event_name("gen_ai.client.operation.exception").severity(Severity::Warn);
    telemetry.assert_logs(3, event);
    assert_eq!(Conventions::new().check(&telemetry), []);
}
