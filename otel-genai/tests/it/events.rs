//! Events.

use otel_genai::provider::Provider;
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry};

use crate::support::{genai, latest};

#[test]
fn a_result_of_an_evaluation_belongs_to_the_span_that_was_judged() {
    let telemetry = TestTelemetry::new();
    let genai = genai(&telemetry);
    let chat = genai.chat(Provider::OpenAi, "gpt-4o").start();
    let result = genai.evaluation("relevance").with_score(0.9).with_label("relevant");
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
