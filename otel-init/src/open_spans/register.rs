//! The register of spans that have started and not ended.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SpanData;

use super::span::OpenSpan;
use super::tell;
use crate::safety::Safety;
use crate::ticker::Ticker;
use crate::traces::ProcessSpans;

/// Threads that work on different spans mostly take different locks.
const SHARDS: usize = 32;

/// Spans that are known at the same time, in each shard: more than 8,000 in all. Of more, nothing is known.
const MOST: usize = 256;

/// Spans that are recorded and have not ended, as they started.
pub(crate) struct OpenSpans {
    /// When a span has been open for so long, a log record says so.
    after: Duration,
    shards: Vec<Mutex<HashMap<SpanId, Open>>>,
    safety: Arc<Safety>,
    loggers: SdkLoggerProvider,
}

struct Open {
    span: SpanData,
    since: Instant,
    /// The age at which it is told of next.
    next: Duration,
}

impl OpenSpans {
    pub(crate) fn new(after: Duration, safety: &Arc<Safety>, loggers: &SdkLoggerProvider) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { after, shards, safety: Arc::clone(safety), loggers: loggers.clone() }
    }

    /// The oldest first.
    pub(crate) fn list(&self) -> Vec<OpenSpan> {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(lock(shard).values().map(|open| (open.span.clone(), open.since.elapsed())));
        }
        self.shown(found)
    }

    /// No span ends any more that anybody would be sent: those that are open are told of, and forgotten.
    pub(crate) fn end(&self) {
        let mut left = Vec::new();
        for shard in &self.shards {
            left.extend(lock(shard).drain().map(|(_, open)| (open.span, open.since.elapsed())));
        }
        self.shown(left).iter().for_each(|span| tell::lost(&self.loggers, span));
    }

    /// Tells of those that have been open for long, and of each again when it is twice as old.
    fn tell(&self) {
        let mut due = Vec::new();
        for shard in &self.shards {
            for open in lock(shard).values_mut() {
                let age = open.since.elapsed();
                if age >= open.next {
                    open.next = age.saturating_mul(2);
                    due.push((open.span.clone(), age));
                }
            }
        }
        self.shown(due).iter().for_each(|span| tell::open(&self.loggers, span));
    }

    /// Rules of the redaction are the user's, so they do not run under a lock.
    fn shown(&self, mut found: Vec<(SpanData, Duration)>) -> Vec<OpenSpan> {
        found.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
        let shown = |(mut span, age)| {
            self.safety.protect_span(&mut span);
            OpenSpan::new(span, age)
        };
        found.into_iter().map(shown).collect()
    }

    fn started(&self, span: &SpanData) {
        let mut shard = self.shard(span.span_context.span_id());
        if shard.len() < MOST {
            let open = Open { span: span.clone(), since: Instant::now(), next: self.after };
            shard.insert(span.span_context.span_id(), open);
        }
    }

    fn ended(&self, id: SpanId) {
        // What it holds is dropped without the lock.
        let ended = self.shard(id).remove(&id);
        drop(ended);
    }

    /// Ids are random, so that their last byte spreads them.
    fn shard(&self, id: SpanId) -> MutexGuard<'_, HashMap<SpanId, Open>> {
        let place = id.to_bytes().last().map_or(0, |byte| usize::from(*byte) % SHARDS);
        // There are as many as `SHARDS`, so the place is always there.
        lock(&self.shards[place])
    }
}

fn lock(shard: &Mutex<HashMap<SpanId, Open>>) -> MutexGuard<'_, HashMap<SpanId, Open>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spans hold secrets before they are shown.
impl fmt::Debug for OpenSpans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenSpans").field("after", &self.after).finish_non_exhaustive()
    }
}

/// What comes first where open spans are asked for.
pub(crate) fn registered(
    open: Option<&Arc<OpenSpans>>,
    next: Box<dyn ProcessSpans>,
) -> Box<dyn ProcessSpans> {
    let Some(open) = open else { return next };
    let told = Arc::downgrade(open);
    let ticker = Ticker::start("otel-init-open", move || {
        let Some(open) = told.upgrade() else { return false };
        open.tell();
        true
    });
    Box::new(Registered { open: Arc::clone(open), next, _ticker: ticker })
}

#[derive(Debug)]
struct Registered {
    open: Arc<OpenSpans>,
    next: Box<dyn ProcessSpans>,
    _ticker: Ticker,
}

impl ProcessSpans for Registered {
    fn on_start(&self, span: &mut SpanData, parent: &Context) {
        self.next.on_start(span, parent);
        self.open.started(span);
    }

    fn on_end(&self, span: Box<SpanData>) {
        self.open.ended(span.span_context.span_id());
        self.next.on_end(span);
    }

    fn stop(&self) {
        self.next.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use opentelemetry::trace::{Tracer, TracerProvider as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SpanLimits};

    use super::*;
    use crate::safety::{Limits, SafetySettings};
    use crate::traces::{Exporting, TracerProvider};

    #[test]
    fn no_more_than_so_many_are_known_and_whatever_ends_a_span_it_is_forgotten() {
        let safety = Arc::new(Safety::new(&SafetySettings::default(), Limits::default()).unwrap());
        let loggers = SdkLoggerProvider::builder().build();
        let open = Arc::new(OpenSpans::new(Duration::from_secs(3600), &safety, &loggers));
        let processor = registered(Some(&open), Box::new(Exporting(InMemorySpanExporter::default())));
        let provider = TracerProvider::new(Sampler::AlwaysOn, SpanLimits::default(), Some(processor));
        let tracer = provider.tracer("test");

        let spans: Vec<_> = (0..2 * SHARDS * MOST).map(|_| tracer.start("one of many")).collect();
        assert_eq!(open.list().len(), SHARDS * MOST);
        drop(spans);
        assert!(open.list().is_empty());

        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _span = tracer.start("cut off");
            assert_eq!(open.list().len(), 1);
            panic!("as a handler may");
        }));
        assert!(panicked.is_err() && open.list().is_empty());
    }
}
