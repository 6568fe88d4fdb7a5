//! Spans from their start to the first processor.
//!
//! They are not the SDK's. A span of the SDK is moved by value through each processor, counts references that all threads share,
//! cannot hold the flag of a random trace id, and keeps an attribute that is set twice twice.

mod bounds;
mod processor;
mod provider;
mod span;
#[cfg(test)]
mod tests;
mod tracer;

#[cfg(test)]
pub(crate) use processor::Exporting;
pub(crate) use processor::ProcessSpans;
pub use provider::TracerProvider;
pub use span::Span;
pub use tracer::Tracer;
