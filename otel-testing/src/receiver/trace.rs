//! Received spans and log records by trace.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{ReceivedLog, ReceivedSpan};
use crate::tree::{self, Node};

/// The spans and log records of one trace id.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedTrace {
    /// Lower-case hex.
    pub trace_id: String,
    /// In the order of their start.
    pub spans: Vec<Arc<ReceivedSpan>>,
    /// The log records that carry this trace id, in the order in which they arrived.
    pub logs: Vec<Arc<ReceivedLog>>,
}

impl ReceivedTrace {
    /// The spans without a parent.
    #[must_use]
    pub fn roots(&self) -> Vec<&ReceivedSpan> {
        self.spans_where(|span| span.parent_span_id.is_none())
    }

    /// The spans whose parent has not arrived. A caller who sends no spans of its own, such as a browser, leaves one.
    #[must_use]
    pub fn orphans(&self) -> Vec<&ReceivedSpan> {
        let ids: HashSet<&str> = self.spans.iter().map(|span| span.span_id.as_str()).collect();
        self.spans_where(|span| span.parent_span_id.as_deref().is_some_and(|parent| !ids.contains(parent)))
    }

    /// The direct children of a span, in the order of their start.
    #[must_use]
    pub fn children(&self, span_id: &str) -> Vec<&ReceivedSpan> {
        self.spans_where(|span| span.parent_span_id.as_deref() == Some(span_id))
    }

    /// The span of this id.
    #[must_use]
    pub fn span(&self, span_id: &str) -> Option<&ReceivedSpan> {
        self.spans.iter().map(AsRef::as_ref).find(|span: &&ReceivedSpan| span.span_id == span_id)
    }

    /// The spans of this name, in the order of their start.
    #[must_use]
    pub fn spans_named(&self, name: &str) -> Vec<&ReceivedSpan> {
        self.spans_where(|span| span.name == name)
    }

    /// The log records that were emitted in a span.
    #[must_use]
    pub fn logs_of(&self, span_id: &str) -> Vec<&ReceivedLog> {
        let logs = self.logs.iter().map(AsRef::as_ref);
        logs.filter(|log: &&ReceivedLog| log.span_id.as_deref() == Some(span_id)).collect()
    }

    /// Names of the services that took part, sorted.
    #[must_use]
    pub fn services(&self) -> Vec<&str> {
        let services: BTreeSet<&str> = self.spans.iter().map(|span| span.service()).collect();
        services.into_iter().collect()
    }

    /// Whether there is exactly one root and every other span hangs below it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let roots = self.roots();
        let [root] = roots.as_slice() else { return false };
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        for span in &self.spans {
            if let Some(parent) = &span.parent_span_id {
                children.entry(parent).or_default().push(&span.span_id);
            }
        }
        let mut reached: HashSet<&str> = HashSet::new();
        let mut open = vec![root.span_id.as_str()];
        while let Some(span_id) = open.pop() {
            if reached.insert(span_id) {
                open.extend(children.get(span_id).into_iter().flatten());
            }
        }
        self.spans.iter().all(|span| reached.contains(span.span_id.as_str()))
    }

    /// The trace as a tree of text: service, name, kind, status, attributes, events, links, logs. It holds no ids and no
    /// times, so that it is the same on every run.
    #[must_use]
    pub fn tree(&self) -> String {
        tree::render(&self.nodes())
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        self.spans.iter().map(|span| self.node(span)).collect()
    }

    fn node(&self, span: &ReceivedSpan) -> Node {
        tree::received_span_node(span, &self.logs_of(&span.span_id))
    }

    fn spans_where(&self, condition: impl Fn(&ReceivedSpan) -> bool) -> Vec<&ReceivedSpan> {
        self.spans.iter().map(AsRef::as_ref).filter(|span| condition(span)).collect()
    }
}

/// The trace of this id, if there is a span of it.
pub(crate) fn trace_of(
    spans: &[Arc<ReceivedSpan>],
    logs: &[Arc<ReceivedLog>],
    trace_id: &str,
) -> Option<ReceivedTrace> {
    let spans: Vec<_> = spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect();
    group(&spans, logs).pop()
}

/// Groups by trace id, in the order in which the first span of each trace arrived.
pub(crate) fn group(spans: &[Arc<ReceivedSpan>], logs: &[Arc<ReceivedLog>]) -> Vec<ReceivedTrace> {
    let mut traces: Vec<ReceivedTrace> = Vec::new();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    for span in spans {
        let position = *positions.entry(&span.trace_id).or_insert_with(|| {
            traces.push(ReceivedTrace {
                trace_id: span.trace_id.clone(),
                spans: Vec::new(),
                logs: Vec::new(),
            });
            traces.len() - 1
        });
        traces[position].spans.push(Arc::clone(span));
    }
    for log in logs {
        if let Some(position) = log.trace_id.as_deref().and_then(|trace_id| positions.get(trace_id)) {
            traces[*position].logs.push(Arc::clone(log));
        }
    }
    for trace in &mut traces {
        trace.spans.sort_by_key(|span| span.start_unix_nanos);
    }
    traces
}
