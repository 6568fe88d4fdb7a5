//! Local traces that wait until it is known whether they are kept.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use opentelemetry::trace::TraceId;
use opentelemetry_sdk::trace::SpanData;

use super::control::SamplingHealth;
use super::keep::Keep;
use super::local_trace::{Fate, LocalTrace, size};

/// Traces of different shards never wait for one another.
const SHARDS: usize = 64;
/// What a trace takes besides its spans.
const TRACE_BYTES: usize = 256;

/// The traces that wait, and what became of the others.
pub(crate) struct KeepBuffer {
    keep: Keep,
    shards: Box<[Mutex<Shard>]>,
    bytes: AtomicUsize,
    is_closed: AtomicBool,
    counts: Counts,
}

type Shard = HashMap<TraceId, LocalTrace>;

#[derive(Debug, Default)]
struct Counts {
    kept_traces: AtomicU64,
    waiting_spans: AtomicU64,
    dropped_spans: AtomicU64,
}

/// A span that leaves the buffer, and whether it was kept.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) span: SpanData,
    pub(super) is_kept: bool,
}

impl KeepBuffer {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    pub(super) fn health(&self) -> SamplingHealth {
        SamplingHealth {
            rate_limited: 0,
            kept_traces: self.counts.kept_traces.load(Ordering::Relaxed),
            waiting_spans: self.counts.waiting_spans.load(Ordering::Relaxed),
            waiting_bytes: self.bytes.load(Ordering::Relaxed) as u64,
            dropped_spans: self.counts.dropped_spans.load(Ordering::Relaxed),
        }
    }

    /// Whether spans of this trace are recorded although they are not sampled.
    pub(super) fn watches(&self, trace_id: TraceId) -> bool {
        self.shard(trace_id).get(&trace_id).is_some_and(|trace| trace.fate != Fate::LeftToHead)
    }

    /// Whether the trace is exported, as far as is known without waiting.
    pub(crate) fn has_kept(&self, trace_id: TraceId) -> bool {
        let shard = self.place(trace_id).try_lock();
        shard.is_ok_and(|shard| shard.get(&trace_id).is_some_and(|trace| trace.fate == Fate::Kept))
    }

    /// A span begins.
    pub(super) fn open(&self, trace_id: TraceId, is_local_root: bool) {
        self.open_at(trace_id, is_local_root, Instant::now());
    }

    pub(super) fn open_at(&self, trace_id: TraceId, is_local_root: bool, now: Instant) {
        let mut shard = self.shard(trace_id);
        // Asked under the lock, which the end takes after it has said so: what comes later would stay for good.
        if self.is_closed.load(Ordering::Acquire) {
            return;
        }
        let trace = match shard.entry(trace_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                self.bytes.fetch_add(TRACE_BYTES, Ordering::Relaxed);
                vacant.insert(LocalTrace::new(now, is_local_root))
            }
        };
        trace.open += 1;
        if is_local_root {
            if trace.open_roots == 0 {
                trace.opened = now;
            }
            trace.open_roots += 1;
            trace.roots_ended = None;
        }
    }

    /// A span has ended: what may leave now.
    pub(super) fn close(&self, span: SpanData) -> Vec<Released> {
        let trace_id = span.span_context.trace_id();
        let is_local_root =
            span.parent_span_is_remote || span.parent_span_id == opentelemetry::trace::SpanId::INVALID;
        let mut shard = self.shard(trace_id);
        let Some(trace) = shard.get_mut(&trace_id) else {
            // It began after the end of all this.
            return self.left_to_head(vec![span]);
        };
        let wanted =
            trace.fate == Fate::Undecided && self.keep.wants(&span, is_local_root, trace.open_roots > 0);
        trace.open = trace.open.saturating_sub(1);
        if is_local_root {
            trace.open_roots = trace.open_roots.saturating_sub(1);
        }
        if wanted {
            self.decide(trace, Fate::Kept);
        }
        self.add(trace, span);
        if trace.fate == Fate::Undecided && trace.open > 0 && self.is_full() {
            self.decide(trace, Fate::LeftToHead);
        }
        let released = if trace.open == 0 {
            self.complete(&mut shard, trace_id)
        } else {
            if is_local_root && trace.open_roots == 0 {
                trace.roots_ended = Some(Instant::now());
            }
            self.release(trace)
        };
        drop(shard);
        released
    }

    /// Decides what has waited long enough; everything whose request has ended, if `is_flush`.
    pub(super) fn sweep(&self, now: Instant, is_flush: bool) -> Vec<Released> {
        let mut released = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.retain(|_, trace| {
                if trace.fate == Fate::Undecided
                    && let Some(fate) = self.fate_by_time(trace, now, is_flush)
                {
                    self.decide(trace, fate);
                    released.extend(self.release(trace));
                }
                let is_over = trace.open == 0 && trace.has_lingered(now, self.keep.linger);
                if is_over {
                    self.forget();
                }
                !is_over
            });
        }
        released
    }

    /// Ends the waiting for good; the head sampler's word holds for what is undecided.
    pub(super) fn end(&self) -> Vec<Released> {
        self.is_closed.store(true, Ordering::Release);
        let mut released = Vec::new();
        for shard in &self.shards {
            for (_, mut trace) in lock(shard).drain() {
                if trace.fate == Fate::Undecided {
                    self.decide(&mut trace, Fate::LeftToHead);
                }
                released.extend(self.release(&mut trace));
                self.forget();
            }
        }
        released
    }

    fn fate_by_time(&self, trace: &LocalTrace, now: Instant, is_flush: bool) -> Option<Fate> {
        if trace.open_roots > 0 {
            let least = self.keep.slower_than?;
            return (now.saturating_duration_since(trace.opened) >= least).then_some(Fate::Kept);
        }
        (is_flush || trace.has_lingered(now, self.keep.linger)).then_some(Fate::LeftToHead)
    }

    fn decide(&self, trace: &mut LocalTrace, fate: Fate) {
        trace.fate = fate;
        if fate == Fate::Kept {
            self.counts.kept_traces.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn add(&self, trace: &mut LocalTrace, span: SpanData) {
        let bytes = size(&span);
        trace.bytes += bytes;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.waiting_spans.fetch_add(1, Ordering::Relaxed);
        trace.spans.push(span);
    }

    /// The spans of a trace that is decided.
    fn release(&self, trace: &mut LocalTrace) -> Vec<Released> {
        if trace.fate == Fate::Undecided {
            return Vec::new();
        }
        let spans = self.take(trace);
        match trace.fate {
            Fate::Kept => spans.into_iter().map(|span| Released { span, is_kept: true }).collect(),
            _ => self.left_to_head(spans),
        }
    }

    /// All spans have ended. A kept trace is remembered for a while, for spans that are still to begin.
    fn complete(&self, shard: &mut Shard, trace_id: TraceId) -> Vec<Released> {
        let Some(trace) = shard.get_mut(&trace_id) else { return Vec::new() };
        if trace.fate == Fate::Kept {
            trace.roots_ended = Some(Instant::now());
            return self.release(trace);
        }
        let is_undecided = trace.fate == Fate::Undecided;
        let spans = self.take(trace);
        self.forget();
        shard.remove(&trace_id);
        if is_undecided {
            // Nobody wanted the others: that is sampling, not loss.
            return spans
                .into_iter()
                .filter(is_sampled)
                .map(|span| Released { span, is_kept: false })
                .collect();
        }
        self.left_to_head(spans)
    }

    /// What the head sampled; the rest is dropped, and whether it would have been kept stays unknown.
    fn left_to_head(&self, spans: Vec<SpanData>) -> Vec<Released> {
        let (sampled, dropped): (Vec<_>, Vec<_>) = spans.into_iter().partition(is_sampled);
        self.counts.dropped_spans.fetch_add(dropped.len() as u64, Ordering::Relaxed);
        sampled.into_iter().map(|span| Released { span, is_kept: false }).collect()
    }

    fn take(&self, trace: &mut LocalTrace) -> Vec<SpanData> {
        self.bytes.fetch_sub(std::mem::take(&mut trace.bytes), Ordering::Relaxed);
        self.counts.waiting_spans.fetch_sub(trace.spans.len() as u64, Ordering::Relaxed);
        std::mem::take(&mut trace.spans)
    }

    /// Gives back what the trace itself takes.
    fn forget(&self) {
        self.bytes.fetch_sub(TRACE_BYTES, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.keep.memory
    }

    fn shard(&self, trace_id: TraceId) -> MutexGuard<'_, Shard> {
        lock(self.place(trace_id))
    }

    fn place(&self, trace_id: TraceId) -> &Mutex<Shard> {
        let [.., last] = trace_id.to_bytes();
        &self.shards[usize::from(last) % SHARDS]
    }
}

/// Without what waits: it is not redacted yet.
impl fmt::Debug for KeepBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeepBuffer")
            .field("keep", &self.keep)
            .field("health", &self.health())
            .finish()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_sampled(span: &SpanData) -> bool {
    span.span_context.is_sampled()
}
