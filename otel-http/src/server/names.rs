//! Each attribute is there once, whoever says it.

use std::sync::{Arc, Mutex, PoisonError};

use otel_core::{AttributeNames, Attributes};

use crate::ENDED_EARLY;

/// The names of attributes that functions of the user's, and callers, may no longer give; from a request's start to its end.
#[derive(Clone, Debug)]
pub(super) struct Names(Arc<Mutex<AttributeNames>>);

/// What the layer says itself.
const OURS: [&str; 21] = [
    "client.address",
    "error.type",
    "http.request.body.content",
    "http.request.header.",
    "http.request.method",
    "http.request.method_original",
    "http.response.body.content",
    "http.response.header.",
    "http.response.status_code",
    "http.route",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.version",
    ENDED_EARLY,
    "server.address",
    "server.port",
    "url.path",
    "url.query",
    "url.scheme",
    "user_agent.original",
    "user_agent.synthetic.type",
];

impl Names {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(AttributeNames::reserved(&OURS))))
    }
}

/// Lets a function of the user's write what is not said yet.
pub(super) fn checked(
    names: Option<&Names>,
    attributes: &mut Attributes<'_>,
    add: impl FnOnce(&mut Attributes<'_>),
) {
    if let Some(Names(names)) = names {
        attributes.checked(&mut names.lock().unwrap_or_else(PoisonError::into_inner), add);
    }
}
