//! The memory that the buffers of all threads share.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes all buffers together may still hold.
#[derive(Debug)]
pub(super) struct Room {
    left: AtomicUsize,
    bytes: usize,
}

/// Buffers take room in pieces, so that they seldom meet at the one counter.
const PIECE: usize = 16 * 1024;

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes), bytes }
    }

    /// Takes at least `wanted` bytes and returns how many; 0 if there are not as many left.
    pub(super) fn take(&self, wanted: usize) -> usize {
        let mut left = self.left.load(Ordering::Relaxed);
        loop {
            if left < wanted {
                return 0;
            }
            let taken = wanted.max(PIECE.min(left));
            match self.left.compare_exchange_weak(left, left - taken, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return taken,
                Err(now) => left = now,
            }
        }
    }

    /// Takes three quarters of all, or what is left, and returns how much that was.
    pub(super) fn hold_back(&self) -> usize {
        let part = self.bytes - self.bytes / 4;
        let rest = |left: usize| Some(left.saturating_sub(part));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        before.map_or(0, |left| left.min(part))
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether more than half of it is taken.
    pub(super) fn is_tight(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.bytes / 2
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}
