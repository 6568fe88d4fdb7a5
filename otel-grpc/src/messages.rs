//! What is counted of a call's messages, and where it is reported.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use otel_core::{Convention, Operation};
use pin_project_lite::pin_project;

use crate::client::AttemptCount;
use crate::convention::{GrpcConvention, Rules};
use crate::message::{Message, MessageReader, SharedTotals, Totals};
use crate::metrics::GrpcTally;
use crate::side::Side;

/// The messages of one call.
#[derive(Debug)]
pub(crate) struct Messages {
    report: MessageReport,
    /// Of the response, which passes where the call is.
    response: MessageReader,
    /// Of the request, which may pass in another task.
    request: Arc<SharedTotals>,
    tally: Option<Box<GrpcTally>>,
    attempts: Option<Arc<AttemptCount>>,
}

/// Where messages are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageReport {
    /// As attributes of the span.
    pub(crate) summary: bool,
    /// Each as an event of the span.
    pub(crate) events: bool,
}

impl Messages {
    /// What is to be counted of a call; `None` when nobody wants to know. `is_counted` says whether its start was,
    /// `attempts` counts those measured apart.
    pub(crate) fn wanted(
        report: MessageReport,
        rules: &Rules,
        is_counted: bool,
        attempts: Option<Arc<AttemptCount>>,
    ) -> Option<Box<Self>> {
        if report == MessageReport::default() && !rules.grpc_metrics {
            return None;
        }
        let tally = rules.grpc_metrics.then(|| Box::new(GrpcTally::new(rules.grpc_target(), is_counted)));
        let (response, request) = (MessageReader::default(), Arc::default());
        Some(Box::new(Self { report, response, request, tally, attempts }))
    }

    pub(crate) fn on_response_data<S: Side>(&mut self, data: &impl Buf, context: &Context) {
        let events = self.report.events;
        self.response.read(data, |message| {
            if events {
                add_event(context, if S::IS_SERVER { OUTBOUND } else { INBOUND }, message);
            }
        });
    }

    /// The request's body with an eye on its messages. A body is watched when its type can be kept: tonic's and axum's.
    pub(crate) fn watch_request<S: Side, A: 'static>(&self, body: A, context: &Context) -> A {
        let name = if S::IS_SERVER { INBOUND } else { OUTBOUND };
        let events = self.report.events.then(|| (name, context.clone()));
        let reader = MessageReader::default();
        watched(body, Watch { reader, totals: Arc::clone(&self.request), events })
    }

    pub(crate) fn settle<S: Side>(&mut self, operation: &mut Operation<GrpcConvention<S>>) {
        let (request, response) = (self.request.load(), self.response.totals());
        let (sent, received) = if S::IS_SERVER { (response, request) } else { (request, response) };
        if self.report.summary {
            write_summary(operation, sent, received);
        }
        if let Some(mut tally) = self.tally.take() {
            (tally.sent, tally.received) = (sent, received);
            tally.attempts = self.attempts.as_ref().and_then(|count| count.made_apart());
            operation.tally().grpc = Some(tally);
        }
    }
}

fn write_summary<C: Convention>(operation: &mut Operation<C>, sent: Totals, received: Totals) {
    let mut attributes = operation.attributes();
    let mut write = |key: &'static str, number: u64| {
        attributes.span(key, i64::try_from(number).unwrap_or(i64::MAX));
    };
    write("grpc.sent_messages", sent.messages);
    write("grpc.sent_total_compressed_message_size", sent.bytes);
    write("grpc.rcvd_messages", received.messages);
    write("grpc.rcvd_total_compressed_message_size", received.bytes);
}

/// The names that gRPC gives to what passes.
/// <https://github.com/grpc/proposal/blob/master/A72-open-telemetry-tracing.md>
const OUTBOUND: &str = "Outbound message";
const INBOUND: &str = "Inbound message";

fn add_event(context: &Context, name: &'static str, message: Message) {
    let size = if message.is_compressed { "message-size-compressed" } else { "message-size" };
    let number = i64::try_from(message.sequence_number).unwrap_or(i64::MAX);
    let attributes =
        vec![KeyValue::new("sequence-number", number), KeyValue::new(size, i64::from(message.bytes))];
    context.span().add_event(name, attributes);
}

/// Reads the messages of a request as they pass.
#[derive(Debug)]
struct Watch {
    reader: MessageReader,
    totals: Arc<SharedTotals>,
    events: Option<(&'static str, Context)>,
}

impl Watch {
    fn read(&mut self, data: &impl Buf) {
        let events = self.events.as_ref();
        self.reader.read(data, |message| {
            if let Some((name, context)) = events {
                add_event(context, name, message);
            }
        });
        self.totals.set(self.reader.totals());
    }
}

pin_project! {
    struct WatchedBody<B> {
        #[pin]
        body: B,
        watch: Watch,
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let polled = this.body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.watch.read(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of the same type that is watched, if the type hides what it wraps.
fn watched<A: 'static>(mut body: A, watch: Watch) -> A {
    let any: &mut dyn Any = &mut body;
    if let Some(tonic) = any.downcast_mut::<tonic::body::Body>() {
        let inner = std::mem::take(tonic);
        *tonic = tonic::body::Body::new(WatchedBody { body: inner, watch });
        return body;
    }
    #[cfg(feature = "axum")]
    if let Some(axum) = any.downcast_mut::<axum::body::Body>() {
        let inner = std::mem::take(axum);
        *axum = axum::body::Body::new(WatchedBody { body: inner, watch });
    }
    body
}
