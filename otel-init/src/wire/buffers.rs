//! Where encoded entries wait, apart for each thread.

use std::mem;

use super::envelope::{EncodedScope, ScopeKey};
use super::room::Room;
use crate::sync::Shards;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Scopes that have nothing to say are forgotten above this.
const MOST_IDLE_SCOPES: usize = 64;

/// Buffers of encoded entries. A thread always uses the same one; there is no lock that all threads share.
#[derive(Debug)]
pub(super) struct Buffers {
    shards: Shards<Mutex<Content>>,
    room: Room,
    /// What is worth a request: so many entries, or so many bytes. A shard calls for the worker each time it has got its
    /// share.
    batch_entries: usize,
    batch_bytes: AtomicUsize,
}

#[derive(Debug)]
struct Content {
    chunks: Vec<Chunk>,
    entries: usize,
    bytes: usize,
    /// What came since the last call.
    uncalled: (usize, usize),
    /// Bytes that were taken from the room and are not used yet.
    credit: usize,
    /// Whoever takes from here has been here for the last time.
    has_ended: bool,
}

/// Entries of one scope, one after the other, each with its key and length.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) scope: Arc<EncodedScope>,
    pub(super) bytes: Vec<u8>,
    pub(super) entries: usize,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Kept,
    /// There may be enough for a request now.
    KeptAndDue,
    /// It is larger than it may be, and nothing of it is kept.
    TooLarge,
    /// There is no room.
    Full,
    /// Nobody would take it any more.
    Ended,
}

impl Buffers {
    /// For at most `max_bytes`.
    pub(super) fn new(max_bytes: usize, batch_entries: usize, batch_bytes: usize) -> Self {
        let empty = || Content {
            chunks: Vec::new(),
            entries: 0,
            bytes: 0,
            uncalled: (0, 0),
            credit: 0,
            has_ended: false,
        };
        let shards = Shards::new(|| Mutex::new(empty()));
        let batch_bytes = AtomicUsize::new(batch_bytes);
        Self { shards, room: Room::new(max_bytes), batch_entries, batch_bytes }
    }

    /// From now on so many bytes are worth a request.
    pub(super) fn set_batch_bytes(&self, bytes: usize) {
        self.batch_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Has `encode` write one entry of the scope of `key`, of at most so many bytes.
    pub(super) fn push(&self, key: ScopeKey<'_>, most: usize, encode: impl FnOnce(&mut Vec<u8>)) -> Pushed {
        let mut content = lock(self.shards.own());
        let Content { chunks, entries, bytes, uncalled, credit, has_ended } = &mut *content;
        if *has_ended {
            return Pushed::Ended;
        }
        // The last one used stands first.
        let (index, new_scope) = match chunks.iter().position(|chunk| chunk.scope.is(key)) {
            Some(index) => (index, 0),
            None => {
                chunks.push(Chunk { scope: Arc::new(EncodedScope::new(key)), bytes: Vec::new(), entries: 0 });
                (chunks.len() - 1, chunks[chunks.len() - 1].scope.len())
            }
        };
        chunks.swap(0, index);
        let chunk = &mut chunks[0];
        let before = chunk.bytes.len();
        encode(&mut chunk.bytes);
        let needed = chunk.bytes.len() - before + new_scope;
        let mut is_tight = false;
        if needed > *credit {
            // What is larger than a request never fits in the credit.
            let is_too_large = needed - new_scope > most;
            let taken = if is_too_large { 0 } else { self.room.take(needed - *credit) };
            if taken == 0 {
                chunk.bytes.truncate(before);
                if new_scope > 0 {
                    chunks.swap_remove(0);
                }
                return if is_too_large { Pushed::TooLarge } else { Pushed::Full };
            }
            *credit += taken;
            // A batch that is larger than the room would never be full.
            is_tight = self.room.is_tight();
        }
        *credit -= needed;
        chunk.entries += 1;
        *entries += 1;
        *bytes += needed;
        *uncalled = (uncalled.0 + 1, uncalled.1 + needed);
        if !is_tight && !self.is_share_of_batch(*uncalled) {
            return Pushed::Kept;
        }
        *uncalled = (0, 0);
        Pushed::KeptAndDue
    }

    fn is_share_of_batch(&self, (entries, bytes): (usize, usize)) -> bool {
        // `of / shards <= part`, without a division.
        let is_share = |part: usize, of: usize| part.saturating_add(1).saturating_mul(self.shards.len()) > of;
        is_share(entries, self.batch_entries) || is_share(bytes, self.batch_bytes.load(Ordering::Relaxed))
    }

    /// Whether as much waits as is worth a request, or there is not much room for more.
    pub(super) fn has_a_batch(&self) -> bool {
        let (mut entries, mut bytes) = (0, 0);
        for content in self.shards.iter().map(lock) {
            (entries, bytes) = (entries + content.entries, bytes + content.bytes);
        }
        let batch_bytes = self.batch_bytes.load(Ordering::Relaxed);
        self.room.is_tight() || entries >= self.batch_entries || bytes >= batch_bytes
    }

    /// Takes everything; nothing comes after the last time. `spares` are buffers to go on with.
    pub(super) fn take(&self, into: &mut Vec<Chunk>, spares: &mut Vec<Vec<u8>>, is_last: bool) {
        for shard in self.shards.iter() {
            let mut content = lock(shard);
            content.has_ended |= is_last;
            (content.entries, content.bytes, content.uncalled) = (0, 0, (0, 0));
            let credit = mem::take(&mut content.credit);
            for chunk in &mut content.chunks {
                if chunk.entries > 0 {
                    into.push(Chunk {
                        scope: Arc::clone(&chunk.scope),
                        bytes: mem::replace(&mut chunk.bytes, spares.pop().unwrap_or_default()),
                        entries: mem::take(&mut chunk.entries),
                    });
                }
            }
            let mut forgotten = 0;
            if content.chunks.len() > MOST_IDLE_SCOPES {
                forgotten = content.chunks.drain(..).map(|chunk| chunk.scope.len()).sum();
            }
            drop(content);
            self.room.give_back(credit + forgotten);
        }
    }

    /// Bytes that were taken are gone.
    pub(super) fn give_back(&self, bytes: usize) {
        self.room.give_back(bytes);
    }

    /// Leaves at most a quarter of the room to what comes. Returns the bytes that are to be given back.
    pub(super) fn hold_back(&self) -> usize {
        self.room.hold_back()
    }

    #[cfg(test)]
    pub(super) fn room_left(&self) -> usize {
        self.room.left()
    }
}

fn lock(shard: &Mutex<Content>) -> MutexGuard<'_, Content> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
