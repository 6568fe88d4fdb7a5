//! Statements that were read before.
//!
//! Each thread has a cache of its own: a hit takes no lock and touches nothing that threads share, not even a reference
//! count. It is a table of sets of four, so that a lookup compares four hashes at most and no text makes it slower. One
//! budget bounds what all threads keep together.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::statement::{QueryRules, Statement};
use crate::client::{Known, Series};

/// Sets in the table of a thread, and entries in a set.
const SETS: usize = 64;
const WAYS: usize = 4;

/// Longer texts are rarely the same twice.
const MOST_TEXT: usize = 8 * 1024;

/// Clients that run the same statement, with more of which there is something wrong.
const MOST_CLIENTS: usize = 64;

/// What all threads keep together, in bytes.
const BUDGET: usize = 16 * 1024 * 1024;

static HELD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache { sets: Vec::new() }) };
}

pub(super) fn statement(rules: QueryRules, text: &str) -> Arc<Statement> {
    Arc::clone(known(rules, text, None).statement())
}

/// The statement, and what is known of its calls by a client.
pub(super) fn known(rules: QueryRules, text: &str, client: Option<u64>) -> Known {
    if text.len() > MOST_TEXT {
        return Known::New(Arc::new(rules.analyse(text)));
    }
    let hash = hash(text.as_bytes());
    let find = |cache: &mut Cache| Some(cache.find(hash, rules, text)?.known(client));
    // The cache of a thread that ends is gone before the last statement of the thread, perhaps.
    let hit = CACHE.try_with(|cache| find(&mut *cache.try_borrow_mut().ok()?)).ok().flatten();
    if let Some(known) = hit {
        return known;
    }
    let statement = Arc::new(rules.analyse(text));
    let entry = Entry::new(hash, rules, text, &statement);
    if let Some(entry) = entry {
        let _ = CACHE.try_with(|cache| cache.try_borrow_mut().map(|mut cache| cache.keep(entry)));
    }
    Known::New(statement)
}

/// Keeps what is known of the calls of a statement with it, in place of what was known of the same client's, for as long as
/// this thread keeps the statement; not if it does not.
pub(crate) fn keep_series(statement: &Arc<Statement>, series: impl FnOnce() -> Series) {
    let _ = CACHE.try_with(|cache| {
        let mut cache = cache.try_borrow_mut().ok()?;
        let entries = cache.sets.iter_mut().flat_map(|set| set.entries.iter_mut().flatten());
        entries.into_iter().find(|entry| Arc::ptr_eq(&entry.statement, statement))?.keep(series());
        Some(())
    });
}

struct Cache {
    sets: Vec<Set>,
}

#[derive(Default)]
struct Set {
    entries: [Option<Entry>; WAYS],
    next: usize,
}

struct Entry {
    hash: u64,
    rules: QueryRules,
    /// It was found since it was last passed over for removal.
    used: bool,
    text: Box<str>,
    statement: Arc<Statement>,
    /// Of the calls of each client, by its number.
    series: Vec<(u64, Arc<Series>)>,
    size: usize,
}

impl Cache {
    fn find(&mut self, hash: u64, rules: QueryRules, text: &str) -> Option<&Entry> {
        let set = self.sets.get_mut(index(hash))?;
        let found = set.entries.iter_mut().flatten();
        let found =
            found.into_iter().find(|one| one.hash == hash && one.rules == rules && &*one.text == text)?;
        found.used = true;
        Some(found)
    }

    fn keep(&mut self, entry: Entry) {
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Set::default);
        }
        if let Some(set) = self.sets.get_mut(index(entry.hash)) {
            set.keep(entry);
        }
    }
}

impl Set {
    /// In place of one that was not found lately, so that statements that never come again do not drive out those that do.
    fn keep(&mut self, entry: Entry) {
        for _ in 0..WAYS {
            let place = self.next;
            self.next = (self.next + 1) % WAYS;
            match &mut self.entries[place] {
                Some(other) if other.used => other.used = false,
                free => {
                    *free = Some(entry);
                    return;
                }
            }
        }
        self.entries[self.next] = Some(entry);
    }
}

impl Entry {
    /// `None` when the budget is spent.
    fn new(hash: u64, rules: QueryRules, text: &str, statement: &Arc<Statement>) -> Option<Self> {
        let size = size_of::<Self>() + text.len() + statement.size();
        if HELD.fetch_add(size, Ordering::Relaxed) + size > BUDGET {
            HELD.fetch_sub(size, Ordering::Relaxed);
            return None;
        }
        let (text, statement) = (text.into(), Arc::clone(statement));
        Some(Self { hash, rules, used: false, text, statement, series: Vec::new(), size })
    }

    fn known(&self, client: Option<u64>) -> Known {
        match self.series.iter().find(|(of, _)| Some(*of) == client) {
            Some((_, series)) => Known::Series(Arc::clone(series)),
            // There is no room for what would be learnt.
            None if self.series.len() >= MOST_CLIENTS => Known::New(Arc::clone(&self.statement)),
            None => Known::Statement(Arc::clone(&self.statement)),
        }
    }

    fn keep(&mut self, series: Series) {
        let client = series.client;
        self.series.retain(|(of, _)| *of != client);
        if self.series.len() < MOST_CLIENTS {
            self.series.push((client, Arc::new(series)));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        HELD.fetch_sub(self.size, Ordering::Relaxed);
    }
}

fn index(hash: u64) -> usize {
    // The high bits of a product are the good ones.
    (hash >> 58) as usize % SETS
}

/// Of the length, the begin, the end and some words between: a hit compares the text anyway.
fn hash(text: &[u8]) -> u64 {
    let mut hash = text.len() as u64;
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    };
    let (words, _) = text.as_chunks::<8>();
    let step = words.len().div_ceil(8).max(1);
    for word in words.iter().step_by(step) {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    mix(hash, u64::from_le_bytes(*last))
}

fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query_text::Dialect;

    #[test]
    fn a_known_statement_is_the_same_one() {
        let rules = QueryRules::new(Dialect::MySql);
        let first = statement(rules, "SELECT * FROM a_known_statement WHERE b = 1");
        let again = statement(rules, "SELECT * FROM a_known_statement WHERE b = 1");
        assert!(Arc::ptr_eq(&first, &again));
        let verbatim = statement(
            rules.with_parameterized_text_verbatim(true),
            "SELECT * FROM a_known_statement WHERE b = 1",
        );
        assert!(!Arc::ptr_eq(&first, &verbatim));
        let other =
            statement(QueryRules::new(Dialect::Oracle), "SELECT * FROM a_known_statement WHERE b = 1");
        assert!(!Arc::ptr_eq(&first, &other));
    }

    /// In threads of their own: each has a cache of its own, which is gone with it.
    #[test]
    fn a_cache_is_bounded_and_keeps_what_comes_again() {
        let thread = std::thread::spawn(|| {
            let rules = QueryRules::new(Dialect::PostgreSql);
            let hot = statement(rules, "SELECT hot");
            let mut kept = 0;
            for number in 0..10_000 {
                let _ = statement(rules, &format!("SELECT {number} FROM cold"));
                kept += usize::from(Arc::ptr_eq(&hot, &statement(rules, "SELECT hot")));
            }
            let entries = CACHE.with_borrow(|cache| {
                cache.sets.iter().map(|set| set.entries.iter().flatten().count()).sum::<usize>()
            });
            (kept, entries)
        });
        let (kept, entries) = thread.join().unwrap();
        assert_eq!(kept, 10_000, "the statement that comes again was driven out");
        assert!(entries <= SETS * WAYS, "{entries}");
    }

    #[test]
    fn threads_share_one_budget() {
        let long = "x".repeat(MOST_TEXT - 100);
        let threads: Vec<_> = (0..12)
            .map(|thread| {
                let long = long.clone();
                std::thread::spawn(move || {
                    for number in 0..300 {
                        let _ = statement(
                            QueryRules::default(),
                            &format!("SELECT {number} FROM t{thread}_{long}"),
                        );
                    }
                    HELD.load(Ordering::Relaxed)
                })
            })
            .collect();
        for thread in threads {
            let held = thread.join().unwrap();
            // Each thread may be about to give back what it could not get.
            assert!(held <= BUDGET + 12 * 4 * MOST_TEXT, "{held}");
        }
    }

    #[test]
    fn long_texts_are_not_kept() {
        let text = format!("SELECT {} FROM t", "a, ".repeat(MOST_TEXT));
        let rules = QueryRules::default();
        assert!(!Arc::ptr_eq(&statement(rules, &text), &statement(rules, &text)));
    }
}
