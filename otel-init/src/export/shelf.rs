//! The part of the disk buffer that belongs to one destination.
//!
//! A request is a file; it is written under another name and renamed, so a file with the right name is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::disk::{Disk, SUFFIX, private_file};
use crate::Signal;

/// The first bytes of each file: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"OTELBUF1";
/// Magic, number of items, checksum of the body.
const HEAD: usize = 8 + 8 + 4;

/// The files of one destination.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) disk: Arc<Disk>,
    /// What its files begin with.
    name: String,
}

/// A request on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    path: PathBuf,
    pub(crate) items: u64,
    size: u64,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It had to make room.
    Gone,
    Damaged,
}

impl Shelf {
    /// The part of the folder for one signal to one URL: what another process left is sent to where it was meant to go.
    pub(crate) fn new(disk: Arc<Disk>, signal: Signal, url: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, url.as_bytes());
        let hash: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { disk, name: format!("{signal}-{hash}-") }
    }

    /// Writes a request. If there is no room, the oldest of this destination make it; gives back the items that were lost
    /// by that.
    pub(crate) fn store(&self, body: &[u8], items: u64) -> io::Result<u64> {
        let size = (HEAD + body.len()) as u64;
        if size > self.disk.max_size {
            return Err(io::Error::other("it is larger than the whole buffer"));
        }
        let lost = self.make_room(size)?;
        let sequence = {
            let mut state = self.disk.lock();
            state.sequence += 1;
            state.size += size;
            state.sequence
        };
        let written = self.write(body, items, sequence);
        if written.is_err() {
            self.disk.lock().size -= size;
        }
        written.map(|()| lost)
    }

    fn write(&self, body: &[u8], items: u64, sequence: u64) -> io::Result<()> {
        // Names sort by age, also among processes.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = self.disk.folder.join(format!("{}{now:024}-{sequence:08}.{SUFFIX}", self.name));
        let unfinished = path.with_extension("tmp");
        let mut file = private_file(&unfinished)?;
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&items.to_le_bytes());
        head.extend_from_slice(&checksum(body).to_le_bytes());
        let done = file.write_all(&head).and_then(|()| file.write_all(body)).and_then(|()| file.sync_data());
        drop(file);
        let done = done.and_then(|()| fs::rename(&unfinished, &path));
        if done.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        done
    }

    fn make_room(&self, size: u64) -> io::Result<u64> {
        let mut lost = 0;
        let is_full = || self.disk.lock().size.saturating_add(size) > self.disk.max_size;
        if !is_full() {
            return Ok(0);
        }
        for stored in self.stored() {
            if !is_full() {
                break;
            }
            // The one who removes a file counts it: it may have been sent meanwhile.
            if self.remove(&stored) {
                lost += stored.items;
            }
        }
        if is_full() { Err(io::Error::other("the buffer is full")) } else { Ok(lost) }
    }

    /// The requests of this destination, from the oldest. One that cannot be read is removed: it never will be.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        let mut all = Vec::new();
        for (path, size) in self.disk.files() {
            let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&self.name));
            if !is_ours {
                continue;
            }
            match items_of(&path) {
                Some(items) => all.push(Stored { path, items, size }),
                None => {
                    self.remove(&Stored { path, items: 0, size });
                }
            }
        }
        all
    }

    /// The body, if it is what was written.
    pub(crate) fn read(&self, stored: &Stored) -> Result<Bytes, Unreadable> {
        let bytes = fs::read(&stored.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unreadable::Gone,
            _ => Unreadable::Damaged,
        })?;
        body_of(&bytes).ok_or(Unreadable::Damaged)
    }

    /// Whether this removed it, and nobody else before.
    pub(crate) fn remove(&self, stored: &Stored) -> bool {
        let is_removed = fs::remove_file(&stored.path).is_ok();
        if is_removed {
            let mut state = self.disk.lock();
            state.size = state.size.saturating_sub(stored.size);
        }
        is_removed
    }
}

fn body_of(bytes: &[u8]) -> Option<Bytes> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let sum = u32::from_le_bytes(head.get(16..20)?.try_into().ok()?);
    (sum == checksum(body)).then(|| Bytes::copy_from_slice(body))
}

fn items_of(path: &Path) -> Option<u64> {
    let mut head = [0; HEAD];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    let (magic, rest) = head.split_at_checked(8)?;
    (magic == MAGIC).then(|| rest.get(..8)?.try_into().ok().map(u64::from_le_bytes))?
}

fn checksum(body: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::{HEAD, Shelf, Unreadable};
    use crate::Signal;
    use crate::export::disk::Disk;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("otel-init-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn shelf(disk: &Arc<Disk>, url: &str) -> Shelf {
        Shelf::new(Arc::clone(disk), Signal::Traces, url)
    }

    #[test]
    fn what_made_room_while_it_was_to_be_sent_is_counted_once() {
        let base = folder("once");
        let disk = Arc::new(Disk::open(&base, 100).unwrap());
        let shelf = shelf(&disk, "http://a");
        shelf.store(&[1; 60], 7).unwrap();
        let to_send = shelf.stored();
        assert_eq!(shelf.store(&[2; 60], 3).unwrap(), 7);
        assert_eq!(shelf.read(&to_send[0]), Err(Unreadable::Gone));
        assert!(!shelf.remove(&to_send[0]));
        // And the reverse: what was sent meanwhile is not lost.
        let to_send = shelf.stored();
        assert!(shelf.remove(&to_send[0]));
        assert_eq!(shelf.store(&[3; 60], 5).unwrap(), 0);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn what_was_stored_comes_back_in_order_and_is_gone_when_removed() {
        let base = folder("order");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let (one, other) = (shelf(&disk, "http://a"), shelf(&disk, "http://b"));
        assert_eq!(one.store(b"first", 1).unwrap(), 0);
        assert_eq!(one.store(b"second", 2).unwrap(), 0);
        assert_eq!(other.store(b"third", 3).unwrap(), 0);
        let stored = one.stored();
        let bodies: Vec<_> =
            stored.iter().map(|stored| (one.read(stored).unwrap().to_vec(), stored.items)).collect();
        assert_eq!(bodies, [(b"first".to_vec(), 1), (b"second".to_vec(), 2)]);
        assert!(stored.iter().all(|stored| one.remove(stored)));
        assert!(one.stored().is_empty());
        assert_eq!(disk.lock().size, (HEAD + 5) as u64);
        drop((one, other, disk));
        assert_eq!(fs::read_dir(&base).unwrap().count(), 1, "the third waits");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn the_size_is_bounded_and_the_oldest_go() {
        let base = folder("bound");
        let disk = Arc::new(Disk::open(&base, 3 * (HEAD as u64 + 10)).unwrap());
        let shelf = shelf(&disk, "http://a");
        let lost: Vec<u64> = (1..=5).map(|items| shelf.store(&[0; 10], items).unwrap()).collect();
        assert_eq!(lost, [0, 0, 0, 1, 2]);
        assert!(shelf.store(&[0; 1000], 1).is_err());
        assert_eq!(shelf.stored().iter().map(|stored| stored.items).collect::<Vec<_>>(), [3, 4, 5]);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_living_process_keeps_its_files_and_a_dead_one_leaves_them() {
        let base = folder("orphans");
        let living = Arc::new(Disk::open(&base, 1000).unwrap());
        shelf(&living, "http://a").store(b"mine", 4).unwrap();
        let second = Arc::new(Disk::open(&base, 1000).unwrap());
        assert!(shelf(&second, "http://a").stored().is_empty());
        drop((living, second));
        let third = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&third, "http://a");
        assert_eq!(shelf.stored().len(), 1);
        assert_eq!(shelf.read(&shelf.stored()[0]).unwrap().as_ref(), b"mine");
        assert_eq!(third.lock().size, (HEAD + 4) as u64);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn damaged_files_are_no_requests() {
        let base = folder("damage");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        shelf.store(b"sound", 1).unwrap();
        shelf.store(b"broken", 1).unwrap();
        let path = shelf.stored()[1].path.clone();
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEAD] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::write(disk.folder.join(format!("{}short.otlp", shelf.name)), b"OTEL").unwrap();
        fs::write(disk.folder.join(format!("{}half.tmp", shelf.name)), b"OTELBUF1").unwrap();
        let stored = shelf.stored();
        assert_eq!(stored.len(), 2, "{stored:?}");
        assert_eq!(stored.iter().filter_map(|stored| shelf.read(stored).ok()).count(), 1);
        fs::remove_dir_all(base).unwrap();
    }
}
