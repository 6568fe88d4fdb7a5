//! Shows traces as they are complete, each once.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use otel_testing::OtlpReceiver;

use super::checks;
use super::shopper::Answer;
use crate::report::{self, Paint, Trace};
use crate::services::say;

/// How long the traces of the orders may take to arrive; the end of the run tells what is missing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing must have come to a trace before it is shown.
const QUIET: Duration = Duration::from_millis(400);
/// How long a trace with gaps is waited for.
const QUIET_WITH_GAPS: Duration = Duration::from_secs(5);

pub(super) struct Watch<'r> {
    receiver: &'r OtlpReceiver,
    paint: Paint,
    shown: HashSet<String>,
    /// The orders that were sent, by trace.
    orders: HashMap<String, Answer>,
    /// How many spans and logs a trace had, and since when.
    seen: HashMap<String, (usize, Instant)>,
}

impl<'r> Watch<'r> {
    pub(super) fn new(receiver: &'r OtlpReceiver) -> Self {
        let paint = Paint::for_stdout();
        Self { receiver, paint, shown: HashSet::new(), orders: HashMap::new(), seen: HashMap::new() }
    }

    /// Notes which order a trace belongs to.
    pub(super) fn note(&mut self, answer: &Answer) {
        self.orders.insert(answer.trace_id.clone(), answer.clone());
    }

    /// Shows traces until those of all orders are shown, or are overdue.
    pub(super) async fn show_orders(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.show_complete();
            let traces = report::traces(self.receiver);
            let is_done = |answer: &Answer| {
                self.shown.contains(&answer.trace_id) && checks::missing_for_order(&traces, answer).is_empty()
            };
            if self.orders.values().all(is_done) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Shows all traces that are complete, or that nothing more comes to.
    pub(super) fn show_complete(&mut self) {
        self.show(|trace, quiet_for| {
            quiet_for >= if checks::gaps(trace).is_empty() { QUIET } else { QUIET_WITH_GAPS }
        });
    }

    /// Shows all traces that were not shown.
    pub(super) fn show_rest(&mut self) {
        self.show(|_, _| true);
    }

    fn show(&mut self, is_ready: impl Fn(&Trace, Duration) -> bool) {
        for trace in report::traces(self.receiver) {
            if self.shown.contains(&trace.id) {
                continue;
            }
            let size = trace.spans.len() + trace.logs.len();
            let seen = self.seen.entry(trace.id.clone()).or_insert((size, Instant::now()));
            if seen.0 != size {
                *seen = (size, Instant::now());
            }
            if is_ready(&trace, seen.1.elapsed()) {
                if let Some(answer) = self.orders.get(&trace.id) {
                    say(&self.paint.bold(format!("-- {answer}")));
                }
                say(&report::tree(&trace, self.paint));
                self.seen.remove(&trace.id);
                self.shown.insert(trace.id);
            }
        }
    }
}
