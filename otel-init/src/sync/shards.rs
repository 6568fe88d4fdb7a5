//! What many threads write often, apart for each of them.

use std::cell::Cell;
// Not that of `crate::sync`: which number a thread gets is no matter of order.
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::thread_local;

/// Threads beyond these share.
const MOST: usize = 16;

/// One for each thread that can run at the same time. A thread always uses the same one.
#[derive(Debug)]
pub(crate) struct Shards<T>(Box<[Shard<T>]>);

/// On a cache line of its own, and on the one that is fetched with it.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<T>(T);

impl<T> Shards<T> {
    pub(crate) fn new(make: impl FnMut() -> T) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self(std::iter::repeat_with(make).map(Shard).take(threads.clamp(1, MOST)).collect())
    }

    /// The one of this thread.
    pub(crate) fn own(&self) -> &T {
        &self.0[own_number() % self.0.len()].0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|Shard(shard)| shard)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

/// A number for each thread: 0, 1, 2 …
fn own_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<Option<usize>> = const { Cell::new(None) };
    }
    // A thread that is ending has no number any more, and may use any.
    OWN.try_with(|own| match own.get() {
        Some(number) => number,
        None => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            own.set(Some(number));
            number
        }
    })
    .unwrap_or_default()
}
