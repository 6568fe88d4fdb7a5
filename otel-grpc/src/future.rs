//! The future of a response's head.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tonic::Code;

use crate::body::{EndsCall, GrpcResponseBody};
use crate::call::Call;
use crate::code;
use crate::error::code_of;
use crate::side::Side;

pin_project! {
    /// The response to an instrumented call, polled in the context of the call's span.
    #[derive(Debug)]
    pub struct GrpcResponseFuture<F, S: Side> {
        // `None` when it has been dropped, in the context of the call's span.
        #[pin]
        inner: Option<F>,
        call: Call<S>,
    }

    impl<F, S: Side> PinnedDrop for GrpcResponseFuture<F, S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.call.run(|| this.inner.set(None));
        }
    }
}

impl<F, S: Side> GrpcResponseFuture<F, S> {
    pub(crate) fn observed(inner: F, call: Call<S>) -> Self {
        Self { inner: Some(inner), call }
    }

    pub(crate) fn unobserved(inner: F) -> Self {
        Self { inner: Some(inner), call: Call::unobserved() }
    }
}

impl<F, S, B, E> Future for GrpcResponseFuture<F, S>
where
    F: Future<Output = Result<Response<B>, E>>,
    S: Side,
    B: Body,
    B::Error: 'static,
    E: 'static,
{
    type Output = Result<Response<GrpcResponseBody<B, S>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Pending };
        let result = ready!(this.call.run(|| inner.poll(cx)));
        let call = std::mem::replace(this.call, Call::unobserved());
        Poll::Ready(match result {
            Ok(response) => Ok(respond(call, response)),
            Err(error) => Err(failed(call, error)),
        })
    }
}

fn failed<S: Side, E: 'static>(mut call: Call<S>, error: E) -> E {
    if !call.is_unobserved() {
        call.fail(code_of(&error));
    }
    error
}

fn respond<B, S>(mut call: Call<S>, response: Response<B>) -> Response<GrpcResponseBody<B, S>>
where
    B: Body,
    B::Error: 'static,
    S: Side,
{
    if call.is_unobserved() {
        return response.map(GrpcResponseBody::unobserved);
    }
    let status = code::in_headers(response.headers());
    // Some servers say so before they begin, and messages follow, which tonic reads.
    let begins = status == Some(Code::Ok) && !response.body().is_end_stream();
    call.on_head(&response, status.is_some() && !begins);
    let without_status = match status {
        Some(Code::Ok) if begins => Code::Ok,
        // "Trailers-Only": the status is there, and nobody reads what follows.
        Some(code) => {
            call.end(code, Some(response.headers()));
            return response.map(GrpcResponseBody::unobserved);
        }
        None => call.on_http_status(response.status()),
    };
    if response.status() == StatusCode::OK {
        call.on_begin();
    }
    response.map(|body| GrpcResponseBody::new(body, EndsCall { call, without_status }))
}
