//! What sqlx's errors are in telemetry.

use std::io;

use sqlx::Error;

use super::driver::Driver;
use crate::DbFailure;

/// The code that the database gave, or the class of the error. No part of a message: those quote values.
pub(super) fn failure_of<DB: Driver>(error: &Error) -> DbFailure {
    match error {
        Error::Database(error) => match DB::status_code(&**error) {
            Some(code) => DbFailure::with_code(code),
            None => DbFailure::new("database"),
        },
        Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => DbFailure::TIMEOUT,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NotFound => DbFailure::new("connect"),
            _ if is_lookup(error) => DbFailure::new("connect"),
            _ => DbFailure::new("connection_lost"),
        },
        Error::Tls(_) => DbFailure::new("tls"),
        Error::Protocol(_) => DbFailure::new("protocol"),
        Error::PoolTimedOut => DbFailure::new("pool_timeout"),
        Error::PoolClosed => DbFailure::new("pool_closed"),
        Error::WorkerCrashed => DbFailure::new("worker_crashed"),
        Error::Configuration(_) | Error::ConfigFile(_) => DbFailure::new("configuration"),
        Error::InvalidArgument(_) => DbFailure::new("invalid_argument"),
        Error::Encode(_) => DbFailure::new("encode"),
        Error::Decode(_)
        | Error::ColumnDecode { .. }
        | Error::ColumnNotFound(_)
        | Error::ColumnIndexOutOfBounds { .. } => DbFailure::new("decode"),
        Error::TypeNotFound { .. } => DbFailure::new("type_not_found"),
        Error::RowNotFound => DbFailure::new("row_not_found"),
        Error::BeginFailed | Error::InvalidSavePointStatement => DbFailure::new("begin_failed"),
        Error::AnyDriverError(_) => DbFailure::new("any_driver"),
        Error::Migrate(_) => DbFailure::new("migrate"),
        _ => DbFailure::OTHER,
    }
}

/// A host without an address. The kind that it has cannot be named outside of the standard library.
fn is_lookup(error: &io::Error) -> bool {
    error.to_string().starts_with("failed to lookup address information")
}

#[cfg(all(test, feature = "sqlx-sqlite"))]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    #[test]
    fn errors_of_connections() {
        let of = |error: io::Error| failure_of::<sqlx::Sqlite>(&Error::Io(error));
        // No name is so long: nobody is asked for its address.
        let no_address = ("a".repeat(300).as_str(), 1).to_socket_addrs().unwrap_err();
        assert_eq!(of(no_address), DbFailure::new("connect"));
        assert_eq!(of(io::ErrorKind::ConnectionRefused.into()), DbFailure::new("connect"));
        assert_eq!(of(io::ErrorKind::UnexpectedEof.into()), DbFailure::new("connection_lost"));
        assert_eq!(of(io::Error::other("text")), DbFailure::new("connection_lost"));
        assert_eq!(of(io::ErrorKind::TimedOut.into()), DbFailure::TIMEOUT);
    }
}
