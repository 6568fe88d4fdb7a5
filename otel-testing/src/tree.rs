//! Spans as trees of text. Ids are left out, so that a tree is the same on every run.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use opentelemetry::trace::{SpanKind, Status};

use crate::{Attributes, ReceivedLog, ReceivedSpan};

/// Below this a tree grows no wider, or else the text of a long chain would be as long as the square of its length.
const DEEPEST_INDENT: usize = 64;

/// One span of a tree, whatever it came from.
pub(crate) struct Node {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// `None` for a root.
    pub(crate) parent_span_id: Option<String>,
    /// The parent is known to be in another process, so that its absence is no defect.
    pub(crate) parent_is_remote: bool,
    pub(crate) line: String,
    /// Events, links and logs of the span.
    pub(crate) details: Vec<String>,
}

/// Renders traces in the order in which their first span stands in `nodes`, and siblings in that order too.
pub(crate) fn render(nodes: &[Node]) -> String {
    let mut text = String::new();
    let mut traces: Vec<&str> = Vec::new();
    let mut per_trace: HashMap<&str, Vec<&Node>> = HashMap::new();
    for node in nodes {
        let members = per_trace.entry(&node.trace_id).or_default();
        if members.is_empty() {
            traces.push(&node.trace_id);
        }
        members.push(node);
    }
    for (position, trace_id) in traces.iter().enumerate() {
        let _ = writeln!(text, "trace {}", position + 1);
        render_trace(&mut text, &per_trace[trace_id]);
    }
    text
}

/// A span as it was sent, with the log records that were emitted in it. The service stands before the name, if it is known.
pub(crate) fn received_span_node(span: &ReceivedSpan, logs: &[&ReceivedLog]) -> Node {
    let with_attributes = |mut line: String, attributes| {
        push_attributes(&mut line, attributes);
        line
    };
    let events =
        span.events.iter().map(|event| with_attributes(format!("event {}", event.name), &event.attributes));
    let links = span.links.iter().map(|link| with_attributes("link".to_owned(), &link.attributes));
    let logs = logs.iter().map(|log| {
        with_attributes(format!("log {} {:?}", log.severity_text, log.message()), &log.attributes)
    });
    let line = span_line(&span.name, &span.kind, &span.status, &span.attributes);
    Node {
        trace_id: span.trace_id.clone(),
        span_id: span.span_id.clone(),
        parent_span_id: span.parent_span_id.clone(),
        parent_is_remote: span.parent_is_remote(),
        line: match span.service() {
            "" => line,
            service => format!("{service}: {line}"),
        },
        details: events.chain(links).chain(logs).collect(),
    }
}

/// `GET /users/{id} server error("timeout") {http.route="/users/{id}"}`
pub(crate) fn span_line(name: &str, kind: &SpanKind, status: &Status, attributes: &Attributes) -> String {
    let mut line = format!("{name} {}", kind_name(kind));
    match status {
        Status::Unset => {}
        Status::Ok => line.push_str(" ok"),
        Status::Error { description } if description.is_empty() => line.push_str(" error"),
        Status::Error { description } => {
            let _ = write!(line, " error({description:?})");
        }
    }
    push_attributes(&mut line, attributes);
    line
}

fn push_attributes(line: &mut String, attributes: &Attributes) {
    if !attributes.is_empty() {
        let _ = write!(line, " {attributes}");
    }
}

pub(crate) fn kind_name(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

/// Depth first with a stack of its own: received data may be nested deeper than a thread's stack.
fn render_trace(text: &mut String, nodes: &[&Node]) {
    let ids: HashSet<&str> = nodes.iter().map(|node| node.span_id.as_str()).collect();
    let mut children: HashMap<&str, Vec<&Node>> = HashMap::new();
    let mut tops: Vec<(&Node, &str)> = Vec::new();
    for node in nodes {
        match node.parent_span_id.as_deref() {
            Some(parent) if ids.contains(parent) => children.entry(parent).or_default().push(node),
            Some(_) if node.parent_is_remote => tops.push((node, " (remote parent)")),
            Some(_) => tops.push((node, " (parent missing)")),
            None => tops.push((node, "")),
        }
    }
    let mut seen: HashSet<*const Node> = HashSet::new();
    // Spans that are each other's parents hang under no top; they are shown rather than lost.
    let cyclic = nodes.iter().map(|node| (*node, " (its own ancestor)"));
    for (top, remark) in tops.into_iter().chain(cyclic) {
        let mut stack = vec![(top, 1, remark)];
        while let Some((node, depth, remark)) = stack.pop() {
            if !seen.insert(node) {
                continue;
            }
            let indent = "  ".repeat(depth.min(DEEPEST_INDENT));
            let _ = writeln!(text, "{indent}{}{remark}", node.line);
            for detail in &node.details {
                let _ = writeln!(text, "{indent}  * {detail}");
            }
            let below = children.get(node.span_id.as_str()).into_iter().flatten().rev();
            stack.extend(below.map(|child| (*child, depth + 1, "")));
        }
    }
}
