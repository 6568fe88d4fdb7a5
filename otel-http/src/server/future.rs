//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use otel_core::{ErrorType, Operation};
use pin_project_lite::pin_project;

use super::convention::{ServerConvention, ServerResponse};
use super::handed::{ForOuterLayer, Handed};
use super::route::HttpRoute;
use super::tally::RequestTally;
use super::trace_response;
use crate::HttpResponse;
use crate::body::{EndsOperation, HttpResponseBody};
use crate::cached::Route;

pin_project! {
    /// The response of an instrumented server, polled in the context of the request's span.
    #[derive(Debug)]
    pub struct HttpServerResponseFuture<F> {
        // `None` when it has been dropped, in the context of the request's span.
        #[pin]
        inner: Option<F>,
        role: Role,
    }

    impl<F> PinnedDrop for HttpServerResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Role::Observed(operation) = this.role {
                operation.run(|| this.inner.set(None));
            }
        }
    }
}

#[derive(Debug)]
enum Role {
    Observed(Operation<ServerConvention>),
    /// The request is observed further out; what is for that layer goes there with the response.
    Nested(Option<Box<ForOuterLayer>>),
    Unobserved,
}

impl<F> HttpServerResponseFuture<F> {
    pub(super) fn observed(inner: F, operation: Operation<ServerConvention>) -> Self {
        Self { inner: Some(inner), role: Role::Observed(operation) }
    }

    pub(super) fn nested(inner: F, handed: ForOuterLayer) -> Self {
        Self { inner: Some(inner), role: Role::Nested(handed.if_any().map(Box::new)) }
    }

    pub(super) fn unobserved(inner: F) -> Self {
        Self { inner: Some(inner), role: Role::Unobserved }
    }
}

impl<F, B, E> Future for HttpServerResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<HttpResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let result = ready!(match this.role {
            Role::Observed(operation) => operation.run(|| inner.poll(cx)),
            Role::Nested(_) | Role::Unobserved => inner.poll(cx),
        });
        Poll::Ready(match (std::mem::replace(this.role, Role::Unobserved), result) {
            (Role::Observed(operation), Ok(response)) => Ok(respond(operation, response)),
            (Role::Observed(operation), Err(error)) => {
                operation.fail(ErrorType::of::<E>());
                Err(error)
            }
            (Role::Nested(Some(handed)), Ok(mut response)) => {
                handed.write(response.extensions_mut());
                Ok(response.map(HttpResponseBody::unobserved))
            }
            (_, result) => result.map(|response| response.map(HttpResponseBody::unobserved)),
        })
    }
}

fn respond<B: Body>(
    mut operation: Operation<ServerConvention>,
    mut response: Response<B>,
) -> Response<HttpResponseBody<B>> {
    let status = response.status();
    Handed::take(&mut operation, response.extensions_mut());
    take_head(&mut operation, &response);
    let RequestTally { expects, tells_ids, .. } = *operation.tally();
    if tells_ids {
        trace_response::write(operation.context(), response.headers_mut());
    }
    if expects.is_switch(status) {
        match operation.tally().upgrade.take() {
            Some(upgrade) => upgrade.keep(operation),
            None => operation.end(),
        }
        return response.map(HttpResponseBody::unobserved);
    }
    if expects.ends_with_head(status) {
        operation.end();
        return response.map(HttpResponseBody::unobserved);
    }
    let tally = operation.tally();
    tally.captured = tally.bodies.as_ref().and_then(|bodies| bodies.begin_response(response.headers()));
    let length = announced_length(&response);
    response.map(|body| {
        HttpResponseBody::new(body, EndsOperation::Server(operation)).with_announced_length(length)
    })
}

/// Records what the head of the response says.
fn take_head<B>(operation: &mut Operation<ServerConvention>, response: &Response<B>) {
    let tally = operation.tally();
    let status = response.status();
    let late_route = match tally.has_route {
        true => None,
        false => response.extensions().get::<HttpRoute>().map(|route| Route::new(route.as_str())),
    };
    // The body may be empty; it is counted as it passes. After a switch of protocols what passes is another's.
    tally.response = (!tally.expects.is_switch(status)).then_some(0);
    let names = tally.names.take();
    let mut late_name = None;
    if let Some(series) = &mut tally.series {
        series.status = Some(status.as_u16());
        series.route = series.route.or(late_route.as_ref().and_then(Route::cached));
        late_name =
            late_route.as_ref().filter(|_| !tally.has_own_name).map(|route| route.span_name(series.method));
    }
    if let Some(name) = late_name {
        operation.update_name(name);
    }
    let http = HttpResponse::new(response);
    operation.on_response(&ServerResponse { http, late_route: late_route.as_ref(), names: names.as_deref() });
}

/// The length that the headers of a response say, if its body does not: a stream of a file, for example.
fn announced_length<B: Body>(response: &Response<B>) -> Option<u64> {
    match response.body().size_hint().exact() {
        Some(_) => None,
        None => response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok(),
    }
}
