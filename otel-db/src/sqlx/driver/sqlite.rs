//! SQLite.

use sqlx_sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection};

use super::{Driver, Target, hand_on_to_connection, sealed::Sealed};
use crate::DbSystem;

impl Sealed for Sqlite {}

impl Driver for Sqlite {
    hand_on_to_connection!(Sqlite);

    fn target(options: &SqliteConnectOptions) -> Target {
        Target {
            system: DbSystem::SQLITE,
            address: None,
            port: None,
            namespace: options.get_filename().to_str().and_then(database_name),
        }
    }

    fn is_a_thread(_: &SqliteConnection) -> bool {
        true
    }
}

/// The file's name: its folders say more about a machine than about a database. Databases in memory are numbered by
/// sqlx and have no name.
pub(super) fn database_name(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?;
    let is_in_memory = name.is_empty() || name == ":memory:" || name.starts_with("file:");
    (!is_in_memory).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_the_file_without_its_folders() {
        for (url, expected) in [
            ("sqlite:///home/ada/shop.db", Some("shop.db")),
            ("sqlite://shop.db?mode=rwc", Some("shop.db")),
            ("sqlite::memory:", None),
            ("sqlite:file:x?mode=memory", None),
        ] {
            let target = Sqlite::target(&url.parse().unwrap());
            assert_eq!((target.namespace.as_deref(), target.address), (expected, None), "{url}");
        }
    }
}
