//! MySQL and MariaDB.

use std::borrow::Cow;

use sqlx::error::DatabaseError;
use sqlx::mysql::{MySql, MySqlConnectOptions, MySqlDatabaseError};

use super::{Driver, Target, address_of, hand_on_to_connection, sealed::Sealed};
use crate::DbSystem;

impl Sealed for MySql {}

impl Driver for MySql {
    hand_on_to_connection!(MySql);

    /// sqlx speaks to both alike, and its options do not tell them apart: a builder may say that it is MariaDB.
    fn target(options: &MySqlConnectOptions) -> Target {
        let socket = options.get_socket().and_then(|path| path.to_str());
        Target {
            system: DbSystem::MYSQL,
            address: Some(address_of(socket.unwrap_or_else(|| options.get_host()))),
            port: Some(options.get_port()),
            namespace: options.get_database().map(ToOwned::to_owned),
        }
    }

    fn status_code(error: &dyn DatabaseError) -> Option<Cow<'static, str>> {
        vendor_code(error).or_else(|| error.code().map(|code| Cow::Owned(code.into_owned())))
    }
}

/// "`db.response.status_code`: vendor-specific error number". The code that sqlx gives is the SQLSTATE.
pub(super) fn vendor_code(error: &dyn DatabaseError) -> Option<Cow<'static, str>> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(Cow::Owned(error.number().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_the_url_says() {
        for (url, address) in [
            ("mysql://ada:secret@db.internal:3307/shop", "db.internal"),
            ("mysql://ada:secret@[::1]:3307/shop", "::1"),
        ] {
            let target = MySql::target(&url.parse().unwrap());
            let expected = Target {
                system: DbSystem::MYSQL,
                address: Some(address.to_owned()),
                port: Some(3307),
                namespace: Some("shop".to_owned()),
            };
            assert_eq!(target, expected, "{url}");
        }
    }
}
