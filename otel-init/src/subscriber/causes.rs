//! What caused an error that an event tells of.
//!
//! Upstream's bridge keeps the error's own text alone, as `exception.message`. That is mostly the least of it: "order not
//! placed", and not which connection was refused.

use std::error::Error;
use std::fmt::{Debug, Write};

use tracing::Event;
use tracing::field::{Field, Visit};

/// "A stacktrace as a string in the natural representation for the language runtime": for an error that is its chain.
/// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>
pub(crate) const STACKTRACE: &str = "exception.stacktrace";

/// No chain is this long, but for one that leads back to itself.
const LONGEST: usize = 32;

/// The last error of the event and all that caused it, a line each; none without an error, or a cause.
pub(crate) fn of(event: &Event<'_>) -> Option<String> {
    let mut causes = Causes(None);
    event.record(&mut causes);
    causes.0
}

struct Causes(Option<String>);

impl Visit for Causes {
    fn record_error(&mut self, _field: &Field, error: &(dyn Error + 'static)) {
        let mut cause = error.source();
        self.0 = cause.is_some().then(|| error.to_string());
        for _ in 0..LONGEST {
            let (Some(chain), Some(next)) = (&mut self.0, cause) else { return };
            // Writing to a text does not fail.
            let _ = write!(chain, "\nCaused by: {next}");
            cause = next.source();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn Debug) {}
}
