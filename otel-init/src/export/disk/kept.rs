//! Which files of the disk buffer count as stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What this process has on disk for one destination. Somebody else may delete files, a cleaner of temporary ones for
/// instance, and nobody would count what was in them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    files: Mutex<BTreeMap<PathBuf, Content>>,
    /// Those that could not be removed when they had been sent. Nothing in them is missed.
    done: Mutex<BTreeSet<PathBuf>>,
}

/// Of one file, or of several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) items: u64,
    /// In bytes.
    pub(super) size: u64,
}

/// What became of a file that was sent, or refused for good.
#[derive(Debug)]
pub(super) enum Done {
    Removed,
    /// Somebody else removed it, and counts it.
    Gone,
    /// The folder does not let it go. It is not to be sent again.
    Stays(io::Error),
}

impl Kept {
    pub(super) fn add(&self, path: PathBuf, content: Content) {
        self.files().insert(path, content);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files().is_empty()
    }

    /// Gives a finished file its name.
    pub(super) fn rename(&self, from: &Path, to: PathBuf, content: Content) -> io::Result<()> {
        // Held, or the file might be sent and removed before it is known.
        let mut files = self.files();
        fs::rename(from, &to)?;
        files.insert(to, content);
        Ok(())
    }

    /// Whether this removed the file, and nobody else before.
    pub(super) fn remove(&self, path: &Path) -> bool {
        // Held, or the file would be missed while it is removed.
        let mut files = self.files();
        let is_removed = fs::remove_file(path).is_ok();
        if is_removed {
            files.remove(path);
        }
        is_removed
    }

    /// Removes a file that has been sent, or at least remembers that it was.
    pub(super) fn finish(&self, path: &Path) -> Done {
        let mut files = self.files();
        match fs::remove_file(path) {
            Ok(()) => {
                files.remove(path);
                Done::Removed
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Done::Gone,
            Err(error) => {
                if let Some(content) = files.get_mut(path) {
                    content.items = 0;
                }
                self.done().insert(path.to_owned());
                Done::Stays(error)
            }
        }
    }

    /// Whether this was sent and could not be removed, until now: it is tried again.
    pub(super) fn is_done(&self, path: &Path) -> bool {
        let mut done = self.done();
        let is_done = done.contains(path);
        // What has gone is missed next, with its size and no items.
        if is_done && fs::remove_file(path).is_ok() {
            done.remove(path);
        }
        is_done
    }

    /// Forgets the files that somebody else has removed, and says what was in them. Those that cannot be looked at now stay.
    pub(super) fn take_missing(&self) -> Content {
        let mut missing = Content::default();
        self.files().retain(|path, content| {
            let is_missing = path.try_exists().is_ok_and(|exists| !exists);
            if is_missing {
                missing.items += content.items;
                missing.size += content.size;
            }
            !is_missing
        });
        missing
    }

    fn done(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Content>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
