//! The future of a response's head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::convention::ClientResponse;
use super::settings::{ClientSettings, Observed};
use crate::HttpResponse;
use crate::body::{EndsOperation, HttpResponseBody};

pin_project! {
    /// The response to an instrumented client, polled in the context of the request's span.
    #[derive(Debug)]
    pub struct HttpClientResponseFuture<F> {
        #[pin]
        inner: F,
        settings: Arc<ClientSettings>,
        observed: Option<Observed>,
        request_bytes: Option<u64>,
    }
}

impl<F> HttpClientResponseFuture<F> {
    pub(crate) fn new(inner: F, settings: Arc<ClientSettings>) -> Self {
        Self { inner, settings, observed: None, request_bytes: None }
    }

    pub(crate) fn observed(mut self, observed: Observed, request_bytes: Option<u64>) -> Self {
        (self.observed, self.request_bytes) = (Some(observed), request_bytes);
        self
    }
}

impl<F, B, E> Future for HttpClientResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: 'static,
{
    type Output = Result<Response<HttpResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(match this.observed.as_mut() {
            Some(observed) => observed.operation.run(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        });
        let Some(observed) = this.observed.take() else {
            return Poll::Ready(result.map(|response| response.map(HttpResponseBody::unobserved)));
        };
        Poll::Ready(match result {
            Ok(response) => {
                let head = ClientResponse {
                    http: HttpResponse::new(&response),
                    version: response.version(),
                    peer: this.settings.peer_of(response.extensions()),
                    names: None,
                };
                let rest = observed.respond(&head, *this.request_bytes, this.settings.end_at_body);
                Ok(response.map(|body| match rest.is_done() {
                    true => HttpResponseBody::unobserved(body),
                    false => HttpResponseBody::new(body, EndsOperation::Client(rest)),
                }))
            }
            Err(error) => {
                observed.operation.fail(this.settings.error_type(&error));
                Err(error)
            }
        })
    }
}
