//! What was received, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

use tokio::sync::watch;

use super::export::ExportRequest;
use super::json::{Document, JsonLines};
use super::{Protocol, ReceivedLog, ReceivedMetric, ReceivedRequest, ReceivedSpan, Reply};
use crate::lock::lock;

/// Requests are listed for tests of exporters, which send few.
const MAX_REQUESTS: usize = 10_000;
/// The first ones tell what is wrong with a sender.
const MAX_NOT_UNDERSTOOD: usize = 100;

/// Everything that came in, up to a bound, and who waits for it.
#[derive(Debug)]
pub(super) struct Store {
    kept: Mutex<Kept>,
    arrived: Condvar,
    arrivals: watch::Sender<u64>,
    max_items: usize,
    lines: Option<JsonLines>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) spans: Vec<Arc<ReceivedSpan>>,
    pub(super) logs: Vec<Arc<ReceivedLog>>,
    pub(super) metrics: Vec<Arc<ReceivedMetric>>,
    /// The same as it was sent, to write it as OTLP/JSON.
    pub(super) document: Document,
    pub(super) requests: Vec<ReceivedRequest>,
    pub(super) request_count: u64,
    pub(super) dropped: u64,
    pub(super) not_understood: Vec<String>,
    pub(super) reply: Reply,
    /// Replies that come first, each used once.
    pub(super) script: VecDeque<Reply>,
    /// Spans, log records and data points that were kept.
    items: usize,
    /// Counts everything a waiting test could see.
    changes: u64,
}

impl Kept {
    /// Adds to what was not understood, up to its bound.
    pub(super) fn note_all(&mut self, what: impl IntoIterator<Item = String>) {
        let room = MAX_NOT_UNDERSTOOD - self.not_understood.len();
        self.not_understood.extend(what.into_iter().take(room));
    }
}

impl Store {
    pub(super) fn new(max_items: usize, lines: Option<JsonLines>) -> Self {
        let arrivals = watch::Sender::new(0);
        Self { kept: Mutex::default(), arrived: Condvar::new(), arrivals, max_items, lines }
    }

    /// What went wrong when lines were written.
    pub(super) fn json_lines_error(&self) -> Option<io::Error> {
        self.lines.as_ref().and_then(JsonLines::error)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// Whether a new connection is served. One that is not uses up a step of the script, as a request would.
    pub(super) fn admits_connection(&self) -> bool {
        let mut kept = self.kept();
        match kept.script.front() {
            Some(Reply::Refuse) => {
                kept.script.pop_front();
                self.changed(kept);
                false
            }
            Some(_) => true,
            None => kept.reply != Reply::Refuse,
        }
    }

    /// Keeps what there is room for and returns how many items were rejected and how long to wait before the answer, or
    /// how to refuse the whole request.
    pub(super) fn receive<R: ExportRequest>(
        &self,
        mut request: R,
        protocol: Protocol,
        headers: Vec<(String, String)>,
    ) -> Result<(usize, Duration), Reply> {
        let mut kept = self.kept();
        let reply = kept.script.pop_front().unwrap_or(kept.reply);
        let accepted = matches!(reply, Reply::Accept | Reply::Slow(_));
        kept.request_count += 1;
        if kept.requests.len() < MAX_REQUESTS {
            kept.requests.push(ReceivedRequest { signal: R::SIGNAL, protocol, headers, accepted });
        }
        let result = if accepted {
            let sent = request.len();
            let room = self.max_items.saturating_sub(kept.items);
            if sent > room {
                request.truncate(room);
            }
            let stays = request.len();
            let rejected = sent - stays;
            kept.items += stays;
            kept.dropped += rejected as u64;
            // A request without items would grow memory without counting against the bound.
            if stays > 0 {
                if let Some(lines) = &self.lines {
                    lines.write(&request);
                }
                request.keep(&mut kept);
            }
            let delay = if let Reply::Slow(delay) = reply { delay } else { Duration::ZERO };
            Ok((rejected, delay))
        } else {
            Err(reply)
        };
        self.changed(kept);
        result
    }

    /// A request came in that is no OTLP.
    pub(super) fn note_not_understood(&self, what: String) {
        let mut kept = self.kept();
        kept.note_all([what]);
        self.changed(kept);
    }

    pub(super) fn clear(&self) {
        let mut kept = self.kept();
        let script = mem::take(&mut kept.script);
        *kept = Kept { reply: kept.reply, script, changes: kept.changes, ..Kept::default() };
        self.changed(kept);
    }

    /// Counts up whenever something changed.
    pub(super) fn changes(&self) -> u64 {
        self.kept().changes
    }

    /// Blocks until something changed since `seen`, or the deadline.
    pub(super) fn wait_for_change(&self, seen: u64, deadline: Instant) {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let waited = self.arrived.wait_timeout_while(self.kept(), timeout, |kept| kept.changes == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    fn changed(&self, mut kept: MutexGuard<'_, Kept>) {
        kept.changes += 1;
        let changes = kept.changes;
        drop(kept);
        self.arrived.notify_all();
        self.arrivals.send_replace(changes);
    }
}
