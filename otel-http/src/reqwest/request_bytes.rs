//! The size of a request's body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::reqwest::{Body, Error, Request};
use bytes::Buf;
use otel_core::{BodyObserver, ObservedBody};

/// Known before it is sent, or counted while it is.
pub(super) enum RequestBytes {
    Known(u64),
    Counted(Arc<AtomicU64>),
}

/// The stream has not ended: whoever reads this has no size.
const UNKNOWN: u64 = u64::MAX;

impl RequestBytes {
    /// Counts a stream as it passes; a body that lies in memory stays as it is, so that it can be sent again.
    pub(super) fn count(request: &mut Request) -> Self {
        let Some(body) = request.body_mut() else { return Self::Known(0) };
        if let Some(bytes) = body.as_bytes() {
            return Self::Known(bytes.len() as u64);
        }
        let total = Arc::new(AtomicU64::new(UNKNOWN));
        let counter = Counter { passed: 0, total: Arc::clone(&total) };
        *body = Body::wrap(ObservedBody::new(std::mem::take(body), counter));
        Self::Counted(total)
    }

    /// The size, if all of the body has been sent.
    pub(super) fn known(self) -> Option<u64> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::Counted(total) => Some(total.load(Ordering::Acquire)).filter(|total| *total != UNKNOWN),
        }
    }
}

struct Counter {
    passed: u64,
    total: Arc<AtomicU64>,
}

impl BodyObserver<Error> for Counter {
    fn chunk(&mut self, chunk: &impl Buf) {
        self.passed += chunk.remaining() as u64;
    }

    fn end(self) {
        self.total.store(self.passed, Ordering::Release);
    }

    fn error(self, _: &Error) {}
}
