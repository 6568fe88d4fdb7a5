//! A buffer on disk: what is to be sent is written first, and removed when it was taken.
//!
//! Each process has a folder of its own below the one that was configured, with a file that it keeps locked. The lock ends
//! with the process, however it ends, so the folder of one that is gone can be told and taken over. What the files are is in
//! `shelf`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs4::{FileExt, TryLockError};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use crate::export::advice::of_disk;

const LOCK: &str = "lock";
/// How often a new folder is made after others took one away that was not locked yet.
const STARTS: usize = 8;
pub(super) const SUFFIX: &str = "otlp";

/// The folder of this process, shared by all destinations.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(super) folder: PathBuf,
    /// Locked until the process ends.
    _lock: File,
    pub(super) max_size: u64,
    /// What the operator should know, from the start.
    pub(in crate::export) warnings: Vec<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) size: u64,
    pub(super) sequence: u64,
    /// What the files begin with that somebody here sends.
    pub(super) names: Vec<String>,
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
        let mut disk = Self { folder, _lock: lock, max_size, warnings: Vec::new(), state: Mutex::default() };
        disk.warnings = disk.adopt(base);
        disk.lock().size = disk.files().iter().map(|(_, size)| size).sum();
        Ok(disk)
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
            if file.extension().is_some_and(|extension| extension == SUFFIX)
                && let Some(name) = file.file_name()
            {
                result = result.and(fs::rename(&file, self.folder.join(name)));
            }
        }
        result
    }

    /// Complete requests, from the oldest, and their sizes.
    pub(super) fn files(&self) -> Vec<(PathBuf, u64)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == SUFFIX))
            .map(|entry| (entry.path(), entry.metadata().map_or(0, |metadata| metadata.len())))
            .collect();
        files.sort();
        files
    }

    /// Those that nobody here sends: the process that left them had other destinations.
    pub(super) fn stranded(&self) -> Vec<(PathBuf, u64)> {
        let names = self.lock().names.clone();
        let is_ours = |path: &Path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            names.iter().any(|name| file.starts_with(name))
        };
        self.files().into_iter().filter(|(path, _)| !is_ours(path)).collect()
    }

    /// What the operator should know of them, once all destinations are there.
    pub(in crate::export) fn left_over(&self) -> Option<String> {
        let stranded = self.stranded().len();
        let folder = self.folder.display();
        (stranded > 0).then(|| {
            format!(
                "{stranded} requests that another process left in the disk buffer are not sent: they were for URLs that this \
                 service does not export to. They wait in {folder} for a process that does, until their room is needed"
            )
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.files().is_empty() {
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
    let path = folder.join(LOCK);
    let lock = match private_file(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match FileExt::try_lock(&lock) {
        // Who removes the folder holds the lock until it is gone. So if it is still there, it stays.
        Ok(()) => Ok(path.exists().then_some((folder, lock))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            // Some file systems have no locks.
            let _ = fs::remove_dir_all(&folder);
            Err(error)
        }
    }
}

/// Telemetry is nobody else's business.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
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
