//! A trace as the report needs it: its spans and logs from all services.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// What a span is to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// A finished span.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) failed: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Trace and span that this one comes from, though it is not their child.
    pub(crate) links: Vec<(String, String)>,
}

/// A log record of a span.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) service: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) severity: String,
    pub(crate) message: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// All that belongs to one trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) id: String,
    /// By start.
    pub(crate) spans: Vec<Span>,
    /// By time.
    pub(crate) logs: Vec<Log>,
}

impl Span {
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }
}

impl Trace {
    /// Puts spans and logs together, the oldest trace first.
    pub(crate) fn assemble(
        spans: impl IntoIterator<Item = Span>,
        logs: impl IntoIterator<Item = Log>,
    ) -> Vec<Self> {
        let mut by_id: HashMap<String, Trace> = HashMap::new();
        for span in spans {
            by_id.entry(span.trace_id.clone()).or_default().spans.push(span);
        }
        for log in logs {
            if let Some(trace) = by_id.get_mut(&log.trace_id) {
                trace.logs.push(log);
            }
        }
        let mut traces: Vec<Trace> = by_id
            .into_iter()
            .map(|(id, mut trace)| {
                trace.id = id;
                trace.spans.sort_by_key(|span| span.start);
                trace.logs.sort_by_key(|log| log.time);
                trace
            })
            .collect();
        traces.sort_by_key(Trace::start);
        traces
    }

    pub(crate) fn start(&self) -> u64 {
        self.spans.first().map_or(0, |span| span.start)
    }

    pub(crate) fn duration(&self) -> Duration {
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        Duration::from_nanos(end.saturating_sub(self.start()))
    }

    pub(crate) fn services(&self) -> HashSet<&str> {
        self.spans.iter().map(|span| span.service.as_str()).collect()
    }

    /// The spans without a parent here: the root, or one that a browser has called, or one whose parent is missing.
    pub(crate) fn tops(&self) -> impl Iterator<Item = &Span> {
        let ids: HashSet<&str> = self.spans.iter().map(|span| span.id.as_str()).collect();
        let is_top = move |span: &&Span| span.parent.as_deref().is_none_or(|parent| !ids.contains(parent));
        self.spans.iter().filter(is_top)
    }

    pub(crate) fn children<'a>(&'a self, parent: &'a Span) -> impl Iterator<Item = &'a Span> {
        self.spans.iter().filter(|span| span.parent.as_ref() == Some(&parent.id))
    }

    pub(crate) fn logs_of<'a>(&'a self, span: &'a Span) -> impl Iterator<Item = &'a Log> {
        self.logs.iter().filter(|log| log.span_id == span.id)
    }
}

#[cfg(test)]
impl Span {
    /// A span of the trace `order`.
    pub(crate) fn sample(service: &str, id: &str, parent: Option<&str>, kind: Kind) -> Self {
        let name = if kind == Kind::Server { "GET /" } else { "GET" };
        Self {
            service: service.to_owned(),
            trace_id: "order".to_owned(),
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            name: name.to_owned(),
            kind,
            start: 1_000_000 * id.parse::<u64>().unwrap_or_default(),
            end: 20_000_000,
            failed: false,
            attributes: BTreeMap::new(),
            links: Vec::new(),
        }
    }
}
