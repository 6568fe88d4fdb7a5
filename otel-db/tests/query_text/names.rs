//! The summaries of statements that a careless reader names wrong, beyond those of the reference suites.

use otel_db::query_text::{Dialect, QueryRules};

/// The dialect, the text, its summary, and what it works on if that is one table only.
const NAMES: &[(Dialect, &str, &str, Option<&str>)] = &[
    // Between DISTINCT and FROM stands no name here, and nothing at all in `IS DISTINCT FROM`.
    (Dialect::Generic, "SELECT DISTINCT 'a' FROM t", "SELECT t", Some("t")),
    (Dialect::Generic, "SELECT a IS DISTINCT FROM b FROM t", "SELECT t", Some("t")),
    // The names that WITH gives are no tables.
    (Dialect::Generic, "WITH a AS (SELECT * FROM x) SELECT * FROM a JOIN y ON 1", "SELECT x SELECT y", None),
    (
        Dialect::PostgreSql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n, t",
        "SELECT SELECT SELECT t",
        Some("t"),
    ),
    (
        Dialect::PostgreSql,
        "WITH a AS MATERIALIZED (DELETE FROM x RETURNING *), b (c) AS (SELECT 1) INSERT INTO y SELECT * FROM a",
        "DELETE x SELECT INSERT y SELECT",
        None,
    ),
    (Dialect::PostgreSql, "WITH x AS (VALUES (1)) UPDATE t SET a = 1 FROM x", "UPDATE t", Some("t")),
    // One statement inside of another.
    (
        Dialect::Generic,
        "INSERT INTO t SELECT * FROM u WHERE a IN (SELECT b FROM v)",
        "INSERT t SELECT u SELECT v",
        None,
    ),
    (Dialect::MySql, "REPLACE INTO t SELECT * FROM u", "REPLACE t SELECT u", None),
    (Dialect::Generic, "UPDATE t SET a = (SELECT b FROM u)", "UPDATE t SELECT u", None),
    (Dialect::Generic, "CREATE TABLE t AS SELECT * FROM u", "CREATE TABLE t SELECT u", None),
    (
        Dialect::Generic,
        "SELECT * FROM (SELECT * FROM a) x, LATERAL (SELECT * FROM b) y",
        "SELECT SELECT a SELECT b",
        None,
    ),
    // The branches of MERGE are no operations.
    (
        Dialect::SqlServer,
        "MERGE INTO t USING s ON a = b WHEN MATCHED THEN UPDATE SET c = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1);",
        "MERGE t",
        Some("t"),
    ),
    (Dialect::Oracle, "MERGE INTO t x USING (SELECT * FROM s) y ON (x.a = y.a)", "MERGE t SELECT s", None),
    // What is no table's business.
    (Dialect::PostgreSql, "DO $$ BEGIN DELETE FROM t; END $$", "DO", None),
    (
        Dialect::Sqlite,
        "ATTACH DATABASE 'x' AS y; SELECT * FROM y.t; DETACH y",
        "ATTACH; SELECT y.t; DETACH",
        Some("y.t"),
    ),
    (Dialect::PostgreSql, "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "INSERT t", Some("t")),
    (Dialect::MySql, "GET DIAGNOSTICS CONDITION 1 @p1 = RETURNED_SQLSTATE", "GET", None),
    (Dialect::MySql, "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'x'", "SIGNAL", None),
    (Dialect::MySql, "XA START 'x'; FLUSH TABLES", "XA; FLUSH", None),
    (Dialect::MySql, "RENAME TABLE a TO b", "RENAME TABLE a", Some("a")),
    (Dialect::MySql, "RENAME USER a TO b", "RENAME", None),
    (Dialect::MySql, "REPAIR TABLE a, b QUICK", "REPAIR TABLE a b", None),
    (Dialect::PostgreSql, "CLUSTER t USING i; ABORT", "CLUSTER; ABORT", None),
    // Batches.
    (Dialect::Generic, "SELECT 1; SELECT 2 FROM t; UPDATE u SET a = 1;", "SELECT; SELECT t; UPDATE u", None),
    (Dialect::Generic, "BEGIN; INSERT INTO t VALUES (1); COMMIT", "BEGIN; INSERT t; COMMIT", Some("t")),
    // Several tables at once.
    (Dialect::MySql, "UPDATE a, b SET a.x = b.y", "UPDATE a b", None),
    (
        Dialect::MySql,
        "UPDATE a x, b AS y SET x.c = y.c WHERE x.d IN (SELECT d FROM e)",
        "UPDATE a b SELECT e",
        None,
    ),
    (Dialect::MySql, "UPDATE a AS x LEFT JOIN b USING (c) SET x.d = 1", "UPDATE a b", None),
    (Dialect::MySql, "UPDATE a PARTITION (p0) SET b = 1, c = 2", "UPDATE a", Some("a")),
    (Dialect::PostgreSql, "UPDATE ONLY a * AS x SET b = 1, c = d FROM e", "UPDATE a", Some("a")),
    (Dialect::SqlServer, "UPDATE a SET a.b = 1, a.c = 2 FROM a JOIN d ON a.e = d.e", "UPDATE a", Some("a")),
    (Dialect::PostgreSql, "DROP TABLE IF EXISTS a, s.b CASCADE", "DROP TABLE a s.b", None),
    (Dialect::PostgreSql, "TRUNCATE TABLE a, b", "TRUNCATE TABLE a b", None),
    (Dialect::MySql, "DELETE FROM a, b USING a JOIN b", "DELETE a b", None),
    // FROM that begins no clause of tables.
    (
        Dialect::PostgreSql,
        "SELECT EXTRACT(DAY FROM x), TRIM(LEADING 'x' FROM y), a IS DISTINCT FROM b FROM t",
        "SELECT t",
        Some("t"),
    ),
    // Words of the syntax before a name.
    (Dialect::ClickHouse, "INSERT INTO TABLE t VALUES (1)", "INSERT t", Some("t")),
    (
        Dialect::ClickHouse,
        "INSERT INTO TABLE FUNCTION remote('x') VALUES (1)",
        "INSERT remote",
        Some("remote"),
    ),
    (Dialect::ClickHouse, "INSERT INTO FUNCTION file('x') SELECT a FROM t", "INSERT file SELECT t", None),
    (Dialect::MySql, "INSERT INTO function VALUES (1)", "INSERT function", Some("function")),
    (Dialect::Sqlite, "INSERT OR REPLACE INTO t VALUES (1)", "INSERT t", Some("t")),
    (Dialect::SqlServer, "UPDATE TOP (10) t SET a = 1", "UPDATE t", Some("t")),
    (Dialect::PostgreSql, "TABLE ONLY s.t ORDER BY a", "TABLE s.t", Some("s.t")),
    (Dialect::MySql, "TABLE t LIMIT 5", "TABLE t", Some("t")),
    // Cursors, and what connections do for themselves.
    (Dialect::PostgreSql, "DECLARE c CURSOR FOR SELECT a FROM t", "SELECT t", Some("t")),
    (Dialect::PostgreSql, "FETCH FORWARD 100 FROM c", "FETCH", None),
    (Dialect::PostgreSql, "MOVE 5 IN c", "MOVE", None),
    (Dialect::PostgreSql, "CLOSE c", "CLOSE", None),
    (Dialect::SqlServer, "OPEN c; FETCH NEXT FROM c INTO @a; CLOSE c", "FETCH; CLOSE", None),
    (Dialect::PostgreSql, "RESET ROLE", "RESET", None),
    (Dialect::PostgreSql, "DISCARD ALL", "DISCARD", None),
    (Dialect::MySql, "HANDLER t READ FIRST", "HANDLER", None),
];

/// The text, its summary, and the procedure.
const PROCEDURES: &[(&str, &str, Option<&str>)] = &[
    ("CALL s.p(1)", "CALL s.p", Some("s.p")),
    ("EXEC @r = [dbo].[p] 1", "EXEC [dbo].[p]", Some("[dbo].[p]")),
    ("{? = call p(?)}", "call p", Some("p")),
    ("EXECUTE IMMEDIATE 'SELECT 1'", "EXECUTE", None),
    ("EXECUTE AS USER = 'ada'", "EXECUTE", None),
    ("EXEC('SELECT 1')", "EXEC", None),
    ("CREATE PROCEDURE p AS BEGIN EXEC q; DELETE FROM t; END", "CREATE PROCEDURE p", None),
];

#[test]
fn statements_are_named_by_what_they_do_and_what_they_do_it_to() {
    let mut wrong = Vec::new();
    for &(dialect, text, summary, collection) in NAMES {
        let statement = QueryRules::new(dialect).statement(text);
        let ours = (statement.summary().map(|one| &**one), statement.collection().map(|one| &**one));
        if ours != (Some(summary), collection) {
            wrong.push(format!("{dialect:?}: {text} -> {ours:?}"));
        }
    }
    for &(text, summary, procedure) in PROCEDURES {
        let statement = QueryRules::new(Dialect::SqlServer).statement(text);
        let ours = (statement.summary().map(|one| &**one), statement.stored_procedure().map(|one| &**one));
        if ours != (Some(summary), procedure) {
            wrong.push(format!("{text} -> {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// PostgreSQL, MySQL and MariaDB execute what was prepared under a name; for SQL Server it is a procedure's.
#[test]
fn a_prepared_statement_is_no_procedure() {
    for (dialect, text, summary, procedure) in [
        (Dialect::PostgreSql, "EXECUTE s_1 (1, 'x')", "EXECUTE s_1", None),
        (Dialect::MySql, "EXECUTE s_1 USING @a", "EXECUTE s_1", None),
        (Dialect::MySql, "EXECUTE s_1; CALL p(1)", "EXECUTE s_1; CALL p", Some("p")),
        (Dialect::PostgreSql, "CALL p(1)", "CALL p", Some("p")),
        (Dialect::SqlServer, "EXECUTE p 1", "EXECUTE p", Some("p")),
        (Dialect::Generic, "EXECUTE p", "EXECUTE p", Some("p")),
    ] {
        let statement = QueryRules::new(dialect).statement(text);
        let found = statement.stored_procedure().map(AsRef::as_ref);
        assert_eq!((statement.summary().map(AsRef::as_ref), found), (Some(summary), procedure), "{text}");
    }
}

/// Columns may be called like what comes before a secret.
#[test]
fn columns_that_sound_like_secrets_hide_nothing() {
    for text in [
        "SELECT password, identified FROM t GROUP BY identified ORDER BY password",
        "SELECT a FROM t WHERE identified AND password = b",
        "CREATE TABLE t (password text NOT NULL, identified boolean, by text)",
        "UPDATE t SET identified = a, password = b",
    ] {
        let statement = QueryRules::new(Dialect::Oracle).statement(text);
        assert_eq!(statement.text().map(AsRef::as_ref), Some(text));
    }
}
