//! A file that is written line by line.

use std::fmt;
use std::io::{self, Write};
use std::sync::Mutex;

use serde::Serialize;

use super::writing;
use crate::lock::lock;

/// A file of OTLP/JSON: "each line is a JSON document" of one export request
/// (<https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>).
pub(in crate::receiver) struct JsonLines(Mutex<Result<Box<dyn Write + Send>, io::Error>>);

impl JsonLines {
    pub(in crate::receiver) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Ok(Box::new(writer))))
    }

    /// After the first error nothing more is written: a file with a hole in it would be worse than one that ends.
    pub(in crate::receiver) fn write(&self, request: &impl Serialize) {
        let mut state = lock(&self.0);
        if let Ok(writer) = state.as_mut() {
            let written = writing::to_vec(request).map_err(io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                writer.write_all(&line)?;
                writer.flush()
            });
            if let Err(error) = written {
                *state = Err(error);
            }
        }
    }

    pub(in crate::receiver) fn error(&self) -> Option<io::Error> {
        let state = lock(&self.0);
        state.as_ref().err().map(|error| io::Error::new(error.kind(), error.to_string()))
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonLines")
    }
}
