//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use otel_core::Operation;
use pin_project_lite::pin_project;

use super::convention::{ClientConvention, ClientResponse};
use crate::body::{EndsOperation, ResponseBody};
use crate::error::error_type;
use crate::server::with_serving;

pin_project! {
    /// The response to an instrumented client, polled in the context of the request's span.
    #[derive(Debug)]
    pub struct ClientResponseFuture<F> {
        #[pin]
        inner: F,
        operation: Option<Operation<ClientConvention>>,
        end_at_body: bool,
    }
}

impl<F> ClientResponseFuture<F> {
    pub(crate) fn new(inner: F, operation: Option<Operation<ClientConvention>>, end_at_body: bool) -> Self {
        Self { inner, operation, end_at_body }
    }
}

impl<F, B, E> Future for ClientResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(match this.operation.as_mut() {
            Some(operation) => operation.run(|| with_serving(false, || this.inner.poll(cx))),
            None => this.inner.poll(cx),
        });
        let Some(operation) = this.operation.take() else {
            return Poll::Ready(result.map(|response| response.map(ResponseBody::unobserved)));
        };
        Poll::Ready(match result {
            Ok(response) => Ok(respond(operation, response, *this.end_at_body)),
            Err(error) => {
                operation.fail(error_type::<E>());
                Err(error)
            }
        })
    }
}

fn respond<B: Body>(
    mut operation: Operation<ClientConvention>,
    response: Response<B>,
    end_at_body: bool,
) -> Response<ResponseBody<B>> {
    operation.on_response(&ClientResponse { status: response.status(), version: response.version() });
    if end_at_body {
        response.map(|body| ResponseBody::new(body, EndsOperation::Client(operation)))
    } else {
        operation.end();
        response.map(ResponseBody::unobserved)
    }
}
