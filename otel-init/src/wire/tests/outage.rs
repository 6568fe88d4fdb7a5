//! A collector that is away: what could not be sent waits, within its room, and is sent once it can be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::handover::{ids, processor, schedule, span};
use crate::wire::{Destination, Failure};

/// What somebody sees who can take the collector away.
#[derive(Default)]
struct Collector {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Requests with these spans fail, for the moment.
    refused: Vec<u64>,
    is_down: bool,
    /// Whether a failure closes the way until somebody opens it.
    pauses: bool,
    is_paused: bool,
    attempts: usize,
    received: Vec<u64>,
    kept: usize,
    given_up: usize,
}

impl Collector {
    fn with<R>(&self, action: impl FnOnce(&mut State) -> R) -> R {
        action(&mut self.state.lock().unwrap())
    }

    fn goes_down(&self) {
        self.with(|state| (state.is_down, state.pauses) = (true, true));
    }

    /// Comes back, and the pause is over.
    fn comes_back(&self) {
        self.with(|state| (state.is_down, state.is_paused) = (false, false));
    }

    /// The spans it got, sorted, and how many were given up.
    fn outcome(&self) -> (Vec<u64>, usize) {
        self.with(|state| {
            state.received.sort_unstable();
            (state.received.clone(), state.given_up)
        })
    }
}

impl Destination for Arc<Collector> {
    fn taken(&self, _entries: usize) {}

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Result<(), Failure> {
        let ids = ids(&body, entries);
        self.with(|state| {
            state.attempts += 1;
            if state.is_down || ids.iter().any(|id| state.refused.contains(id)) {
                state.is_paused = state.pauses;
                return Err(Failure::Transient("away".to_owned()));
            }
            state.received.extend(ids);
            Ok(())
        })
    }

    fn is_paused(&self) -> bool {
        self.with(|state| state.is_paused)
    }

    fn kept(&self, _cause: &str) {
        self.with(|state| state.kept += 1);
    }

    fn give_up(&self, entries: usize, _cause: &str) {
        self.with(|state| state.given_up += entries);
    }
}

#[test]
fn what_could_not_be_sent_is_sent_once_the_collector_is_back() {
    let (collector, lost) = (Arc::<Collector>::default(), Arc::default());
    let processor = processor(1 << 20, schedule(10), Arc::clone(&collector), &lost);
    for round in 0..3 {
        collector.goes_down();
        (0..100).for_each(|id| processor.on_end(&span(round * 100 + id, "span".to_owned())));
        for _ in 0..3 {
            assert!(processor.force_flush().unwrap_err().to_string().contains("away"));
        }
        collector.comes_back();
        processor.force_flush().unwrap();
        assert_eq!(collector.outcome(), ((0..100 * (round + 1)).collect(), 0));
    }
    assert_eq!(lost.load(Ordering::Relaxed), 0);
}

#[test]
fn while_nothing_is_sent_a_quarter_of_the_room_is_kept() {
    const SPAN: usize = 10_000;
    let (collector, lost) = (Arc::<Collector>::default(), Arc::default());
    let processor = processor(100 * SPAN, schedule(10), Arc::clone(&collector), &lost);
    let push = |ids: std::ops::Range<u64>| ids.for_each(|id| processor.on_end(&span(id, "n".repeat(SPAN))));
    for _ in 0..3 {
        collector.goes_down();
        push(0..1);
        (0..3).for_each(|_| drop(processor.force_flush().unwrap_err()));
        let attempts = collector.with(|state| state.attempts);
        push(1..100);
        assert_eq!(collector.with(|state| state.attempts), attempts, "it is left alone");
        let kept = 100 - lost.swap(0, Ordering::Relaxed);
        assert!((20..25).contains(&kept), "{kept}");
        collector.comes_back();
        processor.force_flush().unwrap();
        let (received, given_up) = collector.outcome();
        assert_eq!((received.len(), given_up), (kept, 0));
        collector.with(|state| state.received.clear());
    }
    // All of the room is there again; a push that meets the worker finds a part of it taken.
    push(0..90);
    processor.force_flush().unwrap();
    assert_eq!((collector.outcome().0.len(), lost.load(Ordering::Relaxed)), (90, 0));
}

#[test]
fn what_the_collector_always_fails_of_is_given_up_and_the_rest_gets_through() {
    let (collector, lost) = (Arc::<Collector>::default(), Arc::<AtomicUsize>::default());
    collector.with(|state| state.refused = vec![3]);
    let processor = processor(1 << 20, schedule(1), Arc::clone(&collector), &lost);
    processor.on_end(&span(3, "span".to_owned()));
    for _ in 0..10 {
        // As far as anybody knows, the collector is away.
        processor.force_flush().unwrap_err();
        assert_eq!(collector.outcome(), (vec![], 0));
    }
    let others = (4..10).take_while(|id| {
        processor.on_end(&span(*id, "span".to_owned()));
        // An error, as long as there is something to fail of.
        let _ = processor.force_flush();
        collector.outcome().1 == 0
    });
    let others = others.count() as u64;
    assert!((2..5).contains(&others), "{others}");
    processor.force_flush().unwrap();
    assert_eq!(collector.outcome(), ((4..=4 + others).collect(), 1));
}

#[test]
fn at_the_end_what_waits_is_given_up() {
    let (collector, lost) = (Arc::<Collector>::default(), Arc::default());
    let processor = processor(1 << 20, schedule(10), Arc::clone(&collector), &lost);
    collector.goes_down();
    (0..100).for_each(|id| processor.on_end(&span(id, "span".to_owned())));
    processor.force_flush().unwrap_err();
    let (attempts, kept) = collector.with(|state| (state.attempts, state.kept));
    assert_eq!(attempts, kept);
    processor.shutdown_with_timeout(Duration::from_secs(60)).unwrap_err();
    assert_eq!(collector.outcome(), (vec![], 100));
    let after = collector.with(|state| (state.attempts, state.kept));
    assert_eq!(after, (attempts + 1, kept), "it is asked once more, not for each request");
}
