//! A business figure: the last value of a metric for one set of attributes.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// A sum or a gauge.
    Number(f64),
    Histogram {
        count: u64,
        sum: f64,
    },
}

impl fmt::Display for Figure {
    /// The value and its unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = &self.unit;
        match self.value {
            Value::Number(number) if number.fract() == 0.0 => write!(f, "{number} {unit}"),
            Value::Number(number) => write!(f, "{number:.2} {unit}"),
            Value::Histogram { count, sum } => {
                let mean = sum / count.max(1) as f64;
                // Times are short.
                let (mean, unit) = if unit == "s" { (mean * 1000.0, "ms") } else { (mean, unit.as_str()) };
                write!(f, "{count} x, mean {mean:.2} {unit}")
            }
        }
    }
}
