//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode};
use http_body::Body;
use otel_core::Operation;
use pin_project_lite::pin_project;

use super::convention::{Names, ServerConvention, ServerResponse};
use super::route::HttpRoute;
use super::settings::{Begun, Bodies};
use super::{HttpUpgrade, trace_response};
use crate::HttpResponse;
use crate::body::{EndsOperation, ResponseBody};
use crate::cached::Route;
use crate::error::error_type;
use crate::method::MethodName;

pin_project! {
    /// The response of an instrumented server, polled in the context of the request's span.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        // `None` when it has been dropped, in the context of the request's span.
        #[pin]
        inner: Option<F>,
        role: Role,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Role::Observed(observed) = this.role {
                observed.operation.run(|| this.inner.set(None));
            }
        }
    }
}

#[derive(Debug)]
enum Role {
    Observed(Observed),
    /// The request is observed further out; the route goes there with the response.
    Nested(Option<HttpRoute>),
    Unobserved,
}

/// What is needed when the head is there.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) operation: Operation<ServerConvention>,
    method: MethodName,
    body: ExpectedBody,
    has_route: bool,
    has_own_name: bool,
    names: Option<Names>,
    tells_ids: bool,
    bodies: Option<Bodies>,
    upgrade: Option<HttpUpgrade>,
}

/// Which responses to the request have a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExpectedBody {
    Any,
    /// HEAD
    None,
    /// CONNECT
    OfErrors,
}

impl<F> ResponseFuture<F> {
    pub(super) fn observed(inner: F, observed: Observed) -> Self {
        Self { inner: Some(inner), role: Role::Observed(observed) }
    }

    pub(super) fn nested(inner: F, route: Option<HttpRoute>) -> Self {
        Self { inner: Some(inner), role: Role::Nested(route) }
    }

    pub(super) fn unobserved(inner: F) -> Self {
        Self { inner: Some(inner), role: Role::Unobserved }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let result = ready!(match this.role {
            Role::Observed(observed) => observed.operation.run(|| inner.poll(cx)),
            Role::Nested(_) | Role::Unobserved => inner.poll(cx),
        });
        Poll::Ready(match (std::mem::replace(this.role, Role::Unobserved), result) {
            (Role::Observed(observed), Ok(response)) => Ok(observed.respond(response)),
            (Role::Observed(observed), Err(error)) => {
                observed.operation.fail(error_type::<E>());
                Err(error)
            }
            (Role::Nested(Some(route)), Ok(mut response)) => {
                response.extensions_mut().get_or_insert_with(|| route);
                Ok(response.map(ResponseBody::unobserved))
            }
            (_, result) => result.map(|response| response.map(ResponseBody::unobserved)),
        })
    }
}

impl Observed {
    pub(super) fn new(
        begun: Begun,
        method: &Method,
        bodies: Option<Bodies>,
        upgrade: Option<HttpUpgrade>,
    ) -> Self {
        let Begun { operation, method: name, has_route, has_own_name, names, tells_ids } = begun;
        let body = match *method {
            Method::HEAD => ExpectedBody::None,
            Method::CONNECT => ExpectedBody::OfErrors,
            _ => ExpectedBody::Any,
        };
        Self { operation, method: name, body, has_route, has_own_name, names, tells_ids, bodies, upgrade }
    }

    fn respond<B: Body>(mut self, mut response: Response<B>) -> Response<ResponseBody<B>> {
        let status = response.status();
        let late_route = match self.has_route {
            true => None,
            false => response.extensions().get::<HttpRoute>().map(|route| Route::new(route.template())),
        };
        if let Some(route) = late_route.as_ref().filter(|_| !self.has_own_name) {
            self.operation.update_name(route.span_name(self.method));
        }
        let http = HttpResponse::new(&response);
        let (late_route, names) = (late_route.as_ref(), self.names.as_ref());
        self.operation.on_response(&ServerResponse { http, late_route, names });
        let tally = self.operation.tally();
        // The body may be empty; it is counted as it passes. After a switch of protocols what passes is another's.
        tally.response = (!is_switch(self.body, status)).then_some(0);
        if let Some(series) = &mut tally.series {
            series.status = Some(status.as_u16());
            series.route = series.route.or(late_route.and_then(Route::cached));
        }
        if self.tells_ids {
            trace_response::write(self.operation.context(), response.headers_mut());
        }
        if is_switch(self.body, status) {
            match self.upgrade {
                Some(upgrade) => upgrade.keep(self.operation),
                None => self.operation.end(),
            }
            return response.map(ResponseBody::unobserved);
        }
        if ends_with_head(self.body, status) {
            self.operation.end();
            return response.map(ResponseBody::unobserved);
        }
        let captured = self.bodies.as_ref().and_then(|bodies| bodies.begin_response(response.headers()));
        let length = announced_length(&response);
        let ends = EndsOperation::Server(self.operation, captured);
        response.map(|body| ResponseBody::new(body, ends).with_announced_length(length))
    }
}

/// The length that the headers of a response say, if its body does not: a stream of a file, for example.
fn announced_length<B: Body>(response: &Response<B>) -> Option<u64> {
    match response.body().size_hint().exact() {
        Some(_) => None,
        None => response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok(),
    }
}

/// Whether what follows is another protocol: WebSocket, a tunnel, WebSocket over HTTP/2.
fn is_switch(body: ExpectedBody, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || (body == ExpectedBody::OfErrors && status.is_success())
}

/// Whether the server sends no body, whatever the handler gave it: it drops the body unread. After a switch of
/// protocols (WebSocket, CONNECT) what follows is no longer part of this response.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1>
fn ends_with_head(body: ExpectedBody, status: StatusCode) -> bool {
    body == ExpectedBody::None
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
