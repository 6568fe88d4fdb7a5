//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Method, Response, StatusCode};
use http_body::Body;
use otel_core::Operation;
use pin_project_lite::pin_project;

use super::convention::{ServerConvention, ServerResponse};
use super::nested::with_serving;
use super::route::HttpRoute;
use super::settings::Begun;
use crate::HttpResponse;
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
        role: Role,
    }
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one; a box would be an allocation a request"
)]
enum Role {
    Observed(Observed),
    /// The request is observed further out; the route goes there with the response.
    Nested(Option<HttpRoute>),
    Unobserved,
}

/// What is needed when the head is there.
#[derive(Debug)]
pub(super) struct Observed {
    operation: Operation<ServerConvention>,
    method: Method,
    has_route: bool,
    has_own_name: bool,
}

impl<F> ResponseFuture<F> {
    pub(super) fn observed(inner: F, observed: Observed) -> Self {
        Self { inner, role: Role::Observed(observed) }
    }

    pub(super) fn nested(inner: F, route: Option<HttpRoute>) -> Self {
        Self { inner, role: Role::Nested(route) }
    }

    pub(super) fn unobserved(inner: F) -> Self {
        Self { inner, role: Role::Unobserved }
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
        let result = ready!(match this.role {
            Role::Observed(observed) => observed.run(|| this.inner.poll(cx)),
            Role::Nested(_) | Role::Unobserved => this.inner.poll(cx),
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
    pub(super) fn new(begun: Begun, method: Method) -> Self {
        let Begun { operation, has_route, has_own_name } = begun;
        Self { operation, method, has_route, has_own_name }
    }

    /// Runs `f` in the request's context. A layer inside is silent, unless this one only hands the context on.
    pub(super) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let is_observed = !self.operation.is_inert();
        self.operation.run(|| with_serving(is_observed, f))
    }

    fn respond<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B>> {
        let status = response.status();
        let late_route = match response.extensions().get::<HttpRoute>() {
            Some(route) if !self.has_route => Some(Route::new(route.template())),
            _ => None,
        };
        if let Some(route) = late_route.as_ref().filter(|_| !self.has_own_name) {
            self.operation.update_name(route.span_name(method_in_name(&self.method)));
        }
        let http = HttpResponse::new(&response);
        self.operation.on_response(&ServerResponse { http, late_route: late_route.as_ref() });
        // The body may be empty; it is counted as it passes.
        // After a switch of protocols what passes is another's.
        let is_switch = status == StatusCode::SWITCHING_PROTOCOLS;
        self.operation.tally().response = (!is_switch).then_some(0);
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
