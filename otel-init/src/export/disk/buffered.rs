//! Sending by way of the disk: a request is written first, sent from there, and removed when it was taken or refused for
//! good. What cannot be delivered now stays for the next time, or the next process.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::file::Unreadable;
use super::shelf::{Shelf, Stored};
use crate::diagnostics;
use crate::export::message::OtlpRequest;
use crate::export::sender::Sender;
use crate::export::transport::{Retry, SendError};

/// How often what waits on disk is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often is looked after nothing: what comes is told. An idle process sleeps.
const IDLE: Duration = Duration::from_secs(60);

impl Sender {
    /// Whether a disk takes what comes, as far as is known.
    pub(in crate::export) fn has_a_shelf(&self) -> bool {
        self.shelf.is_some() && !self.is_shelf_refusing.load(Ordering::Relaxed)
    }

    /// Writes one piece of a request. `Err` gives it back to be sent at once: a disk that is full or gone must not lose
    /// what memory still holds.
    pub(in crate::export) fn store(&self, shelf: &Shelf, body: &[u8], items: u64) -> Result<(), ()> {
        let mut lost = 0;
        let stored = shelf.store(body, items, &mut lost);
        self.is_shelf_refusing.store(stored.is_err(), Ordering::Relaxed);
        self.monitor.tally.lost_from_disk(lost);
        match stored {
            Ok(()) => {
                self.monitor.tally.stored(items);
                Ok(())
            }
            Err(error) => {
                self.monitor.warn_disk(&shelf.disk.folder, &error.to_string());
                Err(())
            }
        }
    }

    /// Has what is on disk sent: here if somebody waits for it, and otherwise by its keeper, because what comes while a delivery
    /// is tried should be on disk too.
    pub(in crate::export) async fn send_kept<R: OtlpRequest>(&self, shelf: &Shelf) -> OTelSdkResult {
        match self.keeper.get() {
            Some(keeper) if !self.monitor.urgency.is_set() => {
                keeper.notify_one();
                Ok(())
            }
            keeper => {
                let drained = self.drain::<R>(shelf).await;
                // What is left, it tries again.
                if let Some(keeper) = keeper {
                    keeper.notify_one();
                }
                drained
            }
        }
    }

    /// Sends what is on disk, from the oldest. It may be this request that the collector fails of, so after a failure the next
    /// one is tried that never failed, and ends it if it fails, too. If the collector has asked for a pause, such a one is the
    /// first after it.
    pub(in crate::export) async fn drain<R: OtlpRequest>(&self, shelf: &Shelf) -> OTelSdkResult {
        let _turn = self.draining.lock().await;
        shelf.tidy();
        if self.monitor.is_paused() && !self.monitor.urgency.is_set() {
            return Ok(());
        }
        let (mut result, mut missing, mut has_failed) = (Ok(()), 0, false);
        for stored in shelf.stored() {
            if has_failed && stored.has_failed {
                continue;
            }
            let sent = match shelf.read(&stored) {
                Ok((body, _sending)) => self.send_stored::<R>(shelf, &stored, body).await,
                Err(Unreadable::Now) => {
                    Err(SendError::transient("a file of the disk buffer cannot be read now"))
                }
                Err(Unreadable::Gone | Unreadable::Damaged | Unreadable::Foreign) => {
                    missing += self.finish(shelf, &stored);
                    continue;
                }
            };
            let Err(error) = sent else {
                has_failed = false;
                continue;
            };
            let is_held_off = matches!(error.retry, Retry::After(_));
            shelf.hold_off(is_held_off);
            let is_last = has_failed || is_held_off;
            has_failed = error.retry != Retry::Never;
            self.not_sent(shelf, &stored, &error);
            result = Err(OTelSdkError::InternalFailure(error.cause));
            if has_failed && is_last {
                break;
            }
        }
        if missing > 0 {
            self.monitor.missing_on_disk(missing, &shelf.disk.folder);
        }
        result
    }

    async fn send_stored<R: OtlpRequest>(
        &self,
        shelf: &Shelf,
        stored: &Stored,
        body: Bytes,
    ) -> Result<(), SendError> {
        let body = if self.is_json {
            let request =
                R::decode(body).map_err(|_| SendError::final_("a file of the disk buffer is no request"))?;
            self.encoded(&request)?
        } else {
            body
        };
        let rejected = self.deliver_now::<R>(body).await?;
        shelf.got_through();
        // Removed before it is counted: a crash in between counts nothing twice.
        let counted = self.finish(shelf, stored);
        self.monitor.tally.sent_from_disk(counted);
        self.delivered(counted, &rejected);
        Ok(())
    }

    fn not_sent(&self, shelf: &Shelf, stored: &Stored, error: &SendError) {
        if error.retry == Retry::Never || shelf.fails(stored) {
            // What made room meanwhile is counted by that.
            let items = self.finish(shelf, stored);
            self.monitor.failed_on_disk(items, &error.cause);
        } else {
            self.monitor.postponed(&error.cause);
        }
    }

    /// Removes what was sent, or refused for good. Says how many items are still to be counted.
    fn finish(&self, shelf: &Shelf, stored: &Stored) -> u64 {
        let Some(removed) = shelf.finish(stored) else { return 0 };
        if let Err(error) = removed {
            self.monitor.warn_disk_keeps(&shelf.disk.folder, &error.to_string());
        }
        stored.items
    }
}

/// Has a thread send what waits on disk, also while the service makes nothing new, until the shutdown has ended.
pub(in crate::export) fn watch<R: OtlpRequest>(sender: &Arc<Sender>, shelf: Shelf) {
    let waiting: u64 = shelf.stored().iter().map(|stored| stored.items).sum();
    sender.monitor.tally.recovered(waiting);
    if waiting > 0 {
        let (signal, endpoint) = (sender.monitor.signal(), sender.monitor.endpoint().to_owned());
        diagnostics::info(&format!(
            "{waiting} items of {signal} that another process left on disk are sent to {endpoint}"
        ));
    }
    let weak: Weak<Sender> = Arc::downgrade(sender);
    let (runtime, told) = (sender.runtime.clone(), Arc::new(Notify::new()));
    let keeper = Arc::clone(&told);
    let spawned = thread::Builder::new().name("otel-init-disk".to_owned()).spawn(move || {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        // After the shutdown the files are for the next process.
        while let Some(sender) = weak.upgrade().filter(|sender| !sender.runtime.is_cut()) {
            // What it cannot deliver is told by the monitor.
            let _ = sender.runtime.block_on(sender.drain::<R>(&shelf));
            drop(sender);
            let woken = runtime.run(async { timeout(pause(&shelf), told.notified()).await });
            if runtime.block_on(woken).is_err() {
                return;
            }
        }
    });
    match spawned {
        // Once, for the one sender.
        Ok(_) => drop(sender.keeper.set(keeper)),
        Err(error) => {
            diagnostics::warn(&format!("what waits on disk is sent with the next batch: {error}"));
        }
    }
}

fn pause(shelf: &Shelf) -> Duration {
    if shelf.is_empty() { IDLE } else { PAUSE }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::{IDLE, PAUSE, pause};
    use crate::Signal;
    use crate::export::disk::{Disk, Shelf};

    #[test]
    fn where_nothing_waits_nobody_looks_each_second() {
        let base = std::env::temp_dir().join(format!("otel-init-disk-{}-idle", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let disk = Arc::new(Disk::open(&base, 1000).unwrap());
        let shelf = Shelf::new(disk, Signal::Traces, "http://a", 0);
        assert_eq!(pause(&shelf), IDLE);
        shelf.store(b"some", 1, &mut 0).unwrap();
        assert_eq!(pause(&shelf), PAUSE);
        let _ = shelf.finish(&shelf.stored()[0]);
        assert_eq!(pause(&shelf), IDLE);
        drop(shelf);
        fs::remove_dir_all(base).unwrap();
    }
}
