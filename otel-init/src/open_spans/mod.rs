//! Spans that have started and not ended: for a page of the service's own, and as log records, because a span itself is sent
//! when it has ended, or never.

mod register;
mod span;
mod tell;

pub(crate) use register::{OpenSpans, registered};
pub use span::OpenSpan;
