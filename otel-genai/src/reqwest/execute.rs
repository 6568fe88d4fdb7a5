//! A service that sends by a function.

use std::fmt;
use std::task::{Context, Poll};

use ::reqwest::{Request, Response};
use tower_service::Service;

/// A service that sends each request with `send`: for clients that are no tower services.
pub fn execute_fn<F, Fut, E>(send: F) -> ExecuteFn<F>
where
    F: FnMut(Request) -> Fut,
    Fut: Future<Output = Result<Response, E>>,
{
    ExecuteFn(send)
}

/// Made by [`execute_fn`].
#[derive(Clone, Copy)]
pub struct ExecuteFn<F>(F);

impl<F, Fut, E> Service<Request> for ExecuteFn<F>
where
    F: FnMut(Request) -> Fut,
    Fut: Future<Output = Result<Response, E>>,
{
    type Response = Response;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Fut {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for ExecuteFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteFn").finish_non_exhaustive()
    }
}
