/// Whose rules of quotes, comments and literals a query follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Unknown: whatever may be a literal in one of the others is one.
    #[default]
    Generic,
    /// PostgreSQL and what speaks its language: CockroachDB, Redshift, YugabyteDB.
    PostgreSql,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle Database.
    Oracle,
    /// ClickHouse.
    ClickHouse,
}

impl Dialect {
    /// The dialect of a system by its `db.system.name`; [`Generic`](Self::Generic) for those that have no own.
    #[must_use]
    pub fn of_system(name: &str) -> Self {
        match name {
            "postgresql" | "cockroachdb" | "aws.redshift" => Self::PostgreSql,
            "mysql" | "mariadb" => Self::MySql,
            "sqlite" => Self::Sqlite,
            "microsoft.sql_server" => Self::SqlServer,
            "oracle.db" => Self::Oracle,
            "clickhouse" => Self::ClickHouse,
            _ => Self::Generic,
        }
    }
}
