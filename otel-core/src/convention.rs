//! What the semantic conventions say about one kind of operation.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};

use crate::{Attributes, ErrorType, InFlight};

/// The semantic convention of one kind of operation, for example of an HTTP server request.
///
/// The value is configuration that all operations share. [`Instrumenter`](crate::Instrumenter) calls the methods in
/// the order in which they stand here; the conventions live in them and nowhere else.
///
/// Nothing here may panic or block: it runs in the application's request path.
pub trait Convention: Send + Sync + 'static {
    /// The kind of span, unless [`span_kind`](Self::span_kind) says otherwise.
    const SPAN_KIND: SpanKind;

    /// What is known when the operation starts, borrowed from the application's own types.
    type Request<'a>;

    /// What is known when the answer is there.
    type Response<'a>;

    /// The instruments.
    type Metrics: Send + Sync + 'static;

    /// What is kept of an operation while it runs, apart from its attributes: numbers that are recorded at its end, what is
    /// needed when the answer is there. `()` for nothing.
    type Tally: Default + Send + Sync + 'static;

    /// Makes the instruments; called once for each meter provider.
    fn metrics(&self, meter: &Meter) -> Self::Metrics;

    /// The kind of this request's span: [`SPAN_KIND`](Self::SPAN_KIND), unless the convention knows several, such as
    /// `INTERNAL` for a database or a model in the same process.
    fn span_kind(&self, request: &Self::Request<'_>) -> SpanKind {
        let _ = request;
        Self::SPAN_KIND
    }

    /// The span's name: few different values, no ids.
    fn span_name(&self, request: &Self::Request<'_>) -> Cow<'static, str>;

    /// The attributes known at the start. Those that only the span carries reach the sampler too.
    fn on_start(&self, request: &Self::Request<'_>, attributes: &mut Attributes<'_>);

    /// Counts the operation as in flight until it ends; none by default.
    fn in_flight(&self, metrics: &Self::Metrics, request: &Self::Request<'_>) -> Option<InFlight> {
        let _ = (metrics, request);
        None
    }

    /// The attributes known from the answer, and whether it is an error.
    ///
    /// # Errors
    ///
    /// The class of the failure when the convention calls this response an error; it becomes `error.type`.
    fn on_response(
        &self,
        response: &Self::Response<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType>;

    /// The operation was dropped before it ended: nobody waits for its outcome any more. Not an error by default.
    ///
    /// # Errors
    ///
    /// The class of the failure when the convention calls a cancellation an error; it becomes `error.type`.
    fn on_cancel(&self, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        let _ = attributes;
        Ok(())
    }

    /// The operation was ended by an error or a panic, and not by what its response says: for an event that tells of it.
    /// `context` holds the span, which has not ended yet.
    fn on_exception(&self, error_type: &ErrorType, context: &Context) {
        let _ = (error_type, context);
    }

    /// Records the metrics of an ended operation. `elapsed` is the span's duration, `context` holds the span.
    fn record(
        &self,
        metrics: &Self::Metrics,
        elapsed: Duration,
        tally: &Self::Tally,
        attributes: &[KeyValue],
        context: &Context,
    );
}
