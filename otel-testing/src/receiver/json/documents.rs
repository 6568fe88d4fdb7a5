//! What stands in a text of several documents.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde_json::{Deserializer, Error, Map, Value};

use super::{Document, reading};
use crate::receiver::{ReceivedLog, ReceivedMetric, ReceivedSpan, log, metric, span};

const SIGNALS: [&str; 4] = ["resourceSpans", "resourceMetrics", "resourceLogs", "resourceProfiles"];

/// "Receivers MUST ignore message fields with unknown names", but whoever reads a file in which there is nothing else has
/// another one in mind, and would find nothing in it that should not be there.
fn is_document(object: &Map<String, Value>) -> bool {
    object.is_empty() || SIGNALS.iter().any(|signal| object.contains_key(*signal))
}

/// The text is no OTLP/JSON; it says which document of it is not, and why.
#[derive(Debug)]
pub struct OtlpJsonError {
    /// Counted from 1.
    document: usize,
    reason: Error,
}

impl fmt::Display for OtlpJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "document {} is no OTLP/JSON: {}", self.document, self.reason)
    }
}

impl std::error::Error for OtlpJsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

/// What one or more documents hold, in their order.
#[derive(Default)]
pub(crate) struct Documents {
    pub(crate) spans: Vec<Arc<ReceivedSpan>>,
    pub(crate) metrics: Vec<Arc<ReceivedMetric>>,
    pub(crate) logs: Vec<Arc<ReceivedLog>>,
}

impl Documents {
    pub(crate) fn read(json: &str) -> Result<Self, OtlpJsonError> {
        let mut read = Self::default();
        for (index, value) in Deserializer::from_str(json).into_iter().enumerate() {
            let document = value.and_then(|value| match &value {
                Value::Object(object) if !is_document(object) => {
                    Err(Error::custom(format!("it has none of {}", SIGNALS.join(", "))))
                }
                Value::Object(_) => reading::from_value(value),
                _ => Err(Error::custom("expected an object")),
            });
            read.add(document.map_err(|reason| OtlpJsonError { document: index + 1, reason })?);
        }
        Ok(read)
    }

    fn add(&mut self, document: Document) {
        document.resource_spans.into_iter().for_each(|spans| span::flatten(spans, &mut self.spans));
        document.resource_metrics.into_iter().for_each(|metrics| metric::flatten(metrics, &mut self.metrics));
        document.resource_logs.into_iter().for_each(|logs| log::flatten(logs, &mut self.logs));
    }
}
