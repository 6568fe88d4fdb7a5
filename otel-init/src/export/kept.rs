//! Which files of the disk buffer count as stored.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What this process has on disk for one destination. Somebody else may delete files, a cleaner of temporary ones for
/// instance, and nobody would count what was in them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    files: Mutex<BTreeMap<PathBuf, Content>>,
}

/// Of one file, or of several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) items: u64,
    /// In bytes.
    pub(super) size: u64,
}

impl Kept {
    pub(super) fn add(&self, path: PathBuf, content: Content) {
        self.files().insert(path, content);
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

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Content>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
