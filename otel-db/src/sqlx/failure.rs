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
