//! Names of attributes that functions of the user's, and callers, cannot give.

use crate::ENDED_EARLY;

/// What the layer says itself.
pub(super) const OURS: [&str; 21] = [
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
