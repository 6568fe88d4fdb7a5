//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::body::{EndsCall, ResponseBody};
use crate::call::Call;
use crate::code;
use crate::error::code_of;
use crate::side::Side;

pin_project! {
    /// The response to an instrumented call, polled in the context of the call's span.
    #[derive(Debug)]
    pub struct ResponseFuture<F, S: Side> {
        #[pin]
        inner: F,
        call: Option<Call<S>>,
    }
}

impl<F, S: Side> ResponseFuture<F, S> {
    pub(crate) fn observed(inner: F, call: Call<S>) -> Self {
        Self { inner, call: Some(call) }
    }

    pub(crate) fn unobserved(inner: F) -> Self {
        Self { inner, call: None }
    }
}

impl<F, S, B, E> Future for ResponseFuture<F, S>
where
    F: Future<Output = Result<Response<B>, E>>,
    S: Side,
    B: Body,
    B::Error: 'static,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<B, S>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(match this.call.as_mut() {
            Some(call) => call.run(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        });
        Poll::Ready(match (this.call.take(), result) {
            (Some(call), Ok(response)) => Ok(respond(call, response)),
            (Some(mut call), Err(error)) => {
                call.end(code_of(&error), None);
                Err(error)
            }
            (None, result) => result.map(|response| response.map(ResponseBody::unobserved)),
        })
    }
}

fn respond<B, S>(mut call: Call<S>, response: Response<B>) -> Response<ResponseBody<B, S>>
where
    B: Body,
    B::Error: 'static,
    S: Side,
{
    call.on_head(&response);
    // "Trailers-Only": the status is there, and nobody reads what follows.
    if let Some(code) = code::in_headers(response.headers()) {
        call.end(code, Some(response.headers()));
        return response.map(ResponseBody::unobserved);
    }
    let without_status = code::of_http_status(response.status());
    response.map(|body| ResponseBody::new(body, EndsCall { call, without_status }))
}
