//! The assistant: an agent, its model and its tool, in one trace.

use crate::otlp_json::{CLIENT, Report, SERVER, Span};
use crate::process::{Folder, shop};

const INTERNAL: u64 = 1;

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
    let report = Report::read(std::fs::read_to_string(file).expect("the file is written"));

    let agent =
        report.spans.iter().find(|span| span.name == "invoke_agent shop-assistant").expect("an agent");
    let trace = report.trace(&agent.trace_id);
    let mut inside: Vec<&&Span> =
        trace.iter().filter(|span| span.parent.as_deref() == Some(&*agent.span_id)).collect();
    // What comes from several threads is exported in any order.
    inside.sort_by_key(|span| span.start);
    let names: Vec<(&str, u64)> = inside.iter().map(|span| (&*span.name, span.kind)).collect();
    let chat = ("chat gpt-4o-mini", CLIENT);
    assert_eq!(names, [chat, ("execute_tool lookup_orders", INTERNAL), chat]);
    let tokens = |span: &Span, kind: &str| -> i64 {
        span.attributes[&format!("gen_ai.usage.{kind}_tokens")].parse().expect("a number")
    };
    for kind in ["input", "output"] {
        let sum: i64 = [inside[0], inside[2]].map(|span| tokens(span, kind)).iter().sum();
        assert!(sum > 0);
        assert_eq!(tokens(agent, kind), sum, "{kind}");
    }
    // Each call of the model is carried by a request, which the model's server has seen.
    for chat in [inside[0], inside[2]] {
        let request =
            trace.iter().find(|span| span.parent.as_deref() == Some(&*chat.span_id)).expect("a request");
        let served =
            trace.iter().find(|span| span.parent.as_deref() == Some(&*request.span_id)).expect("a server");
        assert_eq!((request.kind, served.kind), (CLIENT, SERVER));
    }
}
