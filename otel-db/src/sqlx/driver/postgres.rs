//! PostgreSQL.

use sqlx::postgres::{PgConnectOptions, Postgres};

use super::{Driver, Target, address_of, hand_on_to_connection, sealed::Sealed};
use crate::DbSystem;

impl Sealed for Postgres {}

impl Driver for Postgres {
    hand_on_to_connection!(Postgres);

    fn target(options: &PgConnectOptions) -> Target {
        let socket = options.get_socket().and_then(|path| path.to_str());
        // "In addition to the host name, [...] if a host name begins with a slash, it is a folder of sockets".
        let address = socket.unwrap_or_else(|| options.get_host());
        // Without a name, the server takes the database that is named like the user.
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let schema = options.get_options().and_then(first_schema);
        Target {
            system: DbSystem::POSTGRESQL,
            address: Some(address_of(address)),
            port: Some(options.get_port()),
            namespace: Some(match schema {
                Some(schema) => format!("{database}|{schema}"),
                None => database.to_owned(),
            }),
        }
    }
}

/// The first schema of a `search_path` in options such as `-c search_path=app,public`.
fn first_schema(options: &str) -> Option<&str> {
    let (_, path) = options.rsplit_once("search_path=")?;
    let first = path.split([',', ' ']).next()?.trim_matches(['"', '\'']);
    // What begins with a `$` stands for something else, and what is escaped is not read here.
    let is_plain = !first.is_empty() && !first.starts_with('$') && !first.contains('\\');
    is_plain.then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_the_url_says() {
        for (url, address, port, namespace) in [
            ("postgres://ada:secret@db.internal:6432/shop", "db.internal", 6432, "shop"),
            (
                "postgres://ada@db.internal/shop?options=-c%20search_path%3Dapp,public",
                "db.internal",
                5432,
                "shop|app",
            ),
            ("postgres://ada@db.internal/shop?options[search_path]=app", "db.internal", 5432, "shop|app"),
            ("postgres://ada@db.internal/shop?options[search_path]=%22$user%22", "db.internal", 5432, "shop"),
            ("postgres://ada@db.internal", "db.internal", 5432, "ada"),
            ("postgres://ada@[2001:db8::1]:6432/shop", "2001:db8::1", 6432, "shop"),
            ("postgres://ada@%2Frun%2Fpostgresql/shop", "/run/postgresql", 5432, "shop"),
        ] {
            let target = Postgres::target(&url.parse().unwrap());
            let expected = Target {
                system: DbSystem::POSTGRESQL,
                address: Some(address.to_owned()),
                port: Some(port),
                namespace: Some(namespace.to_owned()),
            };
            assert_eq!(target, expected, "{url}");
        }
    }
}
