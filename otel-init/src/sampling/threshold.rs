//! Thresholds and randomness: 56 bits each, compared to decide.
//!
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>

use std::fmt;

use opentelemetry::trace::TraceId;

/// Thresholds and randomness have 56 bits, written as up to 14 hexadecimal digits.
const BITS: u32 = 56;
const DIGITS: u32 = BITS / 4;
const MOST_DIGITS: u32 = 12;
const ALL: u64 = 1 << BITS;

/// What the randomness of a trace must reach for the trace to be sampled: the share of traces that is *not* sampled.
///
/// It travels in `tracestate` as `ot=th:..`, so that whoever gets the span knows how many it stands for:
/// [`adjusted_count`](Self::adjusted_count).
///
/// ```
/// use otel_init::sampling::Threshold;
///
/// let quarter = Threshold::from_probability(0.25);
/// assert_eq!(quarter.to_string(), "c");
/// assert_eq!(quarter.adjusted_count(), 4.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

impl Threshold {
    /// Every trace is sampled: `th:0`.
    pub const ALWAYS: Self = Self(0);
    /// No trace is sampled. It is never written.
    pub const NEVER: Self = Self(ALL);

    /// The threshold of a probability, with the four significant digits that the specification recommends.
    ///
    /// Zero, below and not a number is [`NEVER`](Self::NEVER), one and above is [`ALWAYS`](Self::ALWAYS).
    #[must_use]
    pub fn from_probability(probability: f64) -> Self {
        Self::with_precision(probability, 4)
    }

    /// The threshold of a probability, with so many significant hexadecimal digits, 1 to 12, or with all 14. A small
    /// probability has the digits that tell it from zero besides.
    #[must_use]
    pub fn with_precision(probability: f64, digits: u32) -> Self {
        if probability.is_nan() || probability <= 0.0 {
            return Self::NEVER;
        }
        if probability >= 1.0 {
            return Self::ALWAYS;
        }
        // A product with a power of two is exact.
        let sampled = ((probability * ALL as f64).round() as u64).clamp(1, ALL);
        let exact = ALL - sampled;
        if digits >= DIGITS {
            return Self(exact);
        }
        // Leading `f` digits say how small the probability is, not what it is. "Precision is limited to 12", because the
        // specification computes with floating point.
        let leading = (BITS - (u64::BITS - sampled.leading_zeros()).min(BITS)) / 4;
        let dropped = 4 * (DIGITS - (digits.max(1) + leading).min(MOST_DIGITS));
        let rounded = ((exact + (1 << (dropped - 1))) >> dropped) << dropped;
        // Rounding must not turn something into nothing.
        Self(rounded.min(ALL - (1 << dropped)))
    }

    /// Reads the value of `th`: 1 to 14 lower-case hexadecimal digits, trailing zeros left out.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let missing = DIGITS.checked_sub(u32::try_from(digits.len()).ok()?)?;
        (missing < DIGITS).then(|| hex(digits))?.map(|value| Self(value << (4 * missing)))
    }

    /// The probability with which a trace is sampled.
    #[must_use]
    pub fn probability(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// How many traces a sampled one stands for; zero for [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        if self == Self::NEVER { 0.0 } else { ALL as f64 / (ALL - self.0) as f64 }
    }

    /// Whether a trace of this randomness is sampled: "if R >= T, keep the span".
    #[must_use]
    pub fn samples(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// The threshold of a share of what this one samples.
    #[must_use]
    pub(crate) fn scaled(self, share: f64) -> Self {
        Self::with_precision(self.probability() * share.clamp(0.0, 1.0), DIGITS)
    }

    /// As the entry `th:..`, made without the machinery of formatting: every sampled root writes one.
    pub(crate) fn entry(self) -> String {
        let mut entry = String::with_capacity(3 + DIGITS as usize);
        entry.push_str("th:");
        self.push_digits(&mut entry);
        entry
    }

    fn push_digits(self, text: &mut String) {
        let mut rest = self.0 & (ALL - 1);
        loop {
            text.push(char::from(b"0123456789abcdef"[(rest >> (BITS - 4)) as usize]));
            rest = (rest << 4) & (ALL - 1);
            if rest == 0 {
                return;
            }
        }
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits.min(ALL))
    }
}

impl fmt::Display for Threshold {
    /// As in `th`: without trailing zeros. [`NEVER`](Self::NEVER) has no such form and is `never`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return formatter.write_str("never");
        }
        let mut digits = String::with_capacity(DIGITS as usize);
        self.push_digits(&mut digits);
        formatter.write_str(&digits)
    }
}

/// The number that decides for all spans of a trace: the value of `rv`, or else the 56 low bits of the trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Randomness {
    /// The 56 low bits, which a trace id of W3C level 2 has at random.
    #[must_use]
    pub fn of_trace_id(trace_id: TraceId) -> Self {
        let [.., a, b, c, d, e, f, g] = trace_id.to_bytes();
        Self(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
    }

    /// Reads the value of `rv`: exactly 14 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        (digits.len() == DIGITS as usize).then(|| hex(digits))?.map(Self)
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:014x}", self.0)
    }
}

/// Up to 14 lower-case digits. `from_str_radix` takes signs and capitals too.
fn hex(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0, |value: u64, byte| match byte {
        b'0'..=b'9' => Some((value << 4) | u64::from(byte - b'0')),
        b'a'..=b'f' => Some((value << 4) | u64::from(byte - b'a' + 10)),
        _ => None,
    })
}
