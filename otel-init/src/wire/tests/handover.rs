//! From many threads through the buffers to the worker: everything arrives once, or is known to be lost.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message as _;

use crate::wire::buffers::{Buffers, Pushed};
use crate::wire::{Batch, Destination, Failure, Schedule, WireSpanProcessor};

const LONG: Duration = Duration::from_secs(3600);

fn batch(entries: usize) -> Batch {
    Batch { entries, bytes: usize::MAX, most_bytes: usize::MAX }
}

pub(super) fn schedule(max_entries: usize) -> Schedule {
    Schedule { delay: LONG, batch: batch(max_entries), max_request_bytes: 1 << 20 }
}

/// Keeps what is delivered.
#[derive(Default)]
pub(super) struct Received {
    requests: Mutex<Vec<(Vec<u8>, usize)>>,
    taken: AtomicUsize,
}

impl Received {
    pub(super) fn requests(&self) -> MutexGuard<'_, Vec<(Vec<u8>, usize)>> {
        self.requests.lock().unwrap()
    }

    /// The span ids, sorted.
    fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<_> =
            self.requests().iter().flat_map(|(body, entries)| ids(body, *entries)).collect();
        ids.sort_unstable();
        ids
    }
}

/// The span ids of a request.
pub(super) fn ids(body: &[u8], entries: usize) -> Vec<u64> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let ids: Vec<_> = scopes
        .flat_map(|scope| &scope.spans)
        .map(|span| u64::from_be_bytes(span.span_id.as_slice().try_into().unwrap()))
        .collect();
    assert_eq!(ids.len(), entries);
    ids
}

impl Destination for Arc<Received> {
    fn taken(&self, entries: usize) {
        self.taken.fetch_add(entries, Ordering::Relaxed);
    }

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Result<(), Failure> {
        self.requests().push((body, entries));
        Ok(())
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn kept(&self, _cause: &str) {}

    fn give_up(&self, _entries: usize, _cause: &str) {}
}

/// Delivers by a function.
struct By<F>(F);

impl<F: Fn(Vec<u8>, usize) -> Result<(), Failure> + Send + Sync + 'static> Destination for By<F> {
    fn taken(&self, _entries: usize) {}

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Result<(), Failure> {
        (self.0)(body, entries)
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn kept(&self, _cause: &str) {}

    fn give_up(&self, _entries: usize, _cause: &str) {}
}

pub(super) fn span(id: u64, name: String) -> SpanData {
    let context = SpanContext::new(
        TraceId::from(1),
        SpanId::from(id),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    SpanData {
        span_context: context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: Cow::Owned(name),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("test").build(),
    }
}

pub(super) fn processor(
    max_bytes: usize,
    schedule: Schedule,
    to: impl Destination,
    lost: &Arc<AtomicUsize>,
) -> WireSpanProcessor {
    let lost = Arc::clone(lost);
    let lost = Box::new(move |_| _ = lost.fetch_add(1, Ordering::Relaxed));
    let resource = Resource::builder_empty().build();
    let (processor, sending) = WireSpanProcessor::new(&resource, max_bytes, schedule, to, lost);
    send_on_a_thread(sending);
    processor
}

/// As the export runtime does it.
pub(super) fn send_on_a_thread(sending: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    thread::spawn(move || runtime.block_on(sending));
}

#[test]
fn eight_threads_and_a_shutdown_at_any_moment_lose_nothing_that_was_taken() {
    for round in 0..20 {
        let (received, lost) = (Arc::new(Received::default()), Arc::new(AtomicUsize::new(0)));
        let schedule = Schedule { delay: Duration::from_millis(1), ..schedule(7) };
        let processor = Arc::new(processor(1 << 24, schedule, Arc::clone(&received), &lost));
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let processor = Arc::clone(&processor);
                thread::spawn(move || {
                    for number in 0..500 {
                        processor.on_end(&span(thread * 500 + number, format!("span {number}")));
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            processor.shutdown_with_timeout(LONG).unwrap();
            assert_eq!(received.ids(), (0..4000).collect::<Vec<u64>>());
            assert_eq!(lost.load(Ordering::Relaxed), 0);
        } else {
            processor.shutdown_with_timeout(LONG).unwrap();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let ids = received.ids();
            assert_eq!(
                ids.len(),
                received.taken.load(Ordering::Relaxed),
                "each that was taken was delivered"
            );
            assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "and none twice");
            assert_eq!(ids.len() + lost.load(Ordering::Relaxed), 4000, "the others were turned away");
        }
        assert!(matches!(processor.force_flush(), Err(OTelSdkError::AlreadyShutdown)));
    }
}

/// Waits in each delivery until it is told to go on.
fn held(began: SyncSender<usize>, go_on: Receiver<()>) -> impl Destination {
    let go_on = Mutex::new(go_on);
    By(move |_, entries| {
        began.send(entries).unwrap();
        go_on.lock().unwrap().recv().unwrap();
        Err(Failure::Final("held up".to_owned()))
    })
}

#[test]
fn what_finds_no_room_is_counted_and_room_comes_back() {
    let (began, beginnings) = sync_channel(1);
    let (go_on, gone_on) = sync_channel(10);
    let lost = Arc::new(AtomicUsize::new(0));
    let one = 100_000;
    let processor = processor(10 * one + one / 2, schedule(1), held(began, gone_on), &lost);
    let push = |id| processor.on_end(&span(id, "n".repeat(one)));

    push(0);
    assert_eq!(beginnings.recv().unwrap(), 1);
    // The first is under way, and its bytes are not free before it has arrived.
    (1..21).for_each(push);
    assert_eq!(lost.load(Ordering::Relaxed), 11);
    go_on.send(()).unwrap();
    for _ in 0..9 {
        assert_eq!(beginnings.recv().unwrap(), 1);
        go_on.send(()).unwrap();
    }
    thread::scope(|scope| {
        let flush = scope.spawn(|| processor.force_flush());
        // There is nothing left to deliver, so nothing fails.
        flush.join().unwrap().unwrap();
    });
    (30..40).for_each(push);
    assert_eq!(lost.load(Ordering::Relaxed), 11);
    (0..10).for_each(|_| go_on.send(()).unwrap());
    let failed = thread::scope(|scope| {
        let shutdown = scope.spawn(|| processor.shutdown_with_timeout(LONG));
        (0..10).for_each(|_| assert_eq!(beginnings.recv().unwrap(), 1));
        shutdown.join().unwrap()
    });
    // The first of them may have failed before the shutdown asked.
    if let Err(error) = failed {
        assert!(error.to_string().contains("held up"), "{error}");
    }
}

#[test]
fn a_shutdown_that_takes_too_long_says_so() {
    let (began, beginnings) = sync_channel(1);
    let (go_on, gone_on) = sync_channel(1);
    let lost = Arc::default();
    let processor = processor(1 << 20, schedule(1), held(began, gone_on), &lost);
    processor.on_end(&span(1, "slow".to_owned()));
    assert_eq!(beginnings.recv().unwrap(), 1);
    let result = processor.shutdown_with_timeout(Duration::from_millis(1));
    assert!(matches!(result, Err(OTelSdkError::Timeout(_))), "{result:?}");
    go_on.send(()).unwrap();
}

#[test]
fn all_room_comes_back() {
    let buffers: Buffers = Buffers::new(1_000_000, 10, usize::MAX);
    let scopes: Vec<_> = ["a", "b", "c"].map(|name| InstrumentationScope::builder(name).build()).into();
    let (mut chunks, mut spares) = (Vec::new(), Vec::new());
    for round in 0..50_usize {
        for number in 0..=round {
            let key = (&scopes[number % 3], None);
            assert_ne!(buffers.push(key, usize::MAX, |out| out.extend([0x12, 1, 0])), Pushed::Full);
        }
        assert!(
            buffers.push((&scopes[0], None), usize::MAX, |out| out.resize(out.len() + 1_000_000, 0))
                == Pushed::Full
        );
        buffers.take(&mut chunks, &mut spares, false);
        assert_eq!(chunks.iter().map(|chunk| chunk.entries).sum::<usize>(), round + 1);
        let bytes = chunks.drain(..).map(|chunk| chunk.bytes.len()).sum();
        assert_eq!(bytes, (round + 1) * 3);
        buffers.give_back(bytes);
    }
    // But for the scopes themselves, which stay.
    let scopes: usize = 3 * (2 + 3);
    assert_eq!(1_000_000 - buffers.room_left(), scopes);
}

#[test]
fn scopes_that_come_and_go_take_no_room_for_good() {
    let buffers: Buffers = Buffers::new(1_000_000, 10, usize::MAX);
    let (mut chunks, mut spares) = (Vec::new(), Vec::new());
    for round in 0..1000 {
        for number in 0..100 {
            let scope =
                InstrumentationScope::builder(format!("a scope of round {round}, number {number}")).build();
            assert_ne!(
                buffers.push((&scope, None), usize::MAX, |out| out.extend([0x12, 1, 0])),
                Pushed::Full
            );
        }
        buffers.take(&mut chunks, &mut spares, false);
        buffers.give_back(chunks.drain(..).map(|chunk| chunk.bytes.len()).sum());
    }
    assert_eq!(buffers.room_left(), 1_000_000);
}

#[test]
fn a_batch_by_bytes_calls_the_worker() {
    let buffers: Buffers = Buffers::new(1_000_000, usize::MAX, 3000);
    let scope = InstrumentationScope::builder("a").build();
    let is_due = || {
        buffers.push((&scope, None), usize::MAX, |out| out.resize(out.len() + 100, 0)) == Pushed::KeptAndDue
    };
    for bytes in [3000, 6000, 3000] {
        buffers.set_batch_bytes(bytes);
        let calls = (0..bytes / 100).filter(|_| is_due()).count();
        // Each shard calls at its share; this thread has one of them.
        assert!((1..=bytes / 100).contains(&calls) && buffers.has_a_batch(), "{calls}");
        let (mut chunks, mut spares) = (Vec::new(), Vec::new());
        buffers.take(&mut chunks, &mut spares, false);
        assert!(!buffers.has_a_batch());
    }
}

#[test]
fn what_fills_half_of_the_room_is_sent_though_it_is_no_batch() {
    let (began, beginnings) = sync_channel(10);
    let (go_on, gone_on) = sync_channel(10);
    let lost = Arc::default();
    let processor = processor(1_000_000, schedule(100_000), held(began, gone_on), &lost);
    (0..10).for_each(|_| go_on.send(()).unwrap());
    (0..7).for_each(|id| processor.on_end(&span(id, "n".repeat(100_000))));
    assert!(beginnings.recv_timeout(LONG).unwrap() > 0);
}

#[test]
fn what_is_no_batch_is_sent_so_long_after_what_was_sent_last() {
    let (told, came) = sync_channel(10);
    let lost = Arc::default();
    let delay = Duration::from_millis(30);
    let to = By(move |_, _| told.send(()).map_err(|_| Failure::Final("nobody is there".to_owned())));
    let processor = processor(1 << 20, Schedule { delay, ..schedule(100) }, to, &lost);
    for id in 0..5 {
        let before = Instant::now();
        processor.on_end(&span(2 * id, "flushed".to_owned()));
        processor.force_flush().unwrap();
        came.recv().unwrap();
        processor.on_end(&span(2 * id + 1, "waits".to_owned()));
        came.recv_timeout(LONG).unwrap();
        assert!(before.elapsed() >= delay, "{:?}", before.elapsed());
    }
}

#[test]
fn nobody_waits_for_a_worker_that_is_gone() {
    let lost = Arc::default();
    let processor = processor(1 << 20, schedule(100), By(|_, _| panic!("a bug of ours")), &lost);
    processor.on_end(&span(1, "last".to_owned()));
    for _ in 0..2 {
        assert!(matches!(processor.force_flush(), Err(OTelSdkError::AlreadyShutdown)));
    }
    assert!(matches!(processor.shutdown_with_timeout(LONG), Err(OTelSdkError::AlreadyShutdown)));
}

/// Never answers.
struct Endless(SyncSender<()>);

impl Destination for Endless {
    fn taken(&self, _entries: usize) {}

    async fn deliver(&self, _body: Vec<u8>, _entries: usize) -> Result<(), Failure> {
        self.0.send(()).unwrap();
        std::future::pending().await
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn kept(&self, _cause: &str) {}

    fn give_up(&self, _entries: usize, _cause: &str) {}
}

/// The runtime that sends may end first, before or while something is sent.
#[test]
fn nobody_waits_for_what_is_not_polled_any_more() {
    for runs in [false, true] {
        let (began, beginnings) = sync_channel(1);
        let resource = Resource::builder_empty().build();
        let (processor, sending) =
            WireSpanProcessor::new(&resource, 1 << 20, schedule(1), Endless(began), Box::new(|_| ()));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
        if runs {
            runtime.spawn(sending);
            processor.on_end(&span(1, "last".to_owned()));
            beginnings.recv().unwrap();
        } else {
            drop(sending);
        }
        thread::scope(|scope| {
            let flush = scope.spawn(|| processor.force_flush());
            runtime.shutdown_background();
            assert!(matches!(flush.join().unwrap(), Err(OTelSdkError::AlreadyShutdown)));
        });
        assert!(matches!(processor.shutdown_with_timeout(LONG), Err(OTelSdkError::AlreadyShutdown)));
    }
}
