//! A buffer on disk: what is to be sent is written first, and removed when it was taken.
//!
//! Each process has a folder of its own below the one that was configured, with a file that it keeps locked. The lock ends
//! with the process, however it ends, so the folder of one that is gone can be told and taken over. What the files are is in
//! `file`.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fs4::{FileExt, TryLockError};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::file::{self, Content, Unreadable};
use crate::export::advice::of_disk;

const LOCK: &str = "lock";
/// How often a new folder is made after others took one away that was not locked yet.
const STARTS: usize = 8;

/// The folder of this process, shared by all destinations.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(super) folder: PathBuf,
    /// What other processes do not have.
    id: String,
    /// Locked until the process ends.
    _lock: File,
    pub(super) max_size: u64,
    /// What the operator should know, from the start.
    pub(in crate::export) warnings: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of all files, in bytes.
    size: u64,
    /// The time in the newest name.
    newest: u64,
    /// What other processes left, and nobody here sends, with its sizes.
    stranded: VecDeque<(PathBuf, u64)>,
    /// How many of these files were cut short.
    damaged: usize,
}

impl Disk {
    /// Makes the folder of this process and takes over those of processes that are gone.
    pub(crate) fn open(base: &Path, max_size: u64) -> io::Result<Self> {
        private_folder(base)?;
        // Others that start in this moment may take a folder whose lock is not held yet for an orphan, and remove it.
        let mut starts = (0..STARTS).map(|_| own_folder(base));
        let (folder, lock) = starts.find_map(Result::transpose).unwrap_or_else(|| {
            Err(io::Error::other("other processes remove each folder that is made in it"))
        })?;
        let id = RandomIdGenerator::default().new_span_id().to_string();
        let mut disk =
            Self { folder, id, _lock: lock, max_size, warnings: Vec::new(), state: Mutex::default() };
        disk.warnings = disk.adopt(base);
        let found = file::in_folder(&disk.folder);
        let mut state = disk.lock();
        state.size = found.iter().map(|(_, size)| size).sum();
        state.newest = found.iter().filter_map(|(path, _)| file::time_in(path)).max().unwrap_or(0);
        state.stranded = found.into();
        drop(state);
        Ok(disk)
    }

    /// What other processes left in files that begin with `name`: it is somebody's from now on.
    pub(super) fn claim(&self, name: &str) -> Vec<(PathBuf, Content)> {
        let mut state = self.lock();
        let mut claimed = Vec::new();
        for (path, size) in mem::take(&mut state.stranded) {
            let is_claimed = path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name));
            match file::items_of(&path, size) {
                Ok(items) if is_claimed => claimed.push((path, Content { items, size })),
                Err(Unreadable::Damaged) if is_claimed => {
                    let _ = fs::remove_file(&path);
                    state.size = state.size.saturating_sub(size);
                    state.damaged += 1;
                }
                _ => state.stranded.push_back((path, size)),
            }
        }
        claimed
    }

    /// A part of a name that sorts behind all that there are, also where the clock was set back, and that no other process
    /// has.
    pub(super) fn next_name(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let mut state = self.lock();
        state.newest = now.max(state.newest.saturating_add(1));
        format!("{:024}-{}", state.newest, self.id)
    }

    /// How many bytes too many there are, with so many more.
    pub(super) fn excess(&self, more: u64) -> u64 {
        self.lock().size.saturating_add(more).saturating_sub(self.max_size)
    }

    pub(super) fn grow(&self, size: u64) {
        self.lock().size += size;
    }

    pub(super) fn shrink(&self, size: u64) {
        let mut state = self.lock();
        state.size = state.size.saturating_sub(size);
    }

    pub(super) fn stranded_size(&self) -> u64 {
        self.lock().stranded.iter().map(|(_, size)| size).sum()
    }

    /// Removes what nobody here sends until there is room for so many bytes. Says how many requests these were.
    pub(super) fn remove_stranded(&self, more: u64) -> usize {
        let mut removed = 0;
        while self.excess(more) > 0 {
            let oldest = self.lock().stranded.pop_front();
            let Some((path, size)) = oldest else { break };
            if fs::remove_file(path).is_ok() {
                self.shrink(size);
                removed += 1;
            }
        }
        removed
    }

    /// Moves the files of processes that are gone here. One that cannot be moved is left to the next start, with a warning.
    fn adopt(&self, base: &Path) -> Vec<String> {
        let mut warnings = Vec::new();
        let Ok(folders) = fs::read_dir(base) else { return warnings };
        for folder in folders.flatten().map(|entry| entry.path()) {
            let is_one =
                folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("process-"));
            if !is_one || folder == self.folder {
                continue;
            }
            let left = |error: io::Error| {
                let folder = folder.display();
                let what_to_do = of_disk(&error.to_string());
                format!(
                    "what another process left in the disk buffer {folder} is not sent: {error}; it stays there: {what_to_do}, \
                     and start the service again"
                )
            };
            let lock = match OpenOptions::new().read(true).write(true).open(folder.join(LOCK)) {
                Ok(lock) => lock,
                Err(error) => {
                    // Without a lock it is one that starts, or ends, in this moment.
                    warnings.extend((error.kind() != io::ErrorKind::NotFound).then(|| left(error)));
                    continue;
                }
            };
            if FileExt::try_lock(&lock).is_err() {
                continue;
            }
            match self.adopt_files(&folder) {
                // What is left is the lock, and what a process was writing when it ended.
                Ok(()) => drop(fs::remove_dir_all(&folder)),
                // Another process has taken it over while this one waited for its turn.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {}
                Err(error) => warnings.push(left(error)),
            }
        }
        warnings
    }

    /// The error is that one stayed where it was: a disk that is full may have no room for its new name.
    fn adopt_files(&self, folder: &Path) -> io::Result<()> {
        let mut result = Ok(());
        for file in fs::read_dir(folder)? {
            let file = file?.path();
            if file::is_complete(&file)
                && let Some(name) = file.file_name()
            {
                result = result.and(fs::rename(&file, self.folder.join(name)));
            }
        }
        result
    }

    /// What the operator should know of what others left, once all destinations are there.
    pub(in crate::export) fn left_over(&self) -> Vec<String> {
        let (folder, state) = (self.folder.display(), self.lock());
        let (stranded, damaged) = (state.stranded.len(), state.damaged);
        let stranded = (stranded > 0).then(|| {
            format!(
                "requests that another process left in the disk buffer are not sent ({stranded}): they were for URLs that this \
                 service does not export to, or another version wrote them. They wait in {folder} for a process that does, \
                 until their room is needed"
            )
        });
        let damaged = (damaged > 0).then(|| {
            format!(
                "requests that another process left in the disk buffer are lost ({damaged}): they were not written whole, as \
                 when the machine crashed"
            )
        });
        stranded.into_iter().chain(damaged).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if file::in_folder(&self.folder).is_empty() {
            // Nothing to take over.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A folder with a lock that is held, or none if another process has removed it before it was.
fn own_folder(base: &Path) -> io::Result<Option<(PathBuf, File)>> {
    let id = RandomIdGenerator::default().new_trace_id();
    let folder = base.join(format!("process-{id}"));
    private_folder(&folder)?;
    let locked = locked(&folder.join(LOCK));
    if locked.is_err() {
        // Without a lock, nobody would ever take it for an orphan.
        let _ = fs::remove_dir_all(&folder);
    }
    locked.map(|lock| lock.map(|lock| (folder, lock)))
}

fn locked(path: &Path) -> io::Result<Option<File>> {
    let lock = match file::private(path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match FileExt::try_lock(&lock) {
        // Who removes the folder holds the lock until it is gone. So if it is still there, it stays.
        Ok(()) => Ok(path.exists().then_some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some file systems have no locks.
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Barrier;
    use std::thread;

    use super::{Disk, LOCK};

    #[test]
    fn processes_that_start_at_once_leave_each_other_their_folders() {
        let base = std::env::temp_dir().join(format!("otel-init-disk-{}-at-once", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        for _ in 0..200 {
            let together = Barrier::new(4);
            let start = || {
                together.wait();
                Disk::open(&base, 1000)
            };
            let disks: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for disk in disks {
                let disk = disk.unwrap();
                assert!(disk.folder.join(LOCK).exists());
                assert!(disk.warnings.is_empty(), "{:?}", disk.warnings);
            }
        }
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_moved_stays_for_the_next_start() {
        let base = std::env::temp_dir().join(format!("otel-init-disk-{}-adopt", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let disk = Disk::open(&base, 1000).unwrap();
        let orphan = base.join("process-gone");
        fs::create_dir(&orphan).unwrap();
        for name in [LOCK, "a.otlp", "b.otlp"] {
            fs::write(orphan.join(name), b"").unwrap();
        }
        // No file takes the place of a folder.
        let in_the_way = disk.folder.join("a.otlp");
        fs::create_dir(&in_the_way).unwrap();
        let warnings = disk.adopt(&base);
        assert!(warnings.len() == 1 && warnings[0].contains("process-gone is not sent: "), "{warnings:?}");
        assert!(warnings[0].contains(", and start the service again"), "{warnings:?}");
        assert!(orphan.join("a.otlp").exists() && disk.folder.join("b.otlp").exists());
        fs::remove_dir(&in_the_way).unwrap();
        assert!(disk.adopt(&base).is_empty());
        assert!(!orphan.exists() && disk.folder.join("a.otlp").exists());
        fs::remove_dir_all(base).unwrap();
    }
}
