//! What the environment says, in processes of their own.

use std::process::Command;

use otel_genai::GenAi;
use otel_genai::content::{Message, RequestContent};

const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
const OPT_IN: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";
/// Set in the processes: what has to come of the others.
const EXPECTED: &str = "OTEL_GENAI_TEST_EXPECTED";

/// The state of the conventions, and how many attributes a message makes on the span and on the event.
fn outcome() -> String {
    let genai = GenAi::new();
    let mut content = RequestContent::default();
    content.input_messages = vec![Message::text("user", "Hi")];
    let captured = genai.content_policy().apply(content, Vec::new());
    let (span, event) = (captured.span_attributes.len(), captured.event_attributes.len());
    format!("{:?} {span} {event}", genai.conventions())
}

#[test]
fn every_spelling_of_both_variables_does_what_it_says() {
    if let Ok(expected) = std::env::var(EXPECTED) {
        assert_eq!(outcome(), expected);
        return;
    }
    let states = [
        (None, "V1_41"),
        (Some(""), "V1_41"),
        (Some("http,database/dup"), "V1_41"),
        (Some("gen_ai"), "V1_41"),
        (Some("gen_ai_latest_experimental"), "Latest"),
        (Some("http, gen_ai_latest_experimental ,rpc"), "Latest"),
    ];
    let captures = [
        (None, "0 0"),
        (Some(""), "0 0"),
        (Some("NO_CONTENT"), "0 0"),
        (Some("False"), "0 0"),
        (Some("whatever"), "0 0"),
        (Some("true"), "1 0"),
        (Some(" SPAN_ONLY "), "1 0"),
        (Some("event_only"), "0 1"),
        (Some("Span_And_Event"), "1 1"),
    ];
    for (opt_in, state) in states {
        for (capture, attributes) in captures {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "environment::every_spelling_of_both_variables_does_what_it_says"]);
            child.env_remove(OPT_IN).env_remove(CAPTURE).env(EXPECTED, format!("{state} {attributes}"));
            child.envs(opt_in.map(|value| (OPT_IN, value))).envs(capture.map(|value| (CAPTURE, value)));
            let output = child.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{opt_in:?} {capture:?}: {text}");
        }
    }
}
