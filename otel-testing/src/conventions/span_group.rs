//! Which of the conventions' spans a captured span is.

use opentelemetry::trace::SpanKind;

use super::registry::{Registry, Span};
use crate::tree::kind_name;
use crate::{AttributeValue, ReceivedSpan};

/// What the conventions require of one captured span.
#[derive(Debug)]
pub(super) struct Group {
    /// What it is called in a message.
    pub(super) name: &'static str,
    /// The kinds that it may have.
    pub(super) kinds: Vec<&'static str>,
    pub(super) required: Vec<&'static str>,
}

/// `None` for a span that the conventions say nothing about.
///
/// The attributes tell: a database span over HTTP has `db.` and `http.` attributes, so the more special one comes first.
pub(super) fn of(registry: &Registry, span: &ReceivedSpan) -> Option<Group> {
    let has = |prefix: &str| span.attributes.iter().any(|(key, _)| key.starts_with(prefix));
    let kind = kind_name(&span.kind);
    if has("mcp.") {
        return Some(by_kind(registry, "MCP", kind, &["span.mcp.client", "span.mcp.server"]));
    }
    if has("gen_ai.") {
        return Some(gen_ai(registry, span));
    }
    if has("rpc.") {
        return Some(match text(span, "rpc.system.name") {
            Some("grpc") => {
                let own = by_kind(
                    registry,
                    "gRPC",
                    kind,
                    &["span.rpc.grpc.call.client", "span.rpc.grpc.call.server"],
                );
                with_required(own, "rpc.system.name")
            }
            _ => by_kind(registry, "RPC", kind, &["span.rpc.call.client", "span.rpc.call.server"]),
        });
    }
    if has("db.") {
        return Some(database(registry, span));
    }
    if has("messaging.") {
        return Some(messaging(registry, span));
    }
    if has("http.") {
        return Some(by_kind(registry, "HTTP", kind, &["span.http.client", "span.http.server"]));
    }
    None
}

/// Of several spans of a domain the one of this kind; if none is, only the kind can be judged.
fn by_kind(registry: &Registry, name: &'static str, kind: &str, ids: &[&str]) -> Group {
    let spans: Vec<&Span> = ids.iter().filter_map(|id| registry.spans.get(id)).collect();
    let own = spans.iter().find(|span| span.kind == kind);
    Group {
        name,
        kinds: spans.iter().map(|span| span.kind).collect(),
        required: own.map(|span| span.required.clone()).unwrap_or_default(),
    }
}

fn with_required(mut group: Group, attribute: &'static str) -> Group {
    if !group.required.contains(&attribute) {
        group.required.push(attribute);
    }
    group
}

/// "Span kind SHOULD be CLIENT. It MAY be set to INTERNAL on spans representing in-memory database calls" (database client
/// spans).
fn database(registry: &Registry, span: &ReceivedSpan) -> Group {
    let id = match text(span, "db.system.name") {
        Some("elasticsearch") => "span.db.elasticsearch.client",
        Some("hbase") => "span.db.hbase.client",
        Some("mongodb") => "span.db.mongodb.client",
        Some("redis") => "span.db.redis.client",
        _ => "span.db.client",
    };
    let mut group = by_kind(registry, "database", "client", &[id]);
    group.kinds.push("internal");
    with_required(group, "db.system.name")
}

/// "Span kind SHOULD be CLIENT and MAY be set to INTERNAL on spans representing call to models running in the same process"
/// (GenAI client spans).
fn gen_ai(registry: &Registry, span: &ReceivedSpan) -> Group {
    let ids: &[&str] = match text(span, "gen_ai.operation.name") {
        Some("chat" | "generate_content" | "text_completion") => &["span.gen_ai.inference.client"],
        Some("embeddings") => &["span.gen_ai.embeddings.client"],
        Some("retrieval") => &["span.gen_ai.retrieval.client"],
        Some("create_agent") => &["span.gen_ai.create_agent.client"],
        Some("invoke_agent") => &["span.gen_ai.invoke_agent.client", "span.gen_ai.invoke_agent.internal"],
        Some("execute_tool") => &["span.gen_ai.execute_tool.internal"],
        Some("invoke_workflow") => &["span.gen_ai.invoke_workflow.internal"],
        _ => &[],
    };
    let kind = if span.kind == SpanKind::Internal && ids.len() > 1 { "internal" } else { "client" };
    let kind = if ids.iter().all(|id| id.ends_with(".internal")) { "internal" } else { kind };
    let mut group = by_kind(registry, "GenAI", kind, ids);
    match ids.is_empty() {
        true => group.kinds = vec![kind_name(&span.kind)],
        false if group.kinds.contains(&"internal") => {}
        false => group.kinds.push("internal"),
    }
    with_required(group, "gen_ai.operation.name")
}

fn messaging(registry: &Registry, span: &ReceivedSpan) -> Group {
    let kind = kind_name(&span.kind);
    let ids: &[&str] = match text(span, "messaging.operation.type") {
        Some("create") => &["span.messaging.create.producer"],
        Some("send") => &["span.messaging.send.producer", "span.messaging.send.client"],
        Some("receive") => &["span.messaging.receive.client"],
        Some("process") => &["span.messaging.process.consumer"],
        Some("settle") => &["span.messaging.settle.client"],
        _ => {
            &["span.messaging.send.producer", "span.messaging.send.client", "span.messaging.process.consumer"]
        }
    };
    by_kind(registry, "messaging", kind, ids)
}

fn text<'a>(span: &'a ReceivedSpan, key: &str) -> Option<&'a str> {
    span.attributes.get(key).and_then(AttributeValue::as_str)
}
