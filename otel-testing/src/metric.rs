//! Metrics as a test reads them: one flat type for what was collected in memory and for what was received.

use std::fmt;

use opentelemetry_sdk::metrics::Temporality;

use crate::{AttributeValue, Attributes, Number, Scope};

/// One metric of one scope, with its points at the time of collection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Which instrumentation made it.
    pub scope: Scope,
    /// Name of the instrument, or what a view made of it.
    pub name: String,
    /// Description; empty if none was given.
    pub description: String,
    /// Unit in UCUM, such as `s` or `{request}`; empty if none was given.
    pub unit: String,
    /// What the sender says of it beside; the SDK of today has none, a collector may.
    pub metadata: Attributes,
    /// What it is.
    pub kind: MetricKind,
    /// Cumulative or delta; gauges have none.
    pub temporality: Option<Temporality>,
    /// One point per set of attributes.
    pub points: Vec<Point>,
}

impl Metric {
    /// The sum over all points, see [`Point::total`].
    #[must_use]
    pub fn total(&self) -> f64 {
        self.points.iter().map(Point::total).sum()
    }
}

/// What a metric is. A counter is a monotonic sum, an up-down counter a sum that is not monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Counter (monotonic) or up-down counter.
    Sum {
        /// Whether it can only grow.
        monotonic: bool,
    },
    /// The last value.
    Gauge,
    /// Histogram with explicit bounds.
    Histogram,
    /// Histogram with exponential buckets.
    ExponentialHistogram,
    /// Quantiles computed by the sender. No SDK of today makes it, a receiver may get it.
    Summary,
    /// The metric came without data.
    Empty,
}

/// One series of a metric: a set of attributes and its value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The attributes of the series.
    pub attributes: Attributes,
    /// Its value.
    pub value: PointValue,
    /// Single measurements that the sender kept, with the trace they were made in.
    pub exemplars: Vec<Exemplar>,
}

/// A single measurement, and the trace in which it was made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// The value that was recorded; `None` if the sender gave none.
    pub value: Option<Number>,
    /// Lower-case hex of the trace.
    pub trace_id: Option<String>,
    /// Lower-case hex of the span.
    pub span_id: Option<String>,
    /// Nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// Attributes of the measurement that the series does not have.
    pub filtered_attributes: Attributes,
}

impl Point {
    pub(crate) fn new(attributes: Attributes, value: PointValue) -> Self {
        Self { attributes, value, exemplars: Vec::new() }
    }

    pub(crate) fn with_exemplars(mut self, exemplars: Vec<Exemplar>) -> Self {
        self.exemplars = exemplars;
        self
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
        self.attributes.get(key)
    }

    /// Whether the attribute `key` has this value, of this type.
    #[must_use]
    pub fn has(&self, key: &str, value: impl Into<AttributeValue>) -> bool {
        self.attributes.has(key, value)
    }

    /// The number of a sum or a gauge; `None` for histograms and summaries.
    #[must_use]
    pub fn number(&self) -> Option<Number> {
        match &self.value {
            PointValue::Sum(number) | PointValue::Gauge(number) => Some(*number),
            _ => None,
        }
    }

    /// The histogram with explicit bounds, if the point is one.
    #[must_use]
    pub fn histogram(&self) -> Option<&HistogramPoint> {
        match &self.value {
            PointValue::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }

    /// The number of a sum or a gauge, the sum of the values of a histogram or summary; 0 if it has none.
    #[must_use]
    pub fn total(&self) -> f64 {
        match &self.value {
            PointValue::Sum(number) | PointValue::Gauge(number) => number.as_f64(),
            PointValue::Histogram(histogram) => histogram.sum.unwrap_or_default(),
            PointValue::ExponentialHistogram(histogram) => histogram.sum.unwrap_or_default(),
            PointValue::Summary(summary) => summary.sum,
            PointValue::Empty => 0.0,
        }
    }

    /// How many values a histogram or summary has seen; `None` for sums and gauges.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match &self.value {
            PointValue::Histogram(histogram) => Some(histogram.count),
            PointValue::ExponentialHistogram(histogram) => Some(histogram.count),
            PointValue::Summary(summary) => Some(summary.count),
            _ => None,
        }
    }
}

/// The value of one point.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PointValue {
    /// Of a counter or an up-down counter.
    Sum(Number),
    /// Of a gauge.
    Gauge(Number),
    /// Of a histogram with explicit bounds.
    Histogram(HistogramPoint),
    /// Of a histogram with exponential buckets.
    ExponentialHistogram(ExponentialHistogramPoint),
    /// Of a summary.
    Summary(SummaryPoint),
    /// The sender marked the point as having no value.
    Empty,
}

/// The value in one line: `count 2, sum 0.3, buckets [1, 1]`. Bounds and extremes are left out: they are long.
impl fmt::Display for PointValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = |f: &mut fmt::Formatter<'_>, count: u64, sum: Option<f64>| {
            write!(f, "count {count}")?;
            sum.map_or(Ok(()), |sum| write!(f, ", sum {sum:?}"))
        };
        match self {
            Self::Sum(number) | Self::Gauge(number) => write!(f, "{number}"),
            Self::Histogram(histogram) => {
                summary(f, histogram.count, histogram.sum)?;
                write!(f, ", buckets {:?}", histogram.bucket_counts)
            }
            Self::ExponentialHistogram(histogram) => {
                summary(f, histogram.count, histogram.sum)?;
                write!(f, ", scale {}", histogram.scale)
            }
            Self::Summary(value) => summary(f, value.count, Some(value.sum)),
            Self::Empty => f.write_str("no value"),
        }
    }
}

/// Value of a histogram with explicit bounds.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HistogramPoint {
    /// How many values were recorded.
    pub count: u64,
    /// Their sum. Absent if they may be negative.
    pub sum: Option<f64>,
    /// The smallest one, if recorded.
    pub min: Option<f64>,
    /// The largest one, if recorded.
    pub max: Option<f64>,
    /// Upper bounds of the buckets, inclusive, without the last one, which is infinite.
    pub bounds: Vec<f64>,
    /// Values per bucket: one more than there are bounds.
    pub bucket_counts: Vec<u64>,
}

/// Value of a histogram with exponential buckets.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ExponentialHistogramPoint {
    /// How many values were recorded.
    pub count: u64,
    /// Their sum. Absent if they may be negative.
    pub sum: Option<f64>,
    /// The smallest one, if recorded.
    pub min: Option<f64>,
    /// The largest one, if recorded.
    pub max: Option<f64>,
    /// The scale: bucket `i` holds values up to `2^(2^-scale * (i + 1))`.
    pub scale: i32,
    /// How many values were zero, or nearer to zero than the threshold.
    pub zero_count: u64,
    /// Index of the first positive bucket, and the values per bucket.
    pub positive: (i32, Vec<u64>),
    /// Index of the first negative bucket, and the values per bucket.
    pub negative: (i32, Vec<u64>),
}

/// Value of a summary.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SummaryPoint {
    /// How many values were recorded.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Pairs of quantile (0 to 1) and value.
    pub quantiles: Vec<(f64, f64)>,
}
