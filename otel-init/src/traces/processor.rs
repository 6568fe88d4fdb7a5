//! What spans pass on their way to the export.

use std::fmt;

use opentelemetry::Context;
use opentelemetry_sdk::trace::SpanData;

/// The SDK's `SpanProcessor`, for spans that are not the SDK's. Boxed, because they go through several.
pub(crate) trait ProcessSpans: fmt::Debug + Send + Sync + 'static {
    /// A span that is recorded has started below the span of `parent`, and may be given more.
    fn on_start(&self, span: &mut SpanData, parent: &Context);

    /// It has ended.
    fn on_end(&self, span: Box<SpanData>);

    /// No further spans come: what waits for others goes on now.
    fn stop(&self) {}
}

/// Hands each span that has ended to an exporter at once.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Exporting<E>(pub(crate) E);

#[cfg(test)]
impl<E: opentelemetry_sdk::trace::SpanExporter + 'static> ProcessSpans for Exporting<E> {
    fn on_start(&self, _: &mut SpanData, _: &Context) {}

    fn on_end(&self, span: Box<SpanData>) {
        futures_executor::block_on(self.0.export(vec![*span])).unwrap();
    }
}
