//! Traces on the terminal, once nothing more comes for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use otel_testing::{Attributes, OtlpReceiver, ReceivedLink, ReceivedTrace};
use tokio::time::Instant;

/// A trace is shown when nothing has come for it for this long: services send in batches.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Which traces were shown.
pub(crate) struct Traces {
    quiet: bool,
    known: HashMap<String, Progress>,
}

struct Progress {
    items: usize,
    since: Instant,
    shown: usize,
}

impl Traces {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, known: HashMap::new() }
    }

    /// `something_new` spares the look at all of them when nothing has come.
    pub(crate) fn show_settled(&mut self, receiver: &OtlpReceiver, something_new: bool, now: Instant) {
        if self.quiet || (!something_new && self.known.values().all(|trace| trace.shown == trace.items)) {
            return;
        }
        for trace in receiver.traces() {
            let items = trace.spans.len() + trace.logs.len();
            let new = Progress { items: 0, since: now, shown: 0 };
            let progress = self.known.entry(trace.trace_id.clone()).or_insert(new);
            if progress.items != items {
                (progress.items, progress.since) = (items, now);
            } else if progress.shown != items && now - progress.since >= SETTLED_AFTER {
                show(&trace, progress.shown > 0);
                progress.shown = items;
            }
        }
    }

    /// Those that had no time to settle.
    pub(crate) fn show_rest(&mut self, receiver: &OtlpReceiver) {
        if self.quiet {
            return;
        }
        for trace in receiver.traces() {
            let shown = self.known.get(&trace.trace_id).map_or(0, |progress| progress.shown);
            if shown != trace.spans.len() + trace.logs.len() {
                show(&trace, shown > 0);
            }
        }
    }
}

fn show(trace: &ReceivedTrace, again: bool) {
    let tree = for_people(trace).tree();
    // The tree numbers the traces that it shows, and this one is alone.
    let body = tree.split_once('\n').map_or("", |(_, body)| body);
    let again = if again { " (again: more has come)" } else { "" };
    print!("trace {}{again}\n{body}", trace.trace_id);
}

/// With what a tree leaves out, so that it is the same on every run: how long each span took, and where a link leads.
fn for_people(trace: &ReceivedTrace) -> ReceivedTrace {
    let mut trace = trace.clone();
    for span in trace.spans.iter_mut().map(Arc::make_mut) {
        span.name = format!("{} {:.1?}", span.name, span.duration());
        span.links.iter_mut().for_each(|link| link.attributes = with_trace_id(link));
    }
    trace
}

fn with_trace_id(link: &ReceivedLink) -> Attributes {
    let own = link.attributes.iter().map(|(key, value)| (key, value.clone()));
    [("trace_id", link.trace_id.as_str().into())].into_iter().chain(own).collect()
}

/// `12 spans in 3 traces of 2 services, 0 orphans, 5 log records, 8 metrics, 0 items dropped`
pub(crate) fn summary(receiver: &OtlpReceiver) -> String {
    let traces = receiver.traces();
    let services: BTreeSet<&str> = traces.iter().flat_map(ReceivedTrace::services).collect();
    let orphans: usize = traces.iter().map(|trace| trace.orphans().len()).sum();
    let metrics: BTreeSet<String> =
        receiver.metrics().iter().map(|metric| metric.name().to_owned()).collect();
    format!(
        "{} spans in {} traces of {} services, {orphans} orphans, {} log records, {} metrics, {} items dropped",
        receiver.spans().len(),
        traces.len(),
        services.len(),
        receiver.logs().len(),
        metrics.len(),
        receiver.dropped()
    )
}
