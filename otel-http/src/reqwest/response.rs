//! The end of a response: at its head, or when its body has passed.

use ::reqwest::{Body, Error, Response, ResponseBuilderExt};
use bytes::Buf;
use otel_core::{BodyObserver, HttpFailure, ObservedBody};

use crate::HttpResponse;
use crate::client::{ClientBody, ClientResponse, Observed};

/// What came of one send, which is the call's response unless the request is sent again.
pub(super) struct Sent {
    response: Response,
    /// Ends with the body; with what is known of the size of the request's.
    waits: Option<(Observed, Option<u64>)>,
}

impl Sent {
    pub(super) fn new(
        observed: Observed,
        response: Response,
        request_bytes: Option<u64>,
        end_at_body: bool,
    ) -> Self {
        match end_at_body {
            true => Self { response, waits: Some((observed, request_bytes)) },
            false => Self::unobserved(respond(observed, response, request_bytes, false)),
        }
    }

    pub(super) fn unobserved(response: Response) -> Self {
        Self { response, waits: None }
    }

    pub(super) fn response(&self) -> &Response {
        &self.response
    }

    pub(super) fn into_response(self) -> Response {
        match self.waits {
            Some((observed, request_bytes)) => respond(observed, self.response, request_bytes, true),
            None => self.response,
        }
    }

    /// Nobody is to read the body. That its end does not come is nobody's impatience.
    pub(super) fn discard(self) {
        if let Some((observed, request_bytes)) = self.waits {
            respond(observed, self.response, request_bytes, false);
        }
    }
}

/// Takes what came of a request, and hands it on unchanged.
pub(super) fn respond(
    observed: Observed,
    response: Response,
    request_bytes: Option<u64>,
    end_at_body: bool,
) -> Response {
    let (headers, extensions) = (response.headers(), response.extensions());
    let http = HttpResponse { status: response.status(), headers, extensions };
    let head =
        ClientResponse { http, version: response.version(), peer: response.remote_addr(), names: None };
    let rest = observed.respond(&head, request_bytes, end_at_body);
    if rest.is_done() { response } else { observe_body(response, rest) }
}

fn observe_body(response: Response, rest: ClientBody) -> Response {
    // The only way to give a response another body leads through `http::Response`, which loses the URL unless it is an
    // extension, of a type that only this builder can make.
    let with_url = http::Response::builder().url(response.url().clone()).body(());
    let (mut parts, body) = http::Response::<Body>::from(response).into_parts();
    if let Ok(with_url) = with_url {
        parts.extensions.extend(with_url.into_parts().0.extensions);
    }
    let body = Body::wrap(ObservedBody::new(body, Rest(rest)));
    Response::from(http::Response::from_parts(parts, body))
}

/// Like [`ClientBody`], with reqwest's word on what went wrong.
struct Rest(ClientBody);

impl BodyObserver<Error> for Rest {
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        BodyObserver::<Error>::around_poll(&mut self.0, poll)
    }

    fn chunk(&mut self, chunk: &impl Buf) {
        BodyObserver::<Error>::chunk(&mut self.0, chunk);
    }

    fn end(self) {
        BodyObserver::<Error>::end(self.0);
    }

    fn error(self, error: &Error) {
        self.0.fail(HttpFailure::of_reqwest(error).unwrap_or(HttpFailure::Body));
    }
}
