//! How samplers learn of the export.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::composable::NewSpan;

/// How the export does: spans that were made for it so far, and how full its queue is, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ExportState {
    pub(crate) spans: u64,
    pub(crate) queue: f64,
}

type ReadExport = dyn Fn() -> ExportState + Send + Sync;

/// How samplers learn of the export, which is built after them.
#[derive(Clone, Default)]
pub(crate) struct ExportFeedback(Arc<OnceLock<Box<ReadExport>>>);

impl ExportFeedback {
    /// Kept from the first call on.
    pub(crate) fn connect(&self, read: impl Fn() -> ExportState + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(read));
    }

    fn read(&self) -> ExportState {
        self.0.get().map_or_else(ExportState::default, |read| read())
    }
}

impl fmt::Debug for ExportFeedback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ExportFeedback").field(&self.0.get().is_some()).finish()
    }
}

impl ExportState {
    pub(super) fn of(span: &NewSpan<'_>) -> Self {
        span.start.export.map_or_else(Self::default, ExportFeedback::read)
    }
}
