//! Names of attributes that functions of the user's, and callers, cannot give.

use crate::ENDED_EARLY;

/// What the layer may say after the start.
pub(super) const LATER: [&str; 5] =
    ["error.type", "http.request.body.content", "http.response.", "http.route", ENDED_EARLY];

/// All that the layer says: once the span runs nobody looks which of them it has.
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
