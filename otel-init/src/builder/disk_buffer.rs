//! Keeping what cannot be sent.

use std::path::PathBuf;

/// A folder where telemetry waits for the collector: [`TelemetryBuilder::with_disk_buffer`](crate::TelemetryBuilder::with_disk_buffer).
///
/// Each batch is written there before it is sent and removed when the collector took it, so an outage that is longer than
/// the queues, or a crash, loses nothing that had left them. What a process leaves behind, the next one that is given the
/// same folder and exports to the same URL sends: also several processes may share it. After a crash in the very moment of
/// sending, a batch may arrive twice.
///
/// That is the crash of a process. Batches are not forced to the disk one by one, so a crash of the machine, or a power cut,
/// takes what the system had not written yet, by default the last half minute on Linux.
///
/// Files hold what would have been sent, after redaction, readable by their owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct DiskBuffer {
    pub(crate) folder: PathBuf,
    pub(crate) max_size: u64,
}

impl DiskBuffer {
    /// Bytes, where nobody says another number.
    pub(crate) const MAX_SIZE: u64 = 512 * 1024 * 1024;

    /// Half a gigabyte in this folder, which is made if it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_size: Self::MAX_SIZE }
    }

    /// Bounds the size of all files of this process, in bytes. When it is full, batches of processes before that were for
    /// other URLs go first; a warning has told of them at the start. Then the oldest batches of the same destination are
    /// dropped, and counted as such.
    pub fn with_max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }
}
