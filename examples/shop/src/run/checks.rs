//! What a trace must hold to tell the whole story, and what is missing from it.

use crate::error::Outcome;
use crate::report::{Kind, Span, Trace};
use crate::run::shopper::Answer;

/// The one service that is called from outside, where a trace may have begun before.
const EDGE: &str = "gateway";

/// What is not as it should be with the orders, each as a sentence that names the order and its trace.
pub(super) fn problems(traces: &[Trace], answers: &[Answer]) -> Vec<String> {
    let mut problems = Vec::new();
    for answer in answers {
        problems.extend(answer.problem());
        let missing = missing_for_order(traces, answer);
        problems.extend(missing.into_iter().map(|missing| format!("{answer}: {missing}")));
    }
    problems
}

/// What the trace of an order lacks.
pub(super) fn missing_for_order(traces: &[Trace], answer: &Answer) -> Vec<String> {
    let Some(trace) = traces.iter().find(|trace| trace.id == answer.trace_id) else {
        return vec!["the trace is missing".to_owned()];
    };
    let mut missing = gaps(trace);
    // The sample orders begin at the gateway; those of a browser begin before.
    if !trace.spans.iter().any(|span| span.parent.is_none()) {
        missing.push("the root span is missing".to_owned());
    }
    if trace.services().len() < 3 {
        missing.push(format!("only {} services took part", trace.services().len()));
    }
    if answer.outcome == Outcome::Success && !is_linked(traces, &answer.trace_id) {
        missing.push("no notification links back to it".to_owned());
    }
    missing
}

/// What any trace lacks: parents that are not there, requests that nobody answered.
pub(super) fn gaps(trace: &Trace) -> Vec<String> {
    let mut gaps = Vec::new();
    for top in trace.tops().filter(|top| top.parent.is_some()) {
        if !(top.service == EDGE && top.kind == Kind::Server) {
            gaps.push(format!("the parent of `{} {}` is missing", top.service, top.name));
        }
    }
    // The call of a model is a client's span around the request that carries it; a database has no spans of its own.
    let is_request = |span: &&Span| {
        span.attribute("gen_ai.operation.name").is_none() && span.attribute("db.system.name").is_none()
    };
    let requests = trace.spans.iter().filter(is_request);
    for client in requests.filter(|span| span.kind == Kind::Client) {
        let answered = trace.children(client).filter(|child| child.kind == Kind::Server).count();
        // A request that found nobody to talk to was seen by its client alone.
        if answered != 1 && !matches!(client.attribute("error.type"), Some("connect" | "UNAVAILABLE")) {
            let (service, name) = (&client.service, &client.name);
            let url = client.attribute("url.full").unwrap_or_default();
            gaps.push(format!("`{service} {name} {url}` has {answered} server spans, not 1"));
        }
    }
    gaps
}

fn is_linked(traces: &[Trace], trace_id: &str) -> bool {
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    let mut consumers = spans.filter(|span| span.kind == Kind::Consumer);
    consumers.any(|span| span.links.iter().any(|(linked, _)| linked == trace_id))
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    /// An order through three services, and its notification.
    fn story() -> Vec<Span> {
        let mut notification = Span::sample("notifications", "n", None, Kind::Consumer);
        notification.trace_id = "other".to_owned();
        notification.links = vec![("order".to_owned(), "4".to_owned())];
        vec![
            Span::sample("gateway", "1", None, Kind::Server),
            Span::sample("gateway", "2", Some("1"), Kind::Client),
            Span::sample("orders", "3", Some("2"), Kind::Server),
            Span::sample("orders", "4", Some("3"), Kind::Client),
            Span::sample("payments", "5", Some("4"), Kind::Server),
            notification,
        ]
    }

    fn missing_without(id: &str) -> Vec<String> {
        let spans = story().into_iter().filter(|span| span.id != id);
        let answer = Answer {
            number: 1,
            expected: Outcome::Success,
            outcome: Outcome::Success,
            status: StatusCode::CREATED,
            trace_id: "order".to_owned(),
        };
        missing_for_order(&Trace::assemble(spans, []), &answer)
    }

    #[test]
    fn a_complete_order_lacks_nothing() {
        assert_eq!(missing_without("none"), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            missing_without("1"),
            ["the parent of `gateway GET` is missing", "the root span is missing"]
        );
        assert_eq!(missing_without("2"), ["the parent of `orders GET /` is missing"]);
        assert_eq!(
            missing_without("3"),
            ["the parent of `orders GET` is missing", "`gateway GET ` has 0 server spans, not 1"]
        );
        assert_eq!(
            missing_without("5"),
            ["`orders GET ` has 0 server spans, not 1", "only 2 services took part"]
        );
        assert_eq!(missing_without("n"), ["no notification links back to it"]);
    }

    #[test]
    fn a_trace_that_a_browser_began_has_no_gap() {
        let spans = vec![Span::sample("gateway", "1", Some("browser"), Kind::Server)];
        assert_eq!(gaps(&Trace::assemble(spans, [])[0]), Vec::<String>::new());
    }

    #[test]
    fn a_request_that_reached_nobody_is_no_gap() {
        let mut client = Span::sample("gateway", "2", Some("1"), Kind::Client);
        client.attributes.insert("error.type".to_owned(), "connect".to_owned());
        let spans = vec![Span::sample("gateway", "1", None, Kind::Server), client];
        assert_eq!(gaps(&Trace::assemble(spans, [])[0]), Vec::<String>::new());
    }

    #[test]
    fn a_statement_that_no_server_has_a_span_for_is_no_gap() {
        let mut statement = Span::sample("orders", "2", Some("1"), Kind::Client);
        statement.attributes.insert("db.system.name".to_owned(), "sqlite".to_owned());
        let spans = vec![Span::sample("gateway", "1", None, Kind::Server), statement];
        assert_eq!(gaps(&Trace::assemble(spans, [])[0]), Vec::<String>::new());
    }

    #[test]
    fn another_outcome_than_expected_is_a_problem() {
        let answer = Answer {
            number: 3,
            expected: Outcome::CardDeclined,
            outcome: Outcome::Success,
            status: StatusCode::CREATED,
            trace_id: "order".to_owned(),
        };
        let problems = problems(&Trace::assemble(story(), []), &[answer]);
        assert_eq!(problems, ["order 3: 201 success (trace order): card_declined was expected"]);
    }
}
