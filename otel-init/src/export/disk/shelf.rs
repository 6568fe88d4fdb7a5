//! The part of the disk buffer that belongs to one destination.
//!
//! A request is a file; it is written under another name and renamed, so a file with the right name is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::folder::{Disk, SUFFIX, private_file};
use super::kept::{Content, Done, Kept};
use crate::{Signal, diagnostics};

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
    /// What is under way. It does not make room: it would count as lost, and arrive all the same.
    sending: Arc<Mutex<Option<PathBuf>>>,
    kept: Arc<Kept>,
}

/// As long as it is there, a request counts as under way.
#[must_use]
pub(crate) struct Sending<'a>(&'a Shelf);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        *self.0.under_way() = None;
    }
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
    /// The system does not let us, as when too many files are open. It may later.
    Now,
    Damaged,
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

impl Shelf {
    /// The part of the folder for one signal to one URL: what another process left is sent to where it was meant to go.
    /// Several destinations may share both, and differ in their headers: `place` is how many of them are before this one.
    pub(crate) fn new(disk: Arc<Disk>, signal: Signal, url: &str, place: usize) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, url.as_bytes());
        let hash: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let name = if place == 0 { format!("{signal}-{hash}-") } else { format!("{signal}-{hash}.{place}-") };
        disk.lock().names.push(name.clone());
        let shelf = Self { disk, name, sending: Arc::default(), kept: Arc::default() };
        for (path, size) in shelf.files() {
            let items = items_of(&path).unwrap_or(0);
            shelf.kept.add(path, Content { items, size });
        }
        shelf
    }

    /// The files of this destination, from the oldest, and their sizes.
    fn files(&self) -> impl Iterator<Item = (PathBuf, u64)> {
        let is_ours =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&self.name));
        self.disk.files().into_iter().filter(move |(path, _)| is_ours(path))
    }

    /// Keeps a request from making room. One at a time is under way.
    pub(crate) fn sending(&self, stored: &Stored) -> Sending<'_> {
        *self.under_way() = Some(stored.path.clone());
        Sending(self)
    }

    fn under_way(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request. If there is no room, what nobody here sends makes it, and then the oldest of this destination: the items
    /// that were lost by that are added to `lost`, whether or not it was written in the end.
    pub(crate) fn store(&self, body: &[u8], items: u64, lost: &mut u64) -> io::Result<()> {
        let size = (HEAD + body.len()) as u64;
        if size > self.disk.max_size {
            return Err(io::Error::other("it is larger than the whole buffer"));
        }
        self.make_room(size, lost)?;
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
        written
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
        let content = Content { items, size: (HEAD + body.len()) as u64 };
        let done = done.and_then(|()| self.kept.rename(&unfinished, path, content));
        if done.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        done
    }

    fn make_room(&self, size: u64, lost: &mut u64) -> io::Result<()> {
        let missing = || self.disk.lock().size.saturating_add(size).saturating_sub(self.disk.max_size);
        if missing() == 0 {
            return Ok(());
        }
        let stranded = self.disk.stranded();
        let mut removed = 0;
        let stored = self.stored();
        let may_go = stored.iter().filter(|stored| self.under_way().as_ref() != Some(&stored.path));
        let may_go: Vec<_> = may_go.collect();
        // Nothing is thrown away for a request that would not fit all the same.
        let sizes = may_go.iter().map(|stored| stored.size).chain(stranded.iter().map(|(_, size)| *size));
        let is_enough = sizes.sum::<u64>() >= missing();
        for (path, size) in stranded.into_iter().filter(|_| is_enough) {
            if missing() > 0 && fs::remove_file(path).is_ok() {
                self.shrink(size);
                removed += 1;
            }
        }
        if removed > 0 {
            // They are not of this process, so its counts do not have them.
            diagnostics::warn(&removed_for_room(removed));
        }
        for oldest in may_go.into_iter().filter(|_| is_enough) {
            if missing() == 0 {
                return Ok(());
            }
            let under_way = self.under_way();
            // The one who removes a file counts it: it may have been sent meanwhile.
            if under_way.as_ref() != Some(&oldest.path) && self.remove(oldest) {
                *lost += oldest.items;
            }
        }
        if missing() > 0 { Err(io::Error::other("the buffer is full")) } else { Ok(()) }
    }

    /// The requests of this destination, from the oldest, that can be read now. One that is damaged is removed.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        let mut all = Vec::new();
        for (path, size) in self.files().filter(|(path, _)| !self.kept.is_done(path)) {
            match items_of(&path) {
                Ok(items) => all.push(Stored { path, items, size }),
                Err(Unreadable::Damaged) => {
                    // It is missing from now on.
                    let _ = fs::remove_file(path);
                }
                Err(Unreadable::Gone | Unreadable::Now) => {}
            }
        }
        all
    }

    /// Whether nothing waits, as far as this process knows.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many items are lost because their files were damaged, or removed by somebody else.
    pub(crate) fn take_missing(&self) -> u64 {
        let missing = self.kept.take_missing();
        self.shrink(missing.size);
        missing.items
    }

    /// The body, if it is what was written.
    pub(crate) fn read(&self, stored: &Stored) -> Result<Bytes, Unreadable> {
        let bytes = fs::read(&stored.path).map_err(|error| Unreadable::of(&error))?;
        body_of(&bytes).ok_or(Unreadable::Damaged)
    }

    /// Whether this removed it, and nobody else before.
    fn remove(&self, stored: &Stored) -> bool {
        let is_removed = self.kept.remove(&stored.path);
        if is_removed {
            self.shrink(stored.size);
        }
        is_removed
    }

    /// Removes what was sent, or refused for good. It is not sent again, also where it cannot be removed.
    pub(super) fn finish(&self, stored: &Stored) -> Done {
        let done = self.kept.finish(&stored.path);
        if matches!(done, Done::Removed) {
            self.shrink(stored.size);
        }
        done
    }

    fn shrink(&self, size: u64) {
        let mut state = self.disk.lock();
        state.size = state.size.saturating_sub(size);
    }
}

fn body_of(bytes: &[u8]) -> Option<Bytes> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let sum = u32::from_le_bytes(head.get(16..20)?.try_into().ok()?);
    (sum == checksum(body)).then(|| Bytes::copy_from_slice(body))
}

fn items_of(path: &Path) -> Result<u64, Unreadable> {
    let mut head = [0; HEAD];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(|error| Unreadable::of(&error))?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let items = rest.first_chunk().filter(|_| magic == MAGIC);
    items.map(|items| u64::from_le_bytes(*items)).ok_or(Unreadable::Damaged)
}

fn checksum(body: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    crc.sum()
}

fn removed_for_room(requests: usize) -> String {
    format!(
        "the disk buffer is full: {requests} of the requests in it that are for other URLs than those of this service are lost; \
         give it more room (`with_max_size`, OTEL_INIT_DISK_BUFFER_MAX_SIZE)"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    use super::{HEAD, Shelf, Unreadable};
    use crate::Signal;
    use crate::export::disk::folder::Disk;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("otel-init-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    /// Stores a request, and says what was lost by that.
    fn stored(shelf: &Shelf, body: &[u8], items: u64) -> (u64, bool) {
        let mut lost = 0;
        let is_stored = shelf.store(body, items, &mut lost).is_ok();
        (lost, is_stored)
    }

    fn shelf(disk: &Arc<Disk>, url: &str) -> Shelf {
        Shelf::new(Arc::clone(disk), Signal::Traces, url, 0)
    }

    #[test]
    fn what_is_under_way_makes_no_room() {
        let base = folder("under-way");
        let disk = Arc::new(Disk::open(&base, 250).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, &[1; 60], 7);
        stored(&shelf, &[2; 60], 5);
        let oldest = shelf.stored().remove(0);
        let sending = shelf.clone();
        let sending = sending.sending(&oldest);
        // The next oldest one does. Where all that may would not be enough, it stays.
        assert_eq!(stored(&shelf, &[3; 100], 3), (5, true));
        assert_eq!(stored(&shelf, &[4; 160], 2), (0, false));
        assert_eq!(shelf.stored().len(), 2);
        drop(sending);
        assert_eq!(stored(&shelf, &[5; 160], 2), (10, true));
        drop((shelf, disk));
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn what_made_room_while_it_was_to_be_sent_is_counted_once() {
        let base = folder("once");
        let disk = Arc::new(Disk::open(&base, 100).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, &[1; 60], 7);
        let to_send = shelf.stored();
        assert_eq!(stored(&shelf, &[2; 60], 3), (7, true));
        assert_eq!(shelf.read(&to_send[0]), Err(Unreadable::Gone));
        assert!(!shelf.remove(&to_send[0]));
        // And the reverse: what was sent meanwhile is not lost.
        let to_send = shelf.stored();
        assert!(shelf.remove(&to_send[0]));
        assert_eq!(stored(&shelf, &[3; 60], 5), (0, true));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn what_somebody_else_has_deleted_is_missing_once() {
        let base = folder("missing");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        for items in 1..=3 {
            stored(&shelf, b"some", items);
        }
        let all = shelf.stored();
        assert!(shelf.remove(&all[0]));
        fs::remove_file(&all[1].path).unwrap();
        assert_eq!((shelf.take_missing(), shelf.take_missing()), (2, 0));
        assert_eq!(disk.lock().size, (HEAD + 4) as u64);
        // The head of a file that is damaged tells nothing; what was written is known all the same.
        fs::write(&all[2].path, b"OTEL").unwrap();
        assert!(shelf.stored().is_empty());
        assert_eq!((shelf.take_missing(), disk.lock().size), (3, 0));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn what_was_stored_comes_back_in_order_and_is_gone_when_removed() {
        let base = folder("order");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let (one, other) = (shelf(&disk, "http://a"), shelf(&disk, "http://b"));
        assert_eq!(stored(&one, b"first", 1), (0, true));
        assert_eq!(stored(&one, b"second", 2), (0, true));
        assert_eq!(stored(&other, b"third", 3), (0, true));
        let kept = one.stored();
        let bodies: Vec<_> =
            kept.iter().map(|stored| (one.read(stored).unwrap().to_vec(), stored.items)).collect();
        assert_eq!(bodies, [(b"first".to_vec(), 1), (b"second".to_vec(), 2)]);
        assert!(kept.iter().all(|stored| one.remove(stored)));
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
        let lost: Vec<u64> = (1..=5).map(|items| stored(&shelf, &[0; 10], items).0).collect();
        assert_eq!(lost, [0, 0, 0, 1, 2]);
        assert_eq!(stored(&shelf, &[0; 1000], 1), (0, false));
        assert_eq!(shelf.stored().iter().map(|stored| stored.items).collect::<Vec<_>>(), [3, 4, 5]);
        fs::remove_dir_all(base).unwrap();
    }

    #[derive(Default)]
    struct Console(Mutex<Vec<u8>>);

    impl io::Write for &Console {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_nobody_here_sends_makes_room_first() {
        let base = folder("stranded");
        let most = 3 * (HEAD as u64 + 10);
        let disk = Arc::new(Disk::open(&base, most).unwrap());
        let before = shelf(&disk, "http://before");
        (1..=2).for_each(|items| assert_eq!(stored(&before, &[0; 10], items), (0, true)));
        drop((before, disk));
        // The collector has another address now.
        let disk = Arc::new(Disk::open(&base, most).unwrap());
        let shelf = shelf(&disk, "http://a");
        assert_eq!(disk.stranded().len(), 2);
        let console = Arc::new(Console::default());
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::clone(&console)).finish();
        tracing::subscriber::with_default(subscriber, || {
            for items in 1..=3 {
                assert_eq!(stored(&shelf, &[0; 10], items), (0, true), "{items}");
            }
        });
        let told = String::from_utf8(console.0.lock().unwrap().clone()).unwrap();
        assert_eq!(told.matches("the disk buffer is full: 1 of the requests").count(), 2, "{told}");
        assert_eq!((shelf.stored().len(), disk.stranded().len()), (3, 0));
        assert_eq!(stored(&shelf, &[0; 10], 4), (1, true));
        assert_eq!(disk.lock().size, most);
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_living_process_keeps_its_files_and_a_dead_one_leaves_them() {
        let base = folder("orphans");
        let living = Arc::new(Disk::open(&base, 1000).unwrap());
        stored(&shelf(&living, "http://a"), b"mine", 4);
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
        stored(&shelf, b"sound", 1);
        stored(&shelf, b"broken", 1);
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

    /// Requests hold what a service does, and headers of its callers perhaps.
    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_what_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let base = folder("private");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, b"some", 1);
        let file = shelf.stored().remove(0).path;
        for path in [&base, &disk.folder, &file] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
        }
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_read_at_the_moment_is_not_thrown_away() {
        let base = folder("moment");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, b"sound", 1);
        let known = shelf.stored().remove(0);
        // A link to itself opens as little as any file does while there are too many open ones.
        let aside = base.join("aside");
        fs::rename(&known.path, &aside).unwrap();
        std::os::unix::fs::symlink(&known.path, &known.path).unwrap();
        assert!(shelf.stored().is_empty() && known.path.is_symlink());
        assert_eq!(shelf.read(&known), Err(Unreadable::Now));
        fs::rename(&aside, &known.path).unwrap();
        assert_eq!(shelf.stored(), [known]);
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }
}
