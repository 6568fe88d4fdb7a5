//! The life of one call: every way out of it leads to one status.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use http::{Extensions, HeaderMap, Request, Response, StatusCode};
use opentelemetry::Context;
use otel_core::{AttributeNames, ErrorType, HeaderCapture, Operation, RequestAttributes, call_hook};
use tonic::Code;

use crate::GrpcResponse;
use crate::code;
use crate::convention::{GrpcConvention, write_peer};
use crate::deadline::Deadline;
use crate::messages::Messages;
use crate::method::{OTHER, SYSTEM, Standing};
use crate::names::OURS;
use crate::side::Side;
use crate::text::shown;

/// A call that has started: a guard that ends its operation once.
///
/// | way out | status |
/// |---|---|
/// | trailers, or a response that has only trailers | the one in them |
/// | a response without a status | what its HTTP status stands for, else `UNKNOWN` |
/// | an error of the service or of the body | what the error stands for |
/// | dropped by a client that got another HTTP status than 200 | what the HTTP status stands for |
/// | dropped | `DEADLINE_EXCEEDED` if the caller's time, or the server's, is up, else `CANCELLED` |
/// | panic | `UNKNOWN`, and `error.type` is `panic` |
///
/// As large as a pointer, because calls move a lot: with their future, and with the body in it.
pub(crate) struct Call<S: Side> {
    /// `None` when it has ended, or nobody observes it.
    operation: Option<Operation<GrpcConvention<S>>>,
}

/// What is known of a call besides its attributes. Its operation keeps it.
#[derive(Debug, Default)]
pub(crate) struct CallParts {
    pub(crate) deadline: Option<Deadline>,
    /// When the server itself gives up, unless the response has begun.
    pub(crate) answers_until: Option<Instant>,
    pub(crate) standing: Standing,
    pub(crate) has_own_name: bool,
    pub(crate) names: Option<AttributeNames>,
    /// What the handler adds.
    pub(crate) added: Option<RequestAttributes>,
    /// What is read from the response's head.
    pub(crate) head: Option<Arc<HeadRules>>,
    pub(crate) messages: Option<Box<Messages>>,
    /// What the response stands for, if it is none of gRPC: nobody reads the page to its end.
    pub(crate) refused: Option<Code>,
}

type PeerOfResponse = Arc<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>;

/// What a layer was told to read from responses' heads.
#[derive(Clone, Default)]
pub(crate) struct HeadRules {
    pub(crate) headers: HeaderCapture,
    pub(crate) peer: Option<PeerOfResponse>,
}

impl<S: Side> Call<S> {
    pub(crate) fn new(mut operation: Operation<GrpcConvention<S>>, parts: CallParts) -> Self {
        operation.tally().parts = parts;
        Self { operation: Some(operation) }
    }

    /// A call that is only handed on, in its operation's context.
    pub(crate) fn inert(operation: Operation<GrpcConvention<S>>) -> Self {
        Self { operation: Some(operation) }
    }

    /// A call that nobody observes.
    pub(crate) fn unobserved() -> Self {
        Self { operation: None }
    }

    /// The context of the call's span: the parent of everything that happens inside.
    pub(crate) fn context_of<'a>(&'a self, otherwise: &'a Context) -> &'a Context {
        self.operation.as_ref().map_or(otherwise, Operation::context)
    }

    /// The request, with an eye on its messages if they are wanted.
    #[inline]
    pub(crate) fn watch_request<A: 'static>(&mut self, request: Request<A>) -> Request<A> {
        let Some(operation) = &mut self.operation else { return request };
        let Some(messages) = operation.tally().parts.messages.take() else { return request };
        let request = request.map(|body| messages.watch_request::<S, A>(body, operation.context()));
        operation.tally().parts.messages = Some(messages);
        request
    }

    /// Whether nobody observes the call, or no longer.
    pub(crate) fn is_unobserved(&self) -> bool {
        self.operation.is_none()
    }

    /// Whether the call is only handed on.
    pub(crate) fn is_inert(&self) -> bool {
        self.operation.as_ref().is_none_or(Operation::is_inert)
    }

    /// Runs `f` in the call's context. A panic in `f` goes on, and ends the call.
    #[inline]
    pub(crate) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let Some(operation) = &self.operation else { return f() };
        let attached = operation.attach();
        let on_panic = EndOnUnwind(self);
        let result = f();
        std::mem::forget(on_panic);
        drop(attached);
        result
    }

    /// Records what was asked for of the response's head. Where that is all of the response, its metadata are trailers.
    pub(crate) fn on_head<B>(&mut self, response: &Response<B>, is_trailers_only: bool) {
        let Some(operation) = &mut self.operation else { return };
        let Some(head) = operation.tally().parts.head.take() else { return };
        let mut attributes = operation.attributes();
        if !is_trailers_only {
            head.headers.capture("rpc.response.header.", response.headers(), &mut attributes, shown);
        }
        let peer = head.peer.as_ref().filter(|_| attributes.wants_span());
        if let Some(peer) = peer.and_then(|peer| call_hook(|| peer(response.extensions()), None)) {
            write_peer(peer, &mut attributes);
        }
    }

    /// The response has no status of gRPC, but one of HTTP. What a body without trailers stands for.
    pub(crate) fn on_http_status(&mut self, status: StatusCode) -> Code {
        let code = code::of_http_status(status);
        if !S::IS_SERVER
            && status != StatusCode::OK
            && let Some(operation) = &mut self.operation
        {
            operation.tally().parts.refused = Some(code);
        }
        code
    }

    /// A stream begins, and may last for days: other calls of its method need not wait for its end to be known.
    pub(crate) fn on_begin(&mut self) {
        let Some(operation) = &mut self.operation else { return };
        let parts = &mut operation.tally().parts;
        parts.standing.begin();
        parts.answers_until = None;
    }

    /// Looks at data of the response.
    pub(crate) fn on_data(&mut self, data: &impl Buf) {
        let Some(operation) = &mut self.operation else { return };
        let Some(mut messages) = operation.tally().parts.messages.take() else { return };
        messages.on_response_data::<S>(data, operation.context());
        operation.tally().parts.messages = Some(messages);
    }

    /// Ends the call with a status.
    pub(crate) fn end(&mut self, code: Code, trailers: Option<&HeaderMap>) {
        if let Some((operation, _)) = self.settled(code, trailers) {
            operation.end();
        }
    }

    /// Ends the call with an error that stands for a status.
    pub(crate) fn fail(&mut self, code: Code) {
        match self.settled(code, None) {
            Some((operation, code)) if S::is_error(code) => operation.fail(code::error_type(code)),
            Some((operation, _)) => operation.end(),
            None => {}
        }
    }

    fn settled(
        &mut self,
        code: Code,
        trailers: Option<&HeaderMap>,
    ) -> Option<(Operation<GrpcConvention<S>>, Code)> {
        let mut operation = self.operation.take()?;
        let code = told_apart::<S>(code, &operation.tally().parts);
        if !operation.is_inert() {
            settle(&mut operation, code, trailers);
        }
        Some((operation, code))
    }

    fn panicked(&mut self) {
        let Some(mut operation) = self.operation.take() else { return };
        if operation.is_inert() {
            return;
        }
        settle(&mut operation, Code::Unknown, None);
        operation.fail(ErrorType::PANIC);
    }

    #[cold]
    fn dropped(&mut self) {
        if std::thread::panicking() {
            return self.panicked();
        }
        let Some(operation) = &mut self.operation else { return };
        let code = operation.tally().parts.when_dropped();
        self.end(code, None);
    }
}

impl<S: Side> Drop for Call<S> {
    fn drop(&mut self) {
        if self.operation.is_some() {
            self.dropped();
        }
    }
}

fn settle<S: Side>(operation: &mut Operation<GrpcConvention<S>>, code: Code, trailers: Option<&HeaderMap>) {
    let tally = operation.tally();
    let method = tally.parts.standing.settled(code);
    tally.end = Some((method, code));
    let has_own_name = tally.parts.has_own_name;
    let (names, added) = (tally.parts.names.take(), tally.parts.added.take());
    operation.on_response(&GrpcResponse { code, trailers, names: names.as_ref() });
    if let Some(added) = added {
        add_at_end(operation, added, names.unwrap_or_default());
    }
    // The span is named by the system "if the method is not known"; a method that is there keeps its name.
    if method == OTHER && code == Code::Unimplemented && !has_own_name {
        operation.update_name(SYSTEM);
    }
    if let Some(mut messages) = operation.tally().parts.messages.take() {
        messages.settle(operation);
    }
}

/// After `error.type`, which must find room in a span that is full.
#[cold]
fn add_at_end<S: Side>(
    operation: &mut Operation<GrpcConvention<S>>,
    added: RequestAttributes,
    names: AttributeNames,
) {
    operation.add_at_end(move |to| to.checked(&names, &OURS, |to| added.write(to)));
}

/// tonic's server, and others, answer a deadline that has passed with `CANCELLED`; whoever set it knows better.
fn told_apart<S: Side>(code: Code, parts: &CallParts) -> Code {
    match code {
        Code::Cancelled if !S::IS_SERVER && parts.is_late() => Code::DeadlineExceeded,
        other => other,
    }
}

impl CallParts {
    fn when_dropped(&self) -> Code {
        match self.refused {
            Some(code) => code,
            None if self.is_late() => Code::DeadlineExceeded,
            None => Code::Cancelled,
        }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.has_passed())
            || self.answers_until.is_some_and(|until| Instant::now() >= until)
    }
}

impl<S: Side> fmt::Debug for Call<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Ends the call when `run` unwinds: whoever owns it may drop it only much later.
struct EndOnUnwind<'a, S: Side>(&'a mut Call<S>);

impl<S: Side> Drop for EndOnUnwind<'_, S> {
    fn drop(&mut self) {
        self.0.panicked();
    }
}

impl fmt::Debug for HeadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadRules").field("headers", &self.headers).finish_non_exhaustive()
    }
}
