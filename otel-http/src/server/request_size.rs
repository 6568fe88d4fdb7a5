//! How many bytes the body of a request has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use http::header::CONTENT_LENGTH;

/// More than this is no body but a joke, or an attempt at the histogram's sum.
const MAX_CONTENT_LENGTH: u64 = 1 << 48;

/// As far as it is known.
#[derive(Debug, Default)]
pub(crate) enum RequestSize {
    #[default]
    Unknown,
    /// By the request's head.
    Said(u64),
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "other bodies cannot be counted"))]
    Passed(Passed),
}

impl RequestSize {
    /// What the request says of its body's length.
    pub(super) fn said(headers: &HeaderMap) -> Option<Self> {
        let length = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
        Some(if length <= MAX_CONTENT_LENGTH { Self::Said(length) } else { Self::Unknown })
    }

    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::Said(bytes) => Some(*bytes),
            Self::Passed(passed) => passed.so_far(),
        }
    }
}

/// Bytes that have passed; unknown until the first, or the end, has.
#[derive(Clone, Debug)]
pub(crate) struct Passed(Arc<AtomicU64>);

const NOTHING: u64 = u64::MAX;

impl Default for Passed {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(NOTHING)))
    }
}

impl Passed {
    #[cfg(feature = "axum")]
    pub(crate) fn add(&self, bytes: usize) {
        // A body is polled by one task at a time.
        let before = self.so_far().unwrap_or_default();
        self.0.store(before.saturating_add(bytes as u64), Ordering::Relaxed);
    }

    fn so_far(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|bytes| *bytes != NOTHING)
    }
}
