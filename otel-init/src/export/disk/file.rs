//! A request as a file.
//!
//! It is written under another name and renamed, so a file with the right name is complete, also where the process ends in
//! between. It is not forced to the disk (`fsync`), so a crash of the machine may leave files that are cut short; they tell by
//! their checksum. Each request would wait for the device, and with a collector that is well most files are gone before the
//! system has written them at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// What the name of a complete one ends with.
pub(super) const SUFFIX: &str = "otlp";
/// The first bytes of each file: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"OTELBUF1";
/// Magic, number of items, checksum of the body.
pub(super) const HEAD: usize = 8 + 8 + 4;

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) items: u64,
    /// Of the file, in bytes.
    pub(super) size: u64,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Somebody has removed it.
    Gone,
    /// The system does not let us, as when too many files are open. It may later.
    Now,
    /// It is cut short, or is not what was written.
    Damaged,
    /// It was written by another version of this crate, or by somebody else.
    Foreign,
}

impl Unreadable {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            // It is shorter than the head of a file.
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Now,
        }
    }
}

pub(super) fn write(path: &Path, body: &[u8], items: u64) -> io::Result<()> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&items.to_le_bytes());
    head.extend_from_slice(&checksum(body).to_le_bytes());
    let unfinished = path.with_extension("tmp");
    let done = private(&unfinished)
        .and_then(|mut file| file.write_all(&head).and_then(|()| file.write_all(body)))
        .and_then(|()| fs::rename(&unfinished, path));
    if done.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    done
}

/// How many items are in a file of this size.
pub(super) fn items_of(path: &Path, size: u64) -> Result<u64, Unreadable> {
    let mut head = [0; HEAD];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(|error| Unreadable::of(&error))?;
    let (magic, rest) = head.split_at(MAGIC.len());
    if magic != MAGIC {
        // There may be zeros after a crash of the machine.
        return Err(if head == [0; HEAD] { Unreadable::Damaged } else { Unreadable::Foreign });
    }
    let items = rest.first_chunk().map(|items| u64::from_le_bytes(*items));
    // Each has one byte at least.
    items.filter(|items| *items <= size).ok_or(Unreadable::Damaged)
}

/// The body, if it is what was written.
pub(super) fn read(path: &Path) -> Result<Bytes, Unreadable> {
    let bytes = fs::read(path).map_err(|error| Unreadable::of(&error))?;
    body_of(&bytes).ok_or(Unreadable::Damaged)
}

/// Removes it, if nobody has before.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn body_of(bytes: &[u8]) -> Option<Bytes> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let sum = u32::from_le_bytes(head.get(16..20)?.try_into().ok()?);
    (sum == checksum(body)).then(|| Bytes::copy_from_slice(body))
}

fn checksum(body: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    crc.sum()
}

/// When it was written, as its name has it. Names sort by that.
pub(super) fn time_in(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split('-').nth(2)?.parse().ok()
}

pub(super) fn is_complete(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == SUFFIX)
}

/// Complete requests, from the oldest, and their sizes.
pub(super) fn in_folder(folder: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| is_complete(&entry.path()))
        .map(|entry| (entry.path(), entry.metadata().map_or(0, |metadata| metadata.len())))
        .collect();
    files.sort();
    files
}

/// Telemetry is nobody else's business.
pub(super) fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
