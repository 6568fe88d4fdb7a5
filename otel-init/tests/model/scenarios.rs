use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message as _;
use shuttle::future::block_on;

use crate::delivery::{Destination, Failure};
use crate::processor::{Refused, WireSpanProcessor};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, thread};
use crate::tally::{Counts, Tally};
use crate::worker::{Batch, Schedule};

type Scenario = fn();

pub(crate) const ALL: &[(&str, Scenario)] = &[
    ("a shutdown at any moment", a_shutdown_at_any_moment),
    ("none waits for a worker that has ended", none_waits_for_a_worker_that_has_ended),
    ("a flush sends what was there before", a_flush_sends_what_was_there_before),
    ("what finds no room is counted, and room comes back", what_finds_no_room_is_counted),
    ("a queue bounded by number", a_queue_bounded_by_number),
    ("counts agree while batches are sent", counts_agree_while_batches_are_sent),
    ("an outage that ends", an_outage_that_ends),
    ("an outage that lasts", an_outage_that_lasts),
];

const LONG: Duration = Duration::from_secs(3600);
const THREADS: u64 = 2;
const SPANS: u64 = 3;

/// So many attempts fail, and each failure makes a pause until somebody ends it.
#[derive(Default)]
struct Collector {
    failures_left: AtomicUsize,
    is_paused: AtomicBool,
}

impl Collector {
    fn is_away(&self) -> bool {
        let failures =
            self.failures_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        self.is_paused.store(failures.is_ok(), Ordering::Relaxed);
        failures.is_ok()
    }
}

/// A processor as the pipeline has it, and everything that it sent.
#[derive(Clone)]
struct Service {
    processor: Arc<WireSpanProcessor>,
    collector: Arc<Collector>,
    tally: Arc<Tally>,
    /// `otel.sdk.processor.span.processed`.
    processed: Arc<AtomicU64>,
    sent: Arc<Mutex<Vec<u64>>>,
}

impl Service {
    fn start(max_bytes: usize, max_entries: usize) -> Self {
        let (tally, sent) = (Arc::new(Tally::default()), Arc::new(Mutex::new(Vec::new())));
        let collector = Arc::<Collector>::default();
        let processed = Arc::<AtomicU64>::default();
        let to = Sink {
            tally: Arc::clone(&tally),
            processed: Arc::clone(&processed),
            collector: Arc::clone(&collector),
            sent: Arc::clone(&sent),
        };
        let (of_lost, processed_too) = (Arc::clone(&tally), Arc::clone(&processed));
        let schedule = Schedule {
            delay: LONG,
            batch: Batch { entries: max_entries, bytes: usize::MAX, most_bytes: usize::MAX },
            max_request_bytes: 1 << 20,
        };
        let resource = Resource::builder_empty().build();
        let lost = Box::new(move |refused| {
            match refused {
                Refused::Full => of_lost.turned_away(),
                Refused::Ended => of_lost.came_too_late(),
            }
            processed_too.fetch_add(1, Ordering::Relaxed);
        });
        let (processor, sending) = WireSpanProcessor::new(&resource, max_bytes, schedule, to, lost);
        thread::spawn(move || block_on(sending));
        Self { processor: Arc::new(processor), collector, tally, processed, sent }
    }

    fn end_span(&self, id: u64) {
        if self.tally.admit() {
            self.processor.on_end(&span(id));
        }
    }

    /// Threads that end spans.
    fn work(&self) -> Vec<thread::JoinHandle<()>> {
        let thread = |number| {
            let service = self.clone();
            move || (0..SPANS).for_each(|index| service.end_span(number * SPANS + index))
        };
        (0..THREADS).map(|number| thread::spawn(thread(number))).collect()
    }

    fn sent(&self) -> Vec<u64> {
        let mut sent = self.sent.lock().unwrap().clone();
        sent.sort_unstable();
        sent
    }

    /// The counts when nothing moves any more.
    fn exact(&self) -> Counts {
        let counts = self.tally.counts();
        assert_eq!(counts.created, THREADS * SPANS);
        assert_eq!(sum(counts), counts.created, "{counts:?}");
        let sent = self.sent();
        assert_eq!(counts.exported, sent.len() as u64);
        assert!(sent.windows(2).all(|pair| pair[0] < pair[1]), "none is sent twice: {sent:?}");
        counts
    }
}

fn sum(counts: Counts) -> u64 {
    counts.exported + counts.failed + counts.dropped + counts.queued
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Threads end spans, another one flushes, and the service shuts down in the midst of it.
fn a_shutdown_at_any_moment() {
    let service = Service::start(1 << 20, 2);
    let threads = service.work();
    let flushing = service.clone();
    // That it comes too late is fine.
    let flush = thread::spawn(move || drop(flushing.processor.force_flush()));
    service.processor.shutdown_with_timeout(LONG).unwrap();
    service.tally.close();
    join(threads);
    flush.join().unwrap();
    assert_eq!(service.exact().queued, 0);
    service.processor.force_flush().unwrap_err();
}

/// What comes while the last requests are under way is sent with them or turned away, but never waits for good. Each is counted by
/// the processor, once.
fn none_waits_for_a_worker_that_has_ended() {
    let service = Service::start(1 << 20, 2);
    let threads = service.work();
    service.processor.shutdown_with_timeout(LONG).unwrap();
    join(threads);
    let counts = service.exact();
    assert_eq!(counts.queued, 0, "{counts:?}");
    assert_eq!(service.processed.load(Ordering::Relaxed), THREADS * SPANS);
}

fn a_flush_sends_what_was_there_before() {
    let service = Service::start(1 << 20, 4);
    let thread = |number| {
        let service = service.clone();
        move || {
            for id in number * SPANS..(number + 1) * SPANS {
                service.end_span(id);
                if id % SPANS == 1 {
                    service.processor.force_flush().unwrap();
                    assert!(service.sent().contains(&id));
                }
            }
        }
    };
    join((0..THREADS).map(|number| thread::spawn(thread(number))).collect());
    service.processor.shutdown_with_timeout(LONG).unwrap();
    let counts = service.exact();
    assert_eq!((counts.exported, counts.dropped), (THREADS * SPANS, 0));
}

fn what_finds_no_room_is_counted() {
    // For two spans and their scope.
    let service = Service::start(150, 1);
    join(service.work());
    service.processor.force_flush().unwrap();
    let counts = service.exact();
    assert_eq!(counts.queued, 0);
    assert!(counts.exported > 0);
    service.end_span(100);
    service.processor.shutdown_with_timeout(LONG).unwrap();
    assert!(service.sent().contains(&100));
}

fn a_queue_bounded_by_number() {
    let service = Service::start(1 << 20, 1);
    service.tally.bound(2);
    join(service.work());
    service.processor.shutdown_with_timeout(LONG).unwrap();
    let counts = service.exact();
    assert!(counts.exported >= 2 && counts.queued == 0, "{counts:?}");
}

fn counts_agree_while_batches_are_sent() {
    let service = Service::start(1 << 20, 1);
    join(service.work());
    let sending = service.clone();
    let shutdown = thread::spawn(move || sending.processor.shutdown_with_timeout(LONG).unwrap());
    for is_closed in [false, true] {
        if is_closed {
            service.tally.close();
        }
        let counts = service.tally.counts();
        assert_eq!(sum(counts), counts.created, "{counts:?}");
    }
    shutdown.join().unwrap();
    service.exact();
}

/// The collector comes back while threads end spans, and the queue is bounded by number.
fn an_outage_that_ends() {
    let service = Service::start(1 << 20, 1);
    service.tally.bound(4);
    service.collector.failures_left.store(2, Ordering::Relaxed);
    let threads = service.work();
    service.collector.is_paused.store(false, Ordering::Relaxed);
    join(threads);
    // A flush asks whether there is a pause or not.
    while service.processor.force_flush().is_err() {}
    let counts = service.exact();
    assert!((counts.failed, counts.queued) == (0, 0) && counts.exported >= 4, "{counts:?}");
    service.processor.shutdown_with_timeout(LONG).unwrap();
}

fn an_outage_that_lasts() {
    let service = Service::start(1 << 20, 2);
    service.collector.failures_left.store(usize::MAX, Ordering::Relaxed);
    let threads = service.work();
    // An error, if there was something to send.
    let _ = service.processor.shutdown_with_timeout(LONG);
    service.tally.close();
    join(threads);
    let counts = service.exact();
    assert_eq!((counts.exported, counts.queued), (0, 0), "{counts:?}");
}

/// Takes everything, unless it is away.
struct Sink {
    tally: Arc<Tally>,
    processed: Arc<AtomicU64>,
    collector: Arc<Collector>,
    sent: Arc<Mutex<Vec<u64>>>,
}

impl Destination for Sink {
    fn taken(&self, entries: usize) {
        self.processed.fetch_add(entries as u64, Ordering::Relaxed);
    }

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Result<(), Failure> {
        self.tally.taken(entries as u64);
        if self.collector.is_away() {
            self.tally.put_back(entries as u64, "away");
            return Err(Failure::Transient("away".to_owned()));
        }
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let ids = scopes
            .flat_map(|scope| &scope.spans)
            .map(|span| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()));
        let ids: Vec<u64> = ids.map(|id| id - 1).collect();
        assert_eq!(ids.len(), entries);
        self.sent.lock().unwrap().extend(ids);
        self.tally.exported(entries as u64, 0);
        Ok(())
    }

    fn is_paused(&self) -> bool {
        self.collector.is_paused.load(Ordering::Relaxed)
    }

    fn kept(&self, _cause: &str) {}

    fn give_up(&self, entries: usize, cause: &str) {
        self.tally.taken(entries as u64);
        self.tally.failed(entries as u64, cause);
    }
}

fn span(id: u64) -> SpanData {
    let trace = TraceId::from(1);
    SpanData {
        span_context: SpanContext::new(
            trace,
            SpanId::from(id + 1),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: Cow::Borrowed("span"),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("model").build(),
    }
}
