//! Instruments of the SDK whose measurements may become exemplars.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    BoundCounter, BoundGauge, BoundHistogram, BoundSyncInstrument, Counter, Gauge, Histogram,
    HistogramBuilder, InstrumentBuilder, SyncInstrument,
};

use super::Exemplars;
use super::kept::{BoundAttributes, Kept, Number};
use crate::metrics::views::Facts;

/// What an instrument is measured with.
pub(super) trait Measured: Copy + Send + Sync + 'static {
    fn number(self) -> Number;
}

impl Measured for f64 {
    fn number(self) -> Number {
        Number::Float(self)
    }
}

impl Measured for i64 {
    fn number(self) -> Number {
        Number::Integer(self)
    }
}

impl Measured for u64 {
    fn number(self) -> Number {
        Number::Integer(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

/// The bounds that an instrument asks for.
pub(in crate::metrics) trait Bounds {
    fn bounds(&self) -> Option<&[f64]>;
}

impl<I> Bounds for InstrumentBuilder<'_, I> {
    fn bounds(&self) -> Option<&[f64]> {
        None
    }
}

impl<I> Bounds for HistogramBuilder<'_, I> {
    fn bounds(&self) -> Option<&[f64]> {
        self.boundaries.as_deref()
    }
}

/// The same as a function, for a macro.
pub(in crate::metrics) fn bounds_of(builder: &impl Bounds) -> Option<&[f64]> {
    builder.bounds()
}

/// An instrument of the SDK, and what keeps its exemplars.
pub(in crate::metrics) struct WithExemplars<I> {
    instrument: I,
    exemplars: Arc<Exemplars>,
    kept: Arc<Kept>,
}

/// The same, bound.
struct BoundWithExemplars<B> {
    instrument: B,
    exemplars: Arc<Exemplars>,
    kept: Arc<Kept>,
    attributes: BoundAttributes,
}

impl<I> WithExemplars<I> {
    /// The instrument as it was if nobody would see its exemplars.
    pub(in crate::metrics) fn around(
        instrument: I,
        exemplars: &Arc<Exemplars>,
        facts: &Facts<'_>,
        boundaries: Option<&[f64]>,
    ) -> Result<Self, I> {
        match exemplars.instrument(facts, boundaries) {
            Some(kept) => Ok(Self { instrument, exemplars: Arc::clone(exemplars), kept }),
            None => Err(instrument),
        }
    }
}

macro_rules! measuring {
    ($($instrument:ident $bound:ident $measure:ident;)+) => {$(
        impl<T: Measured> SyncInstrument<T> for WithExemplars<$instrument<T>> {
            fn measure(&self, measurement: T, attributes: &[KeyValue]) {
                self.instrument.$measure(measurement, attributes);
                if let Some(ids) = self.exemplars.ids() {
                    self.kept.offer(measurement.number(), ids, attributes);
                }
            }

            fn bind(&self, attributes: &[KeyValue]) -> Box<dyn BoundSyncInstrument<T> + Send + Sync> {
                Box::new(BoundWithExemplars {
                    instrument: self.instrument.bind(attributes),
                    exemplars: Arc::clone(&self.exemplars),
                    kept: Arc::clone(&self.kept),
                    attributes: self.kept.bind(attributes),
                })
            }
        }

        impl<T: Measured> BoundSyncInstrument<T> for BoundWithExemplars<$bound<T>> {
            fn measure(&self, measurement: T) {
                self.instrument.$measure(measurement);
                if let Some(ids) = self.exemplars.ids() {
                    self.kept.offer_bound(measurement.number(), ids, &self.attributes);
                }
            }
        }
    )+};
}

measuring! {
    Counter BoundCounter add;
    Gauge BoundGauge record;
    Histogram BoundHistogram record;
}
