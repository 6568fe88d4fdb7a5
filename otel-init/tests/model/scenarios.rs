use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks, SpanProcessor as _};
use prost::Message as _;
use shuttle::future::block_on;

use crate::processor::WireSpanProcessor;
use crate::sync::{Arc, Mutex, thread};
use crate::tally::{Counts, Tally};
use crate::worker::{Batch, Destination, Outcome, Schedule};

type Scenario = fn();

pub(crate) const ALL: &[(&str, Scenario)] = &[
    ("a shutdown at any moment", a_shutdown_at_any_moment),
    ("a flush sends what was there before", a_flush_sends_what_was_there_before),
    ("what finds no room is counted, and room comes back", what_finds_no_room_is_counted),
    ("a queue bounded by number", a_queue_bounded_by_number),
    ("counts agree while batches are sent", counts_agree_while_batches_are_sent),
];

const LONG: Duration = Duration::from_secs(3600);
const THREADS: u64 = 2;
const SPANS: u64 = 3;

/// A processor as the pipeline has it, and everything that it sent.
#[derive(Clone)]
struct Service {
    processor: Arc<WireSpanProcessor>,
    tally: Arc<Tally>,
    sent: Arc<Mutex<Vec<u64>>>,
}

impl Service {
    fn start(max_bytes: usize, max_entries: usize) -> Self {
        let (tally, sent) = (Arc::new(Tally::default()), Arc::new(Mutex::new(Vec::new())));
        let to = Sink { tally: Arc::clone(&tally), sent: Arc::clone(&sent) };
        let of_lost = Arc::clone(&tally);
        let schedule = Schedule {
            delay: LONG,
            batch: Batch { entries: max_entries, bytes: usize::MAX, most_bytes: usize::MAX },
            max_request_bytes: 1 << 20,
        };
        let resource = Resource::builder_empty().build();
        let lost = Box::new(move || of_lost.turned_away());
        let (processor, sending) = WireSpanProcessor::new(&resource, max_bytes, schedule, to, lost);
        thread::spawn(move || block_on(sending));
        Self { processor: Arc::new(processor), tally, sent }
    }

    fn end_span(&self, id: u64) {
        if self.tally.admit() {
            self.processor.on_end(span(id));
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
        assert_eq!(counts.created, counts.exported + counts.dropped + counts.queued, "{counts:?}");
        let sent = self.sent();
        assert_eq!(counts.exported, sent.len() as u64);
        assert!(sent.windows(2).all(|pair| pair[0] < pair[1]), "none is sent twice: {sent:?}");
        counts
    }
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
        assert_eq!(counts.created, counts.exported + counts.dropped + counts.queued, "{counts:?}");
    }
    shutdown.join().unwrap();
    service.exact();
}

/// Takes everything.
struct Sink {
    tally: Arc<Tally>,
    sent: Arc<Mutex<Vec<u64>>>,
}

impl Destination for Sink {
    fn taken(&self, entries: usize) {
        self.tally.taken(entries as u64);
    }

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Outcome {
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
