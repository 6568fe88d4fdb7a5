//! How many sets of attributes an instrument may have.

use opentelemetry_sdk::metrics::InstrumentKind;

/// The SDK makes room for all of them at once, for each instrument: what no memory holds would end the service.
const MOST: usize = 1_000_000;

/// As many as was said, within bounds.
pub(super) fn bounded(limit: usize) -> usize {
    limit.min(MOST)
}

/// A limit for all instruments, and others for some kinds. The SDK's is 2000; what comes on top of it is counted in one
/// set with `otel.metric.overflow`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CardinalityLimits {
    default: Option<usize>,
    kinds: Vec<(InstrumentKind, usize)>,
}

impl CardinalityLimits {
    pub(crate) fn default_limit(&self) -> Option<usize> {
        self.default
    }

    pub(crate) fn set_default(&mut self, limit: usize) {
        self.default = Some(bounded(limit));
    }

    pub(crate) fn set(&mut self, kind: InstrumentKind, limit: usize) {
        self.kinds.push((kind, bounded(limit)));
    }

    pub(crate) fn of(&self, kind: InstrumentKind) -> Option<usize> {
        let own = self.kinds.iter().find(|(known, _)| *known == kind).map(|(_, limit)| *limit);
        own.or(self.default)
    }
}
