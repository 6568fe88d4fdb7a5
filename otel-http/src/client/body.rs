//! What is left to do when a response's head is there.

use bytes::Buf;
use otel_core::{BodyObserver, HttpFailure, Operation};

use super::body_sizes::BodySizes;
use super::convention::ClientConvention;

/// The end of a client's request, which comes with the response's body: the operation, if it was told to wait for it,
/// and the body's size, if it is counted.
#[derive(Debug)]
pub(crate) struct ClientBody {
    pub(super) operation: Option<Operation<ClientConvention>>,
    pub(super) sizes: Option<Box<BodySizes>>,
}

impl ClientBody {
    /// Whether the body needs no observer.
    pub(crate) fn is_done(&self) -> bool {
        self.operation.is_none() && self.sizes.is_none()
    }

    /// The body has failed; `class` says more when more is known.
    pub(crate) fn fail(self, class: HttpFailure) {
        if let Some(operation) = self.operation {
            operation.fail(class.error_type());
        }
    }
}

impl<E> BodyObserver<E> for ClientBody {
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        match &mut self.operation {
            Some(operation) => operation.run(poll),
            None => poll(),
        }
    }

    fn chunk(&mut self, chunk: &impl Buf) {
        if let Some(sizes) = &mut self.sizes {
            sizes.add_response_bytes(chunk.remaining());
        }
    }

    fn end(self) {
        if let Some(operation) = self.operation {
            operation.end();
        }
        if let Some(sizes) = self.sizes {
            sizes.end();
        }
    }

    fn error(self, _: &E) {
        self.fail(HttpFailure::Body);
    }
}
