//! Each attribute is there once, whoever says it.

use std::sync::{Arc, Mutex, PoisonError};

use otel_core::{AttributeNames, Attributes};

/// The names of attributes that functions of the user's, and callers, may no longer give; from a call's start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Names(Arc<Mutex<AttributeNames>>);

/// What the layers say themselves.
const OURS: [&str; 23] = [
    "error.type",
    "grpc.error.details",
    "grpc.error.domain",
    "grpc.error.reason",
    "grpc.method",
    "grpc.rcvd_messages",
    "grpc.rcvd_total_compressed_message_size",
    "grpc.sent_messages",
    "grpc.sent_total_compressed_message_size",
    "grpc.status",
    "grpc.target",
    "grpc.timeout",
    "network.peer.address",
    "network.peer.port",
    "rpc.method",
    "rpc.method_original",
    "rpc.request.header.",
    "rpc.response.header.",
    "rpc.response.trailer.",
    "rpc.status_code",
    "rpc.system.name",
    "server.address",
    "server.port",
];

impl Names {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(AttributeNames::reserved(&OURS))))
    }
}

/// Lets a function of the user's write what is not said yet.
pub(crate) fn checked(
    names: Option<&Names>,
    attributes: &mut Attributes<'_>,
    add: impl FnOnce(&mut Attributes<'_>),
) {
    if let Some(Names(names)) = names {
        attributes.checked(&mut names.lock().unwrap_or_else(PoisonError::into_inner), add);
    }
}
