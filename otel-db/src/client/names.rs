//! Texts of spans that are made once.
//!
//! A name is static or a text of each span's own, which is allocated for each call; and a text that is shared has a count of
//! references that all threads write to. The statements of a service are few, so what spans say of them is made static, up to
//! a bound: it is never given back.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What all texts of the process may have together, in bytes.
const MOST: usize = 256 * 1024;

/// A longer one stays the statement's own.
const LONGEST: usize = 1024;

#[derive(Default)]
struct Names {
    known: HashSet<&'static str>,
    bytes: usize,
}

static NAMES: Mutex<Option<Names>> = Mutex::new(None);

/// `name` for as long as the process runs; `None` when it is long, or there are too many. It takes a lock: ask once for each
/// statement that comes again.
pub(super) fn interned(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.get_or_insert_default().intern(name)
}

impl Names {
    fn intern(&mut self, name: &str) -> Option<&'static str> {
        if let Some(known) = self.known.get(name) {
            return Some(known);
        }
        if name.len() > LONGEST || self.bytes + name.len() > MOST {
            return None;
        }
        self.bytes += name.len();
        let name: &'static str = Box::leak(name.into());
        self.known.insert(name);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once_and_all_of_them_are_bounded() {
        let mut names = Names::default();
        let first = names.intern("SELECT songs");
        assert_eq!(first, Some("SELECT songs"));
        assert_eq!(names.intern("SELECT songs").map(str::as_ptr), first.map(str::as_ptr));
        let kept = (0..8_000).filter(|number| names.intern(&format!("{number:0>64}")).is_some()).count();
        assert_eq!(kept, (MOST - "SELECT songs".len()) / 64);
        assert_eq!(Names::default().intern(&"a".repeat(LONGEST + 1)), None);
        assert_eq!(names.intern("SELECT songs").map(str::as_ptr), first.map(str::as_ptr));
    }
}
