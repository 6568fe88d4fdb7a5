//! The ways into the queues of a signal, and what is counted there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry_sdk::error::OTelSdkResult;

use crate::export::Tally;
use crate::pipeline::Processed;

/// A way out: its queue, and what takes from it.
#[derive(Debug)]
pub(crate) struct Lane<P> {
    pub(crate) intake: Intake,
    pub(crate) processor: Arc<P>,
}

/// All ways out of a signal. They are flushed and shut down one by one, each by its own outlet.
#[derive(Debug)]
pub(crate) struct Lanes<P> {
    lanes: Vec<Lane<P>>,
    /// Whether the outlets have taken over the end.
    is_ending: Arc<AtomicBool>,
}

impl<P> Lanes<P> {
    pub(crate) fn new(lanes: Vec<Lane<P>>, is_ending: Arc<AtomicBool>) -> Self {
        Self { lanes, is_ending }
    }

    pub(super) fn filter(&self) {
        self.lanes.iter().for_each(|lane| lane.intake.filter());
    }

    /// The lanes that have room for one more; it counts as queued there.
    pub(super) fn admit(&self) -> Admitted<'_, P> {
        match &*self.lanes {
            [only] => Admitted::One(only.intake.admit().then_some(only)),
            lanes => Admitted::Some(lanes.iter().filter(|lane| lane.intake.admit()).collect()),
        }
    }

    /// The first failure, after all were asked.
    pub(super) fn each(&self, action: impl Fn(&P) -> OTelSdkResult) -> OTelSdkResult {
        let results: Vec<_> = self.lanes.iter().map(|lane| action(&lane.processor)).collect();
        results.into_iter().collect()
    }

    /// As [`Self::each`], unless the outlets do it themselves.
    pub(super) fn end(&self, action: impl Fn(&P) -> OTelSdkResult) -> OTelSdkResult {
        if self.is_ending.load(Ordering::Acquire) { Ok(()) } else { self.each(action) }
    }

    pub(super) fn any(&self, test: impl Fn(&P) -> bool) -> bool {
        self.lanes.iter().any(|lane| test(&lane.processor))
    }
}

/// Mostly there is one lane, and no list to make.
pub(super) enum Admitted<'a, P> {
    One(Option<&'a Lane<P>>),
    Some(Vec<&'a Lane<P>>),
}

impl<P> Admitted<'_, P> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::One(lane) => lane.is_none(),
            Self::Some(lanes) => lanes.is_empty(),
        }
    }
}

/// Counts what comes and refuses what does not fit.
#[derive(Debug)]
pub(crate) struct Intake {
    tally: Arc<Tally>,
    processed: Arc<Processed>,
}

impl Intake {
    pub(crate) fn new(tally: Arc<Tally>, processed: Arc<Processed>) -> Self {
        Self { tally, processed }
    }

    pub(super) fn filter(&self) {
        self.tally.filter();
    }

    pub(super) fn admit(&self) -> bool {
        let is_admitted = self.tally.admit();
        if !is_admitted {
            self.processed.queue_full();
        }
        is_admitted
    }
}
