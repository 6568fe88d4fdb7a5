//! Requests that nobody waits for any more.

use std::pin::pin;
use std::task::{Context, Waker};

use ::rmcp::model::{CancelledNotification, CancelledNotificationParam, RequestId};
use ::rmcp::service::{Peer, ServiceRole};

/// Dropped before the answer is there, it tells the other end that nobody waits for that. rmcp does so for its own methods, and
/// for these alone.
pub(super) struct CancelOnDrop<'p, R: ServiceRole> {
    peer: &'p Peer<R>,
    id: Option<RequestId>,
}

impl<'p, R: ServiceRole> CancelOnDrop<'p, R> {
    pub(super) fn new(peer: &'p Peer<R>, id: RequestId) -> Self {
        Self { peer, id: Some(id) }
    }

    pub(super) fn answered(mut self) {
        self.id = None;
    }
}

impl<R: ServiceRole> Drop for CancelOnDrop<'_, R> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let reason = "request abandoned by the caller".to_owned();
        let params = CancelledNotificationParam::new(Some(id), Some(reason));
        let mut sending = pin!(self.peer.send_notification(CancelledNotification::new(params).into()));
        // The first poll hands it to the connection, if there is room. The rest would wait until it has left.
        let _ = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}
