//! What differs between the dialects, as data: each rule once, with the readings that stay open.

/// Whose rules of quotes, comments and literals a query follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Unknown, or one that has no rules of its own here (Cassandra, Spanner, DB2): what may be a literal in one of the
    /// others is one, and what they read differently ends the text.
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
    /// The dialect of a system by its `db.system.name`; [`Generic`](Self::Generic) for those that have none of their own.
    ///
    /// ```
    /// use otel_db::query_text::Dialect;
    ///
    /// assert_eq!(Dialect::of_system("mariadb"), Dialect::MySql);
    /// assert_eq!(Dialect::of_system("cassandra"), Dialect::Generic);
    /// ```
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

    pub(super) fn grammar(self) -> &'static Grammar {
        match self {
            Self::Generic => &GENERIC,
            Self::PostgreSql => &POSTGRESQL,
            Self::MySql => &MYSQL,
            Self::Sqlite => &SQLITE,
            Self::SqlServer => &SQL_SERVER,
            Self::Oracle => &ORACLE,
            Self::ClickHouse => &CLICKHOUSE,
        }
    }
}

/// Whether a rule holds: for sure, or depending on what the text does not tell (the server's settings, its version).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Never,
    Always,
    /// Not known. Both readings are tried; the first value is the usual one.
    Depends(bool),
    /// Not known, and the readings are not worth trying: the text ends before it.
    Unknown,
}

impl Holds {
    pub(super) fn depends(self) -> bool {
        matches!(self, Self::Depends(_))
    }

    /// Whether it holds in the usual reading.
    pub(super) fn usually(self) -> bool {
        matches!(self, Self::Always | Self::Depends(true))
    }
}

/// What `[` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    /// An array or a subscript.
    Symbol,
    /// A quoted name; `]]` stands for `]` in it where `doubled` says so.
    Name { doubled: bool },
    /// Whatever its content looks like.
    Guess,
}

/// What `#` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// An operator: PostgreSQL's `#>`, and the sign of a temporary table in SQL Server.
    Symbol,
    /// A comment to the end of the line.
    Comment,
    /// A comment, unless quotes in it make a difference: then the text ends before it.
    Guess,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "the rules of a dialect are a table of yes and no")]
pub(super) struct Grammar {
    /// `\` escapes in `'…'`, and in `"…"` where those are strings.
    pub(super) escapes: Holds,
    /// `\` escapes in quoted names: ClickHouse.
    pub(super) escapes_in_names: bool,
    /// `E'…'`, in which `\` always escapes.
    pub(super) escape_strings: Holds,
    /// `'''…'''` holds quotes as they are: Spanner. Where that makes a difference, the text ends before it.
    pub(super) triple_quotes: bool,
    /// `"…"` is a name, by the standard.
    pub(super) double_quoted_names: bool,
    pub(super) backtick: bool,
    pub(super) bracket: Bracket,
    /// `/* /* */ */` is one comment.
    pub(super) nested_comments: Holds,
    /// `/*! … */` is a statement for MySQL.
    pub(super) executable_comments: bool,
    pub(super) hash: Hash,
    pub(super) hash_in_names: bool,
    /// `--` needs a space after it: MySQL.
    pub(super) spaced_dashes: Holds,
    /// `{…}` may be a comment: Informix. A text in which that makes a difference to the quotes ends before it.
    pub(super) brace_comments: bool,
    /// `// …` is a comment: Cassandra.
    pub(super) slashes: bool,
    pub(super) dollar_quotes: Holds,
    /// `q'[…]'`: Oracle.
    pub(super) q_quotes: Holds,
    /// `$12.50` is an amount: SQL Server.
    pub(super) money: bool,
    /// `EXEC p word` hands over a string: SQL Server.
    pub(super) words_as_arguments: bool,
    /// A batch that begins with `p word` calls it: SQL Server.
    pub(super) calls_without_exec: bool,
    /// `:name` and `:1` are placeholders.
    pub(super) colon_placeholders: bool,
    /// `$name(suffix)` is a placeholder, whatever the suffix looks like: SQLite.
    pub(super) placeholder_suffixes: bool,
    /// `?1` is a placeholder.
    pub(super) numbered_placeholders: bool,
    /// `\N` is NULL: MySQL.
    pub(super) backslash_null: bool,
    /// `U&'…'`.
    pub(super) unicode_strings: bool,
    /// A UUID may stand without quotes: Cassandra.
    pub(super) bare_uuids: bool,
    /// `INSERT t` needs no INTO.
    pub(super) insert_without_into: bool,
    /// Data follow `INSERT … FORMAT x`: ClickHouse.
    pub(super) inline_formats: bool,
    /// `@name` is a parameter, not a variable of the session.
    pub(super) at_parameters: bool,
}

const STANDARD: Grammar = Grammar {
    escapes: Holds::Never,
    escapes_in_names: false,
    escape_strings: Holds::Never,
    triple_quotes: false,
    double_quoted_names: true,
    backtick: false,
    bracket: Bracket::Symbol,
    nested_comments: Holds::Never,
    executable_comments: false,
    hash: Hash::Guess,
    hash_in_names: false,
    spaced_dashes: Holds::Never,
    brace_comments: false,
    slashes: false,
    dollar_quotes: Holds::Never,
    q_quotes: Holds::Never,
    money: false,
    words_as_arguments: false,
    calls_without_exec: false,
    colon_placeholders: false,
    placeholder_suffixes: false,
    numbered_placeholders: false,
    backslash_null: false,
    unicode_strings: false,
    bare_uuids: false,
    insert_without_into: false,
    inline_formats: false,
    at_parameters: false,
};

static GENERIC: Grammar = Grammar {
    escapes: Holds::Depends(false),
    escape_strings: Holds::Unknown,
    triple_quotes: true,
    double_quoted_names: false,
    backtick: true,
    bracket: Bracket::Guess,
    nested_comments: Holds::Depends(true),
    executable_comments: true,
    spaced_dashes: Holds::Unknown,
    brace_comments: true,
    slashes: true,
    dollar_quotes: Holds::Unknown,
    q_quotes: Holds::Unknown,
    colon_placeholders: true,
    placeholder_suffixes: true,
    numbered_placeholders: true,
    backslash_null: true,
    unicode_strings: true,
    bare_uuids: true,
    words_as_arguments: true,
    inline_formats: true,
    ..STANDARD
};

static POSTGRESQL: Grammar = Grammar {
    // `standard_conforming_strings` is on since 9.1, and may be off.
    escapes: Holds::Depends(false),
    escape_strings: Holds::Always,
    nested_comments: Holds::Always,
    hash: Hash::Symbol,
    dollar_quotes: Holds::Always,
    unicode_strings: true,
    bare_uuids: true,
    ..STANDARD
};

static MYSQL: Grammar = Grammar {
    // Unless the mode NO_BACKSLASH_ESCAPES is set.
    escapes: Holds::Depends(true),
    // Unless the mode ANSI_QUOTES is set.
    double_quoted_names: false,
    backtick: true,
    executable_comments: true,
    hash: Hash::Comment,
    spaced_dashes: Holds::Always,
    // A name up to MySQL 8, a string since 9.
    dollar_quotes: Holds::Unknown,
    backslash_null: true,
    insert_without_into: true,
    ..STANDARD
};

static SQLITE: Grammar = Grammar {
    // "If a keyword in double quotes is used in a context where it cannot be resolved to an identifier but where a string
    // literal is allowed, then the token is understood to be a string literal": https://sqlite.org/quirks.html
    double_quoted_names: false,
    backtick: true,
    bracket: Bracket::Name { doubled: false },
    colon_placeholders: true,
    placeholder_suffixes: true,
    numbered_placeholders: true,
    at_parameters: true,
    ..STANDARD
};

static SQL_SERVER: Grammar = Grammar {
    // Unless QUOTED_IDENTIFIER is on, which is the usual.
    double_quoted_names: false,
    bracket: Bracket::Name { doubled: true },
    nested_comments: Holds::Always,
    hash: Hash::Symbol,
    hash_in_names: true,
    money: true,
    words_as_arguments: true,
    calls_without_exec: true,
    insert_without_into: true,
    at_parameters: true,
    ..STANDARD
};

static ORACLE: Grammar =
    Grammar { hash_in_names: true, q_quotes: Holds::Always, colon_placeholders: true, ..STANDARD };

static CLICKHOUSE: Grammar = Grammar {
    escapes: Holds::Always,
    escapes_in_names: true,
    backtick: true,
    // Since 21.x.
    nested_comments: Holds::Depends(true),
    dollar_quotes: Holds::Always,
    inline_formats: true,
    ..STANDARD
};
