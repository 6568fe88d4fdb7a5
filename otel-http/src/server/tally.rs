//! What is kept of a request until it has ended.

use std::sync::Arc;

use bytes::Buf;
use http::{Method, StatusCode};
use otel_core::AttributeNames;

use super::HttpUpgrade;
use super::bodies::Bodies;
use super::request_size::RequestSize;
use super::series::Series;
use crate::capture::Captured;

/// What is known of a request besides its attributes. Its operation keeps it, so that what moves with the request's future,
/// and with the body after it, is as large as a pointer.
#[derive(Debug, Default)]
pub(crate) struct RequestTally {
    /// `None` of a request that is only handed on.
    pub(super) series: Option<Series>,
    /// Bytes of the bodies, as far as they are known.
    pub(super) request: RequestSize,
    pub(super) response: Option<u64>,
    pub(super) expects: ExpectedBody,
    pub(super) has_route: bool,
    pub(super) has_own_name: bool,
    /// Whether the caller may know the ids of the span.
    pub(super) tells_ids: bool,
    /// What functions of the user's have said; of a request that has any.
    pub(super) names: Option<Arc<AttributeNames>>,
    pub(super) bodies: Option<Bodies>,
    /// The response's body, if a copy of its beginning is taken.
    pub(super) captured: Option<Captured>,
    pub(super) upgrade: Option<HttpUpgrade>,
}

impl RequestTally {
    /// A piece of the response's body has passed.
    pub(crate) fn on_response_data(&mut self, data: &impl Buf) {
        *self.response.get_or_insert(0) += data.remaining() as u64;
        if let Some(captured) = &self.captured {
            captured.add(data);
        }
    }
}

/// Which responses to the request have a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ExpectedBody {
    #[default]
    Any,
    /// HEAD
    None,
    /// CONNECT
    OfErrors,
}

impl ExpectedBody {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::None,
            Method::CONNECT => Self::OfErrors,
            _ => Self::Any,
        }
    }

    /// Whether what follows the head is another protocol: WebSocket, a tunnel, WebSocket over HTTP/2.
    pub(super) fn is_switch(self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || (self == Self::OfErrors && status.is_success())
    }

    /// Whether the server sends no body, whatever the handler gave it: it drops the body unread. After a switch of
    /// protocols (WebSocket, CONNECT) what follows is no longer part of this response.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1>
    pub(super) fn ends_with_head(self, status: StatusCode) -> bool {
        self == Self::None
            || status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
    }
}
