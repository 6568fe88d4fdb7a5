//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Method, Response, StatusCode};
use http_body::Body;
use otel_core::Operation;
use pin_project_lite::pin_project;

use super::convention::{ServerConvention, ServerResponse};
use super::route::HttpRoute;
use crate::body::{EndsOperation, ResponseBody};
use crate::cached::Route;
use crate::error::error_type;
use crate::method::method_in_name;

pin_project! {
    /// The response of an instrumented server, polled in the context of the request's span.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        observed: Option<Observed>,
    }
}

/// What is needed when the head is there.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) operation: Operation<ServerConvention>,
    pub(crate) method: Method,
    pub(crate) has_route: bool,
}

impl<F> ResponseFuture<F> {
    pub(crate) fn new(inner: F, observed: Option<Observed>) -> Self {
        Self { inner, observed }
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
        let Some(observed) = this.observed.as_mut() else {
            return this.inner.poll(cx).map_ok(|response| response.map(ResponseBody::unobserved));
        };
        let result = ready!(observed.operation.run(|| this.inner.poll(cx)));
        let Some(observed) = this.observed.take() else {
            return Poll::Ready(result.map(|response| response.map(ResponseBody::unobserved)));
        };
        Poll::Ready(match result {
            Ok(response) => Ok(observed.respond(response)),
            Err(error) => {
                observed.operation.fail(error_type::<E>());
                Err(error)
            }
        })
    }
}

impl Observed {
    fn respond<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B>> {
        let status = response.status();
        let late_route = match response.extensions().get::<HttpRoute>() {
            Some(route) if !self.has_route => Some(Route::new(route.template())),
            _ => None,
        };
        if let Some(route) = &late_route {
            self.operation.update_name(route.span_name(method_in_name(&self.method)));
        }
        self.operation.on_response(&ServerResponse { status, late_route: late_route.as_ref() });
        if ends_with_head(&self.method, status) {
            self.operation.end();
            response.map(ResponseBody::unobserved)
        } else {
            response.map(|body| ResponseBody::new(body, EndsOperation::Server(self.operation)))
        }
    }
}

/// Whether the server sends no body, whatever the handler gave it: it drops the body unread. After a switch of
/// protocols (WebSocket, CONNECT) what follows is no longer part of this response.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1>
fn ends_with_head(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || (method == Method::CONNECT && status.is_success())
}
