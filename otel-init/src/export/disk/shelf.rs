//! The part of the disk buffer that belongs to one destination.
//!
//! The process remembers what it has there, so that nobody looks through the folder while it is full, and so that what
//! somebody else deletes is missed. Whoever takes a file from that memory counts what was in it, once.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::file::{self, Content, SUFFIX, Unreadable};
use super::folder::Disk;
use crate::wire::Overtaken;
use crate::{Signal, diagnostics};

/// Nothing in it may go.
const FULL: &str = "the buffer is full";

/// The files of one destination.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) disk: Arc<Disk>,
    /// What its files begin with.
    name: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<PathBuf, Waiting>,
    /// What is under way. It does not make room: it would count as lost, and arrive all the same.
    sending: Option<PathBuf>,
    /// Those that could not be removed when they had been sent, with their sizes. Nobody sends them again.
    done: BTreeMap<PathBuf, u64>,
    /// How many were taken by the collector.
    delivered: u64,
    /// Whether the collector has asked for a pause when it was sent the last one.
    is_held_off: bool,
}

#[derive(Debug)]
struct Waiting {
    content: Content,
    overtaken: Overtaken,
}

/// A request on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(super) path: PathBuf,
    pub(crate) items: u64,
    /// Whether an attempt to send it has failed.
    pub(super) has_failed: bool,
}

/// As long as it is there, a request counts as under way.
#[must_use]
pub(crate) struct Sending<'a>(&'a Shelf);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.lock().sending = None;
    }
}

impl Shelf {
    /// The part of the folder for one signal to one URL: what another process left is sent to where it was meant to go.
    /// Several destinations may share both, and differ in their headers: `place` is how many of them are before this one.
    pub(crate) fn new(disk: Arc<Disk>, signal: Signal, url: &str, place: usize) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, url.as_bytes());
        let hash: String = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let name = if place == 0 { format!("{signal}-{hash}-") } else { format!("{signal}-{hash}.{place}-") };
        let waiting = disk.claim(&name).into_iter().map(|(path, content)| (path, Waiting::new(content)));
        let state = State { waiting: waiting.collect(), ..State::default() };
        Self { disk, name, state: Arc::new(Mutex::new(state)) }
    }

    /// Writes a request. If there is no room, what nobody here sends makes it, and then the oldest of this destination: the items
    /// that were lost by that are added to `lost`, whether or not it was written in the end.
    pub(crate) fn store(&self, body: &[u8], items: u64, lost: &mut u64) -> io::Result<()> {
        let size = (file::HEAD + body.len()) as u64;
        if size > self.disk.max_size {
            return Err(io::Error::other("it is larger than the buffer"));
        }
        let mut state = self.lock();
        state.make_room(&self.disk, size, lost)?;
        // Before it is written: others want room, too.
        self.disk.grow(size);
        let path = self.disk.folder.join(format!("{}{}.{SUFFIX}", self.name, self.disk.next_name()));
        let written = file::write(&path, body, items);
        match written {
            Ok(()) => drop(state.waiting.insert(path, Waiting::new(Content { items, size }))),
            Err(_) => self.disk.shrink(size),
        }
        written
    }

    /// The requests of this destination in the order in which they are sent: from the oldest.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        let state = self.lock();
        let stored = |(path, waiting): (&PathBuf, &Waiting)| Stored {
            path: path.clone(),
            items: waiting.content.items,
            has_failed: waiting.overtaken.has_failed(),
        };
        let mut all: Vec<_> = state.waiting.iter().map(stored).collect();
        if state.is_held_off
            && let Some(fresh) = all.iter().position(|stored| !stored.has_failed)
        {
            all[..=fresh].rotate_right(1);
        }
        all
    }

    /// Whether nothing waits, as far as this process knows.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.done.is_empty()
    }

    /// Reads what is to be sent, which makes no room from now on. One at a time is under way.
    pub(super) fn read(&self, stored: &Stored) -> Result<(Bytes, Sending<'_>), Unreadable> {
        let sending = {
            let mut state = self.lock();
            if !state.waiting.contains_key(&stored.path) {
                return Err(Unreadable::Gone);
            }
            state.sending = Some(stored.path.clone());
            Sending(self)
        };
        Ok((file::read(&stored.path)?, sending))
    }

    /// Removes what was sent, or refused for good: it is not sent again, also where it cannot be removed, for which there is an
    /// error. Nothing if it had to make room meanwhile, and has been counted.
    pub(super) fn finish(&self, stored: &Stored) -> Option<io::Result<()>> {
        let mut state = self.lock();
        let Waiting { content, .. } = state.waiting.remove(&stored.path)?;
        let removed = file::remove(&stored.path);
        match removed {
            Ok(()) => self.disk.shrink(content.size),
            Err(_) => drop(state.done.insert(stored.path.clone(), content.size)),
        }
        Some(removed)
    }

    /// Tries once more to remove what was sent.
    pub(super) fn tidy(&self) {
        self.lock().done.retain(|path, size| {
            let is_removed = file::remove(path).is_ok();
            if is_removed {
                self.disk.shrink(*size);
            }
            !is_removed
        });
    }

    /// Notes whether the collector asks for a pause. It may be for one request alone.
    pub(super) fn hold_off(&self, is_held_off: bool) {
        self.lock().is_held_off = is_held_off;
    }

    /// Counts what the collector took.
    pub(super) fn got_through(&self) {
        let mut state = self.lock();
        state.delivered += 1;
        state.is_held_off = false;
    }

    /// Counts a failure of this request. Whether it is the one that the collector fails of.
    pub(super) fn fails(&self, stored: &Stored) -> bool {
        let mut state = self.lock();
        let delivered = state.delivered;
        state.waiting.get_mut(&stored.path).is_some_and(|waiting| waiting.overtaken.fails(delivered))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds the items that are lost by that to `lost`.
    fn make_room(&mut self, disk: &Disk, size: u64, lost: &mut u64) -> io::Result<()> {
        if disk.excess(size) == 0 {
            return Ok(());
        }
        // Nothing is thrown away for a request that would not fit all the same.
        let may_go: u64 = self.may_go().map(|(_, content)| content.size).sum();
        if may_go + disk.stranded_size() < disk.excess(size) {
            return Err(io::Error::other(FULL));
        }
        let removed = disk.remove_stranded(size);
        if removed > 0 {
            // They are not of this process, so its counts do not have them.
            diagnostics::warn(&removed_for_room(removed));
        }
        while disk.excess(size) > 0 {
            let oldest = self.may_go().next().map(|(path, content)| (path.clone(), content));
            let (path, content) = oldest.ok_or_else(|| io::Error::other(FULL))?;
            file::remove(&path)?;
            self.waiting.remove(&path);
            disk.shrink(content.size);
            *lost += content.items;
        }
        Ok(())
    }

    /// What may make room, from the oldest.
    fn may_go(&self) -> impl Iterator<Item = (&PathBuf, Content)> {
        let others = self.waiting.iter().filter(|(path, _)| self.sending.as_ref() != Some(path));
        others.map(|(path, waiting)| (path, waiting.content))
    }
}

impl Waiting {
    fn new(content: Content) -> Self {
        Self { content, overtaken: Overtaken::default() }
    }
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

    use super::{Shelf, Stored, Unreadable};
    use crate::Signal;
    use crate::export::disk::file::HEAD;
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

    fn body(shelf: &Shelf, stored: &Stored) -> Result<Vec<u8>, Unreadable> {
        shelf.read(stored).map(|(body, _)| body.to_vec())
    }

    fn size(disk: &Disk) -> u64 {
        disk.max_size - (0..=disk.max_size).rev().find(|more| disk.excess(*more) == 0).unwrap()
    }

    fn is_finished(shelf: &Shelf, stored: &Stored) -> bool {
        shelf.finish(stored).transpose().unwrap().is_some()
    }

    #[test]
    fn what_is_under_way_makes_no_room() {
        let base = folder("under-way");
        let disk = Arc::new(Disk::open(&base, 250).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, &[1; 60], 7);
        stored(&shelf, &[2; 60], 5);
        let oldest = shelf.stored().remove(0);
        let sending = shelf.read(&oldest).unwrap();
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
        assert_eq!(body(&shelf, &to_send[0]), Err(Unreadable::Gone));
        assert!(!is_finished(&shelf, &to_send[0]));
        // And the reverse: what was sent meanwhile is not lost.
        let to_send = shelf.stored();
        assert!(is_finished(&shelf, &to_send[0]));
        assert_eq!(stored(&shelf, &[3; 60], 5), (0, true));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn what_somebody_else_has_deleted_or_damaged_is_counted_once() {
        let base = folder("missing");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        for items in 1..=3 {
            stored(&shelf, b"some", items);
        }
        let all = shelf.stored();
        fs::remove_file(&all[1].path).unwrap();
        fs::write(&all[2].path, b"OTEL").unwrap();
        let bodies: Vec<_> = all.iter().map(|stored| body(&shelf, stored)).collect();
        assert_eq!(bodies, [Ok(b"some".to_vec()), Err(Unreadable::Gone), Err(Unreadable::Damaged)]);
        for finished in [3, 0] {
            assert_eq!(all.iter().filter(|stored| is_finished(&shelf, stored)).count(), finished);
        }
        assert_eq!(size(&disk), 0);
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
        let bodies: Vec<_> = kept.iter().map(|stored| (body(&one, stored).unwrap(), stored.items)).collect();
        assert_eq!(bodies, [(b"first".to_vec(), 1), (b"second".to_vec(), 2)]);
        assert!(kept.iter().all(|stored| is_finished(&one, stored)));
        assert!(one.stored().is_empty());
        assert_eq!(size(&disk), (HEAD + 5) as u64);
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
        assert!(disk.left_over()[0].contains("are not sent (2): "), "{:?}", disk.left_over());
        let console = Arc::new(Console::default());
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::clone(&console)).finish();
        tracing::subscriber::with_default(subscriber, || {
            for items in 1..=3 {
                assert_eq!(stored(&shelf, &[0; 10], items), (0, true), "{items}");
            }
        });
        let told = String::from_utf8(console.0.lock().unwrap().clone()).unwrap();
        assert_eq!(told.matches("the disk buffer is full: 1 of the requests").count(), 2, "{told}");
        assert_eq!((shelf.stored().len(), disk.left_over().len()), (3, 0));
        assert_eq!(stored(&shelf, &[0; 10], 4), (1, true));
        assert_eq!(size(&disk), most);
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
        assert_eq!(body(&shelf, &shelf.stored()[0]).unwrap(), b"mine");
        assert_eq!(size(&third), (HEAD + 4) as u64);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn of_what_another_process_left_the_whole_is_sent_the_foreign_stays_and_the_damaged_is_told() {
        let base = folder("damage");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let before = shelf(&disk, "http://a");
        for items in 1..=3 {
            stored(&before, b"some", items);
        }
        let all = before.stored();
        let mut bytes = fs::read(&all[1].path).unwrap();
        bytes[HEAD] ^= 1;
        fs::write(&all[1].path, bytes).unwrap();
        fs::write(&all[2].path, b"").unwrap();
        let with = |name: &str, content: &[u8]| {
            fs::write(disk.folder.join(format!("{}{name}", before.name)), content).unwrap();
        };
        with("short.otlp", b"OTEL");
        with("zeros.otlp", &[0; 100]);
        with("many.otlp", &[b"OTELBUF1".as_slice(), &[255; 20]].concat());
        with("another-version.otlp", &[b"OTELBUF2".as_slice(), &[255; 20]].concat());
        with("half.tmp", b"OTELBUF1");
        drop((before, disk));
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        let bodies: Vec<_> = shelf.stored().iter().map(|stored| body(&shelf, stored)).collect();
        assert_eq!(bodies, [Ok(b"some".to_vec()), Err(Unreadable::Damaged)]);
        let told = disk.left_over();
        assert!(
            told[0].contains("are not sent (1): ") && told[0].contains("or another version wrote"),
            "{told:?}"
        );
        assert!(told[1].contains("are lost (4): they were not written whole"), "{told:?}");
        assert_eq!(size(&disk), 2 * (HEAD as u64 + 4) + 28);
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn what_is_new_comes_behind_what_is_there_also_with_a_clock_that_was_set_back() {
        let base = folder("clock");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let before = shelf(&disk, "http://a");
        stored(&before, b"first", 1);
        let first = before.stored().remove(0).path;
        let in_the_future = format!("{}{:024}-0.otlp", before.name, u64::MAX - 10);
        fs::rename(&first, disk.folder.join(in_the_future)).unwrap();
        drop((before, disk));
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        for items in 2..=3 {
            stored(&shelf, b"more", items);
        }
        assert_eq!(shelf.stored().iter().map(|stored| stored.items).collect::<Vec<_>>(), [1, 2, 3]);
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_request_that_fails_while_others_get_through_is_given_up() {
        let base = folder("overtaken");
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = shelf(&disk, "http://a");
        stored(&shelf, b"poison", 1);
        let poison = shelf.stored().remove(0);
        assert!((0..100).all(|_| !shelf.fails(&poison)), "nothing gets through");
        let fails: Vec<_> = (0..3)
            .map(|_| {
                shelf.got_through();
                shelf.fails(&poison)
            })
            .collect();
        assert_eq!(fails, [false, false, true]);
        drop((shelf, disk));
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
        assert_eq!(body(&shelf, &known), Err(Unreadable::Now));
        fs::rename(&aside, &known.path).unwrap();
        assert_eq!(body(&shelf, &known).unwrap(), b"sound");
        drop((shelf, disk));
        fs::remove_dir_all(base).unwrap();
    }
}
