//! The layer's service around a client of reqwest's requests.

use std::any::type_name;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use ::reqwest::{Body, Error, Method, Request, Response, ResponseBuilderExt};
use bytes::Buf;
use otel_core::{BodyObserver, HttpFailure, ObservedBody, current_context};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::GenAiService;
use crate::client::{BodyReading, Call};

impl<S> Service<Request> for GenAiService<S>
where
    S: Service<Request, Response = Response>,
    S::Error: 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ReqwestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let mut call = self.start(&request);
        let inner = match &mut call {
            Some(call) => call.inference.run(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        ReqwestFuture { inner, call }
    }
}

impl<S> GenAiService<S> {
    fn start(&self, request: &Request) -> Option<Call> {
        if *request.method() != Method::POST {
            return None;
        }
        let (parent, url) = (current_context(), request.url());
        let is_https = url.scheme() != "http";
        let recognised =
            self.settings.recognise(&parent, url.host_str()?, url.port(), is_https, url.path())?;
        let mut reader = self.settings.request_reader(&recognised, request.headers());
        // A body that is a stream is never a call of a model in practice; what is known of it is in the URL.
        if let Some((reader, body)) = reader.as_mut().zip(request.body().and_then(Body::as_bytes)) {
            otel_core::call_hook(|| reader.read(body), ());
        }
        Some(self.settings.start(&parent, recognised, reader))
    }
}

pin_project! {
    /// The response to a request through a [`GenAiLayer`](crate::GenAiLayer), polled in the context of the call's span.
    #[derive(Debug)]
    pub struct ReqwestFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F, E> Future for ReqwestFuture<F>
where
    F: Future<Output = Result<Response, E>>,
    E: 'static,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(match this.call.as_mut() {
            Some(call) => call.inference.run(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        });
        let Some(call) = this.call.take() else { return Poll::Ready(result) };
        Poll::Ready(match result {
            Ok(response) => {
                let reading = call.respond(response.status(), response.headers());
                Ok(observe(response, Observer(BodyReading::new(reading, !is_reqwests::<F>()))))
            }
            Err(error) => {
                call.fail(&error);
                Err(error)
            }
        })
    }
}

/// Whether `F` is the future of reqwest's client. Then nobody has changed the response, and its body is what has come over the
/// connection: nothing runs in there that could ask for a context, and to attach one twice for each chunk costs as much
/// as to read it.
///
/// Futures that borrow have no `TypeId`. That a name is perhaps not unique does no harm: of all types of this name, reqwest's
/// alone has its responses.
fn is_reqwests<F>() -> bool {
    type_name::<F>() == type_name::<<::reqwest::Client as Service<Request>>::Future>()
}

fn observe(response: Response, observer: Observer) -> Response {
    // The only way to give a response another body leads through `http::Response`, which loses the URL unless it is an
    // extension, of a type that only this builder can make.
    let with_url = http::Response::builder().url(response.url().clone()).body(());
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    if let Ok(with_url) = with_url {
        parts.extensions.extend(with_url.into_parts().0.extensions);
    }
    let body = Body::wrap(ObservedBody::new(body, observer));
    Response::from(http::Response::from_parts(parts, body))
}

/// Like [`BodyReading`], with reqwest's word on what went wrong.
struct Observer(BodyReading);

impl BodyObserver<Error> for Observer {
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        BodyObserver::<Error>::around_poll(&mut self.0, poll)
    }

    fn chunk(&mut self, data: &impl Buf) {
        BodyObserver::<Error>::chunk(&mut self.0, data);
    }

    fn end(self) {
        BodyObserver::<Error>::end(self.0);
    }

    fn error(self, error: &Error) {
        self.0.reading.fail(HttpFailure::of_reqwest(error).unwrap_or(HttpFailure::Body).error_type());
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use super::*;

    #[test]
    fn the_future_of_reqwest_is_known() {
        assert!(is_reqwests::<<&::reqwest::Client as Service<Request>>::Future>());
        assert!(!is_reqwests::<Pin<Box<<::reqwest::Client as Service<Request>>::Future>>>());
        assert!(!is_reqwests::<Ready<Result<Response, Error>>>());
    }
}
