//! Which database it is.

use crate::query_text::Dialect;

/// A database system: the value of `db.system.name`.
///
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/#db-system-name>
///
/// ```
/// use otel_db::DbSystem;
///
/// assert_eq!(DbSystem::POSTGRESQL.name(), "postgresql");
/// assert_eq!(DbSystem::POSTGRESQL.default_port(), Some(5432));
/// let duckdb = DbSystem::new("duckdb"); // one that the conventions do not know
/// # assert_eq!(duckdb.default_port(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DbSystem(&'static str);

impl DbSystem {
    /// PostgreSQL.
    pub const POSTGRESQL: Self = Self("postgresql");
    /// MySQL.
    pub const MYSQL: Self = Self("mysql");
    /// MariaDB.
    pub const MARIADB: Self = Self("mariadb");
    /// SQLite.
    pub const SQLITE: Self = Self("sqlite");
    /// Microsoft SQL Server.
    pub const SQL_SERVER: Self = Self("microsoft.sql_server");
    /// Oracle Database.
    pub const ORACLE: Self = Self("oracle.db");
    /// ClickHouse.
    pub const CLICKHOUSE: Self = Self("clickhouse");
    /// CockroachDB.
    pub const COCKROACHDB: Self = Self("cockroachdb");
    /// Redis.
    pub const REDIS: Self = Self("redis");
    /// Memcached.
    pub const MEMCACHED: Self = Self("memcached");
    /// MongoDB.
    pub const MONGODB: Self = Self("mongodb");
    /// Elasticsearch.
    pub const ELASTICSEARCH: Self = Self("elasticsearch");
    /// Apache Cassandra.
    pub const CASSANDRA: Self = Self("cassandra");
    /// Any other database that is asked in SQL.
    pub const OTHER_SQL: Self = Self("other_sql");

    /// A system by its name in the conventions, or by one of your own if they have none.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The value of `db.system.name`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The port that the system listens on unless it is told otherwise: `server.port` is left out for it.
    #[must_use]
    pub fn default_port(self) -> Option<u16> {
        Some(match self.0 {
            "postgresql" => 5432,
            "mysql" | "mariadb" => 3306,
            "microsoft.sql_server" => 1433,
            "oracle.db" => 1521,
            "clickhouse" => 9000,
            "cockroachdb" => 26257,
            "redis" => 6379,
            "memcached" => 11211,
            "mongodb" => 27017,
            "elasticsearch" => 9200,
            "cassandra" => 9042,
            _ => return None,
        })
    }

    /// Whether a query is a command: a word, and values with nothing around them.
    pub(crate) fn has_commands(self) -> bool {
        matches!(self.0, "redis" | "valkey" | "memcached")
    }

    pub(crate) fn dialect(self) -> Dialect {
        Dialect::of_system(self.0)
    }
}
