//! Whatever the URL says.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use sqlx::AnyConnection;
use sqlx::any::{Any, AnyConnectOptions};
use sqlx::error::DatabaseError;

use super::{Driver, Target, address_of, hand_on_to_connection, sealed::Sealed};
use crate::DbSystem;

impl Sealed for Any {}

impl Driver for Any {
    hand_on_to_connection!(Any);

    fn target(options: &AnyConnectOptions) -> Target {
        let url = &options.database_url;
        let system = match url.scheme() {
            "postgres" | "postgresql" => DbSystem::POSTGRESQL,
            "mysql" => DbSystem::MYSQL,
            "mariadb" => DbSystem::MARIADB,
            "sqlite" => DbSystem::SQLITE,
            "mssql" | "sqlserver" => DbSystem::SQL_SERVER,
            _ => DbSystem::OTHER_SQL,
        };
        let path = url.path().trim_start_matches('/');
        let namespace = match system {
            DbSystem::SQLITE => file_name(url.as_str()),
            _ => decoded(path),
        };
        // A socket's path is there with its slashes encoded.
        let host = url.host_str().filter(|_| system != DbSystem::SQLITE).and_then(decoded);
        Target { system, address: host.as_deref().map(address_of), port: url.port(), namespace }
    }

    fn is_a_thread(connection: &AnyConnection) -> bool {
        connection.backend_name() == "SQLite"
    }

    fn status_code(error: &dyn DatabaseError) -> Option<Cow<'static, str>> {
        #[cfg(feature = "sqlx-mysql")]
        if let Some(code) = super::mysql::vendor_code(error) {
            return Some(code);
        }
        error.code().map(|code| Cow::Owned(code.into_owned()))
    }
}

/// The file's name; databases in memory have none.
fn file_name(url: &str) -> Option<String> {
    let path = url.trim_start_matches("sqlite:").split(['?', '#']).next()?;
    let name = path.rsplit('/').next()?;
    if path.contains(':') { None } else { decoded(name) }
}

/// `None` if it is empty, or no text, which no driver takes either.
fn decoded(name: &str) -> Option<String> {
    let name = percent_decode_str(name).decode_utf8().ok()?;
    (!name.is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_the_url_says() {
        for (url, system, address, port, namespace) in [
            (
                "postgres://ada:secret@db:6432/shop",
                DbSystem::POSTGRESQL,
                Some("db"),
                Some(6432),
                Some("shop"),
            ),
            ("mariadb://ada:secret@db/shop", DbSystem::MARIADB, Some("db"), None, Some("shop")),
            ("mysql://ada@db/my%20shop", DbSystem::MYSQL, Some("db"), None, Some("my shop")),
            ("mysql://ada@db/%ff", DbSystem::MYSQL, Some("db"), None, None),
            ("mysql://ada@[::1]:3307/shop", DbSystem::MYSQL, Some("::1"), Some(3307), Some("shop")),
            (
                "postgres://ada@%2Frun%2Fpostgresql/shop",
                DbSystem::POSTGRESQL,
                Some("/run/postgresql"),
                None,
                Some("shop"),
            ),
            ("sqlite://my%20shop.db", DbSystem::SQLITE, None, None, Some("my shop.db")),
            ("sqlite:///home/ada/shop.db?mode=rwc", DbSystem::SQLITE, None, None, Some("shop.db")),
            ("sqlite://shop.db", DbSystem::SQLITE, None, None, Some("shop.db")),
            ("sqlite::memory:", DbSystem::SQLITE, None, None, None),
            ("odd://db", DbSystem::OTHER_SQL, Some("db"), None, None),
        ] {
            let target = Any::target(&url.parse().unwrap());
            let expected = Target {
                system,
                address: address.map(ToOwned::to_owned),
                port,
                namespace: namespace.map(ToOwned::to_owned),
            };
            assert_eq!(target, expected, "{url}");
        }
    }
}
