//! Set-up that the tests share.

use otel_genai::content::ContentPolicy;
use otel_genai::{GenAi, GenAiBuilder, GenAiConventions};
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry};

pub(crate) const EARLY: &str = "otel_genai.ended_early";
pub(crate) const DURATION: &str = "gen_ai.client.operation.duration";
pub(crate) const TOKENS: &str = "gen_ai.client.token.usage";

/// A builder with the providers of the test; nothing is read from the environment.
pub(crate) fn builder(telemetry: &TestTelemetry) -> GenAiBuilder {
    GenAi::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_logger_provider(&telemetry.logger_provider())
        .with_conventions(GenAiConventions::V1_41)
        .with_content_policy(ContentPolicy::none())
}

pub(crate) fn genai(telemetry: &TestTelemetry) -> GenAi {
    builder(telemetry).build()
}

pub(crate) fn latest(telemetry: &TestTelemetry) -> GenAi {
    builder(telemetry).with_conventions(GenAiConventions::Latest).build()
}

/// Everything by the conventions, nothing open.
#[track_caller]
pub(crate) fn assert_conventions(telemetry: &TestTelemetry) {
    // That of MCP 1.41; a later version of the core renames it.
    let conventions = Conventions::new().allow("rpc.response.status_code");
    assert_eq!(conventions.check(telemetry), [], "{}", telemetry.tree());
    telemetry.assert_nothing_in_flight();
}
