//! Changes from a file that is watched.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::change::SamplingChange;
use super::change_text::{MAX_LENGTH, SamplingChangeError};
use super::live::{LiveChange, Source};
use crate::diagnostics;

const NO_FOLDER: &str = "its folder does not exist";

/// The file, and what was last seen of it.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    live: Arc<LiveChange>,
    /// `None` at first, and while there is no file.
    seen: Option<(SystemTime, u64)>,
    /// What was said about it last, to say it once.
    complaint: Option<String>,
}

impl WatchedFile {
    pub(crate) fn new(path: PathBuf, live: Arc<LiveChange>) -> Self {
        Self { path, live, seen: None, complaint: None }
    }

    /// Follows the file: a new content is a change, none is what is configured, a bad one leaves everything as it was.
    pub(crate) fn look(&mut self) {
        match self.read() {
            Ok(None) => {}
            Ok(Some(change)) => {
                self.complaint = None;
                self.live.set(Source::File, change, Instant::now());
            }
            Err(reason) => {
                let complaint = format!(
                    "the sampler's file {} cannot be used: {reason}; the sampler stays as it is",
                    self.path.display()
                );
                if self.complaint.as_ref() != Some(&complaint) {
                    diagnostics::warn(&complaint);
                    self.complaint = Some(complaint);
                }
            }
        }
    }

    /// A file may come later, but a folder that is not there is a mistake, most likely.
    fn has_folder(&self) -> bool {
        self.path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.exists())
    }

    /// The change that the file asks for, none if it is gone; `Ok(None)` if it is as it was.
    fn read(&mut self) -> Result<Option<Option<SamplingChange>>, String> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let gone = self.seen.take().map(|_| None);
                return if gone.is_some() || self.has_folder() {
                    Ok(gone)
                } else {
                    Err(NO_FOLDER.to_owned())
                };
            }
            Err(error) => return Err(error.to_string()),
        };
        // To open a pipe or a device may wait for ever.
        if !metadata.is_file() {
            return Err("it is no file".to_owned());
        }
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let now = Some((written, metadata.len()));
        if self.seen == now {
            return Ok(None);
        }
        let mut text = String::new();
        File::open(&self.path)
            .and_then(|file| file.take(MAX_LENGTH as u64 + 1).read_to_string(&mut text))
            .map_err(|error| error.to_string())?;
        // Noted even if it is bad: it is read again when it changes.
        self.seen = now;
        let change: SamplingChange = text.parse().map_err(|error: SamplingChangeError| error.to_string())?;
        let age = SystemTime::now().duration_since(written).unwrap_or_default();
        Ok(Some(change.after(age)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::{LiveChange, NO_FOLDER, WatchedFile};

    #[test]
    fn a_folder_that_does_not_exist_is_told_and_a_file_may_come_later() {
        let folder = std::env::temp_dir().join(format!("otel-init-sampler-{}-folder", std::process::id()));
        let live = Arc::new(LiveChange::new("configured".to_owned(), false));
        let mut file = WatchedFile::new(folder.join("sampler.json"), live);
        file.look();
        assert!(file.complaint.as_ref().is_some_and(|told| told.contains(NO_FOLDER)), "{file:?}");
        fs::create_dir(&folder).unwrap();
        assert!(matches!(file.read(), Ok(None)));
        fs::write(folder.join("sampler.json"), r#"{"ratio": 0.5}"#).unwrap();
        assert!(matches!(file.read(), Ok(Some(Some(_)))));
        // First the change is taken back.
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(file.read(), Ok(Some(None))));
        assert_eq!(file.read().err().as_deref(), Some(NO_FOLDER));
        let mut here = WatchedFile::new("otel-init-no-such-sampler.json".into(), Arc::clone(&file.live));
        assert!(matches!(here.read(), Ok(None)));
    }
}
