//! A connection that goes on after the response: WebSocket, CONNECT.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::Context;
use otel_core::{ErrorType, Operation, current_context};

use super::convention::ServerConvention;

/// Keeps the request's span open for as long as an upgraded connection lives.
///
/// Layers built [with upgrades](crate::HttpServerLayerBuilder::with_upgrades) put one into each request's extensions. The
/// span of a request that is answered with 101 ends when the last clone is dropped; where no handler has taken one, with
/// the response's head. Other responses end with their bodies as ever.
/// It is enough that one of two layers around one service is built so.
///
/// ```
/// use otel_http::HttpUpgrade;
///
/// async fn handler(axum::Extension(upgrade): axum::Extension<HttpUpgrade>) {
///     let connection = async move {
///         let _open = upgrade; // until the connection ends
///     };
///     // websocket.on_upgrade(|socket| connection)
///     # connection.await;
/// }
/// ```
#[derive(Clone)]
pub struct HttpUpgrade {
    slot: Arc<Slot>,
}

struct Slot {
    context: Context,
    operation: Mutex<Option<Operation<ServerConvention>>>,
}

impl HttpUpgrade {
    pub(super) fn new(context: Context) -> Self {
        Self { slot: Arc::new(Slot { context, operation: Mutex::default() }) }
    }

    /// That of the request: of a layer further out, or one that keeps nothing open.
    pub(super) fn of<B>(request: &mut http::Request<B>) -> Self {
        request.extensions_mut().get_or_insert_with(|| Self::new(current_context())).clone()
    }

    /// The context with the request's span: the parent of what happens on the connection.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.slot.context
    }

    pub(super) fn keep(&self, operation: Operation<ServerConvention>) {
        *self.slot.operation.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let operation = self.operation.get_mut().unwrap_or_else(PoisonError::into_inner);
        match operation.take() {
            // The connection's task panics.
            Some(operation) if std::thread::panicking() => operation.fail(ErrorType::PANIC),
            Some(operation) => operation.end(),
            None => {}
        }
    }
}

impl fmt::Debug for HttpUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpgrade").finish_non_exhaustive()
    }
}
