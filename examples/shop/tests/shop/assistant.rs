//! The assistant: an agent, its model and its tool, in one trace.

use opentelemetry::trace::SpanKind;
use otel_testing::{Captured, ReceivedSpan};

use crate::process::{Folder, shop};

#[test]
fn a_question_is_a_tree_of_agent_model_and_tool_with_tokens() {
    let folder = Folder::create();
    let file = folder.path.join("telemetry.json");
    let file = file.to_str().expect("the folder's name is text");
    let output = shop(["--orders", "1", "--json", file])
        .env_remove("OPENAI_BASE_URL")
        .env_remove("OPENAI_API_KEY")
        .env_remove("OPENAI_MODEL")
        .output()
        .expect("the shop starts");
    let stdout = String::from_utf8(output.stdout).expect("the output is text");
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("the assistant says: Your last order is paid; there are 1 in all."), "{stdout}");
    let json = std::fs::read_to_string(file).expect("the file is written");
    let report = Captured::from_otlp_json(&json).expect("the file is OTLP/JSON");

    let agent =
        report.spans.iter().find(|span| span.name == "invoke_agent shop-assistant").expect("an agent");
    let trace = report.trace(&agent.trace_id).expect("it is in a trace");
    let inside = trace.children(&agent.span_id);
    let names: Vec<(&str, &SpanKind)> = inside.iter().map(|span| (&*span.name, &span.kind)).collect();
    let chat = ("chat gpt-4o-mini", &SpanKind::Client);
    assert_eq!(names, [chat, ("execute_tool lookup_orders", &SpanKind::Internal), chat]);
    let [statement] = trace.children(&inside[1].span_id)[..] else { panic!("{}", trace.tree()) };
    assert_eq!(statement.name, "SELECT orders");
    let tokens = |span: &ReceivedSpan, kind: &str| -> i64 {
        let count = span.attribute(&format!("gen_ai.usage.{kind}_tokens"));
        count.and_then(|count| count.as_int()).expect("a number")
    };
    for kind in ["input", "output"] {
        let sum: i64 = [inside[0], inside[2]].map(|span| tokens(span, kind)).iter().sum();
        assert!(sum > 0);
        assert_eq!(tokens(agent, kind), sum, "{kind}");
    }
    // Each call of the model is carried by a request, which the model's server has seen.
    for chat in [inside[0], inside[2]] {
        let [request] = trace.children(&chat.span_id)[..] else { panic!("{}", trace.tree()) };
        let [served] = trace.children(&request.span_id)[..] else { panic!("{}", trace.tree()) };
        assert_eq!((&request.kind, &served.kind), (&SpanKind::Client, &SpanKind::Server));
    }
}
