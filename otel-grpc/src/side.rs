//! What differs between the ends of a call.

use std::fmt;

use opentelemetry::logs::Severity;
use opentelemetry::trace::SpanKind;
use tonic::Code;

use crate::code::{is_client_error, is_server_error};

/// Which end of a call a type is for: [`ServerSide`], [`ClientSide`] or [`AttemptSide`].
///
/// It is in the types of futures and bodies, and there is nothing to do with it.
pub trait Side: sealed::Rules + fmt::Debug + Send + Sync + 'static {}

/// The end that answers.
#[derive(Clone, Copy, Debug)]
pub enum ServerSide {}

/// The end that calls.
#[derive(Clone, Copy, Debug)]
pub enum ClientSide {}

/// One attempt of the end that calls.
#[derive(Clone, Copy, Debug)]
pub enum AttemptSide {}

impl Side for ServerSide {}
impl Side for ClientSide {}
impl Side for AttemptSide {}

pub(crate) mod sealed {
    use super::{Code, Severity, SpanKind};

    /// What the conventions say differently about each end.
    pub trait Rules {
        const KIND: SpanKind;
        /// Name and description of the duration, if there is one.
        const DURATION: Option<(&'static str, &'static str)>;
        const ACTIVE: &'static str;
        /// The event of an error that is no status, and how bad it is.
        const EXCEPTION: (&'static str, Severity);
        const IS_SERVER: bool;
        /// An attempt has gRPC's own metrics alone.
        const IS_ATTEMPT: bool;

        fn is_error(code: Code) -> bool;
    }
}

const CLIENT_EXCEPTION: (&str, Severity) = ("rpc.client.call.exception", Severity::Warn);

impl sealed::Rules for ServerSide {
    const KIND: SpanKind = SpanKind::Server;
    const DURATION: Option<(&'static str, &'static str)> = Some((
        "rpc.server.call.duration",
        "Measures the duration of an incoming Remote Procedure Call (RPC).",
    ));
    const ACTIVE: &'static str = "grpc.server.active_requests";
    /// Nobody else handles what a server could not.
    const EXCEPTION: (&'static str, Severity) = ("rpc.server.call.exception", Severity::Error);
    const IS_SERVER: bool = true;
    const IS_ATTEMPT: bool = false;

    fn is_error(code: Code) -> bool {
        is_server_error(code)
    }
}

impl sealed::Rules for ClientSide {
    const KIND: SpanKind = SpanKind::Client;
    const DURATION: Option<(&'static str, &'static str)> = Some((
        "rpc.client.call.duration",
        "Measures the duration of an outgoing Remote Procedure Call (RPC).",
    ));
    const ACTIVE: &'static str = "grpc.client.active_requests";
    /// The caller is expected to handle it.
    const EXCEPTION: (&'static str, Severity) = CLIENT_EXCEPTION;
    const IS_SERVER: bool = false;
    const IS_ATTEMPT: bool = false;

    fn is_error(code: Code) -> bool {
        is_client_error(code)
    }
}

impl sealed::Rules for AttemptSide {
    const KIND: SpanKind = SpanKind::Client;
    const DURATION: Option<(&'static str, &'static str)> = None;
    const ACTIVE: &'static str = "";
    const EXCEPTION: (&'static str, Severity) = CLIENT_EXCEPTION;
    const IS_SERVER: bool = false;
    const IS_ATTEMPT: bool = true;

    fn is_error(code: Code) -> bool {
        is_client_error(code)
    }
}
