//! Names of attributes that functions of the user's, and callers, cannot give.

/// What the layers may say after the start.
pub(crate) const LATER: [&str; 9] = [
    "error.type",
    "grpc.error.",
    "grpc.rcvd_messages",
    "grpc.rcvd_total_compressed_message_size",
    "grpc.sent_messages",
    "grpc.sent_total_compressed_message_size",
    "network.peer.",
    "rpc.response.",
    "rpc.status_code",
];

/// All that the layers say: once the span runs nobody looks which of them it has.
pub(crate) const OURS: [&str; 23] = [
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
