//! What becomes of an instrument, as far as its exemplars have to know.

use opentelemetry::Key;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_sdk::metrics::{Aggregation, InstrumentKind};

use crate::metrics::Views;
use crate::metrics::view::DEFAULT_BUCKETS;
use crate::metrics::views::Facts;

/// The SDK's limit of sets of attributes.
const DEFAULT_LIMIT: usize = 2000;

/// A metric that comes of an instrument.
#[derive(Debug)]
pub(super) struct Stream {
    name: String,
    /// The attributes that it has; `None` for all.
    pub(super) keys: Option<Vec<Key>>,
    pub(super) limit: usize,
    slots: Slots,
}

impl Stream {
    /// "Instrument names are case-insensitive", and the SDK takes the first one's.
    pub(super) fn is(&self, metric: &Metric) -> bool {
        self.name.eq_ignore_ascii_case(&metric.name)
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

/// All metrics that come of an instrument.
pub(super) fn streams(views: &Views, facts: &Facts<'_>, boundaries: Option<&[f64]>) -> Vec<Stream> {
    let outlines = views.outlines(facts).into_iter();
    let kept = outlines.filter(|outline| !matches!(outline.aggregation, Some(Aggregation::Drop)));
    kept.map(|outline| Stream {
        slots: Slots::new(outline.aggregation.as_ref(), facts.kind, boundaries),
        name: outline.name.unwrap_or(facts.name).to_owned(),
        keys: outline.attributes.map(<[Key]>::to_vec),
        limit: outline.limit.unwrap_or(DEFAULT_LIMIT),
    })
    .collect()
}

/// What a measurement may take the place of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slots {
    /// Of whatever was there before: "SimpleFixedSizeExemplarReservoir", of the size 1.
    One,
    /// Of what fell into the same bucket: "AlignedHistogramBucketExemplarReservoir". The upper bounds.
    Buckets(Vec<f64>),
    /// Of what is about as large, by powers of two: for buckets that fit themselves to the values. The specification has 20
    /// chosen by chance there, which rarely have the few slow ones among them.
    Magnitudes,
}

impl Slots {
    fn new(aggregation: Option<&Aggregation>, kind: InstrumentKind, boundaries: Option<&[f64]>) -> Self {
        match aggregation {
            Some(Aggregation::ExplicitBucketHistogram { boundaries, .. }) => {
                Self::Buckets(boundaries.clone())
            }
            Some(Aggregation::Base2ExponentialHistogram { .. }) => Self::Magnitudes,
            None | Some(Aggregation::Default) if kind == InstrumentKind::Histogram => {
                Self::Buckets(boundaries.unwrap_or(DEFAULT_BUCKETS).to_vec())
            }
            _ => Self::One,
        }
    }

    /// Fine enough for all of them.
    pub(super) fn of_all(streams: &[Stream]) -> Self {
        let mut bounds = Vec::new();
        for stream in streams {
            if let Self::Buckets(of_stream) = &stream.slots {
                bounds.extend_from_slice(of_stream);
            }
        }
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        match bounds.is_empty() {
            false => Self::Buckets(bounds),
            true if streams.iter().any(|stream| stream.slots == Self::Magnitudes) => Self::Magnitudes,
            true => Self::One,
        }
    }

    pub(super) fn of(&self, value: f64) -> usize {
        match self {
            Self::One => 0,
            Self::Buckets(bounds) => bucket(bounds, value),
            Self::Magnitudes => magnitude(value),
        }
    }
}

/// Upper bounds are inclusive.
pub(super) fn bucket(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|bound| *bound < value)
}

/// No more than the 20 that the specification has.
pub(super) fn magnitude(value: f64) -> usize {
    let exponent = (value.abs().to_bits() >> 52) as usize;
    exponent % 20
}
