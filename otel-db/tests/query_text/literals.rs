//! Generates queries with literals of every kind in every place, and the same queries with other literals.

use otel_db::query_text::Dialect;
use proptest::prelude::*;

pub(crate) const DIALECTS: [Dialect; 7] = [
    Dialect::Generic,
    Dialect::PostgreSql,
    Dialect::MySql,
    Dialect::Sqlite,
    Dialect::SqlServer,
    Dialect::Oracle,
    Dialect::ClickHouse,
];

/// A piece of a query: as it is, or a literal that differs between the two forms of the query.
#[derive(Debug, Clone)]
enum Piece {
    Sql(&'static str),
    Literal { form: usize, one: String, other: String },
}

/// A query in two forms that differ in their literals alone, and the tokens that stand in those of the first.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) with_others: String,
    pub(crate) secrets: Vec<String>,
}

/// The forms of a literal in a dialect; `@` is where the secret is. The digits of a number are the secret itself.
pub(crate) fn forms(dialect: Dialect) -> Vec<&'static str> {
    let mut forms = vec![
        "'@'",
        "'@''@'",
        "'a \"@\" b'",
        "'@ -- @'",
        "'/* @ */'",
        "'@;@'",
        "'\n@\n'",
        "'[@]'",
        "'$@$'",
        "N'@'",
        "x'@'",
        "B'@'",
        "DATE '@'",
        "INTERVAL '@' DAY",
        "0x@",
        "1@",
        "1.5@",
        "'@' '@'",
        "('@')",
        "'é@ü'",
        "-1@",
        "''''",
        "'@''s'",
        "/* it's @ */ '@'",
        "-- @\n'@'",
        "1e5@",
        ".5@",
        "'`@`'",
        "'#@'",
        "'@\t'",
        "'{@}'",
        "'?@'",
        "':@'",
        "1_0@",
    ];
    let doubled = ["\"@\"", "\"it's @\"", "\"@\"\"@\"", "\"-- @\""];
    let escaped = ["'@ \\' @'", "'\\\\'", "'\\\\\\'@'", "'@\\n'"];
    match dialect {
        Dialect::PostgreSql => forms.extend([
            "E'@\\'@'",
            "e'\\\\' '@'",
            "$$@$$",
            "$t$ it's @ $t$",
            "$t$ $$ @ $$ $t$",
            "U&'@'",
            "'C:\\@'",
            "/* /* @ */ ' */ '@'",
            "01234567-89ab-cdef-0123-456789abcdef",
        ]),
        Dialect::MySql => {
            forms.extend(doubled);
            forms.extend(escaped);
            forms.extend([
                "_utf8'@'",
                "_binary '@'",
                "'@' # @\n",
                "/*! '@' */",
                "\"@ \\\" @\"",
                "/*!50000 + */ '@'",
            ]);
        }
        Dialect::Sqlite => {
            forms.extend(doubled);
            forms.extend(["'C:\\'", "'@\\'"]);
        }
        Dialect::SqlServer => {
            forms.extend(doubled);
            forms.extend(["$1@", "$.5@", "'@\\'", "/* /* @ */ ' */ '@'"]);
        }
        Dialect::Oracle => {
            forms.extend([
                "q'[it's @]'",
                "Q'{@'}'",
                "nq'!@'!'",
                "q'(@)'",
                "q'<'@>'",
                "'@\\'",
                "TIMESTAMP '@'",
            ]);
        }
        Dialect::ClickHouse => {
            forms.extend(escaped);
            forms.extend(["$$it's @$$", "$h$@$h$"]);
        }
        _ => forms.extend(doubled),
    }
    forms
}

/// Where literals stand; `?` is the place.
const PLACES: &[&[&str]] = &[
    &["SELECT * FROM t WHERE a = ", " AND b <> ", ""],
    &["SELECT ", " , ", " AS x FROM t JOIN u ON t.a = ", ""],
    &["INSERT INTO t (a, b) VALUES (", ", ", "), (", ", f(", "))"],
    &["UPDATE t SET a = ", ", b = ", " WHERE c IN (", ", ", ", ", ")"],
    &["DELETE FROM t WHERE a BETWEEN ", " AND ", ""],
    &["SELECT * FROM t WHERE a IN (", ") AND b NOT IN (", ", ", ")"],
    &["WITH x AS (SELECT ", ") SELECT * FROM x WHERE a = (SELECT b FROM u WHERE c = ", ")"],
    &["SELECT 1; SELECT ", "; DELETE FROM u WHERE a = ", ";"],
    &["CALL p(", ", ", ")"],
    &["SELECT CASE WHEN a = ", " THEN ", " ELSE ", " END FROM t"],
    &["SELECT f(", ") FROM t ORDER BY ", " LIMIT ", ""],
    &["SELECT EXTRACT(YEAR FROM ", "), a IS DISTINCT FROM ", " FROM t"],
    &["SELECT * FROM f(", ") x, g(", ") y"],
    &["MERGE INTO t USING (SELECT ", " a) s ON (t.a = s.a) WHEN MATCHED THEN UPDATE SET b = ", ""],
    &["EXPLAIN SELECT a FROM t WHERE b = ", " OR c = ", " UNION ALL SELECT ", " FROM u"],
    &["COPY t FROM ", " WITH DELIMITER ", ""],
    &["/* before */ SELECT ", " /* between */ , ", " -- behind"],
    &["SET x = ", ", y = ", ""],
    &["SELECT (", " + ", ") * ", " FROM \"q\".\"t\""],
    &["CREATE TABLE t (a int DEFAULT ", ", b text CHECK (b <> ", "))"],
];

fn secret() -> impl Strategy<Value = String> {
    // Digits alone, so that it fits in any literal; nothing else in the queries has so many.
    "[1-9][0-9]{9}"
}

/// Any query of any dialect.
pub(crate) fn query() -> impl Strategy<Value = Query> {
    (prop::sample::select(&DIALECTS[..]), prop::sample::select(PLACES)).prop_flat_map(|(dialect, places)| {
        let forms = forms(dialect);
        let literal = (prop::sample::select(forms), prop::collection::vec((secret(), secret()), 3));
        prop::collection::vec(literal, places.len() - 1)
            .prop_map(move |literals| assemble(dialect, places, &literals))
    })
}

fn assemble(
    dialect: Dialect,
    places: &[&'static str],
    literals: &[(&'static str, Vec<(String, String)>)],
) -> Query {
    let mut pieces = vec![Piece::Sql(places[0])];
    for ((form, secrets), place) in literals.iter().zip(&places[1..]) {
        let fill = |pick: fn(&(String, String)) -> &String| {
            let mut filled = String::new();
            for (index, part) in form.split('@').enumerate() {
                if index > 0 {
                    filled.push_str(pick(&secrets[index % secrets.len()]));
                }
                filled.push_str(part);
            }
            filled
        };
        pieces.push(Piece::Literal {
            form: form.matches('@').count(),
            one: fill(|two| &two.0),
            other: fill(|two| &two.1),
        });
        pieces.push(Piece::Sql(place));
    }
    let write = |first: bool| {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Sql(sql) => sql,
                Piece::Literal { one, other, .. } => {
                    if first {
                        one.as_str()
                    } else {
                        other
                    }
                }
            })
            .collect::<String>()
    };
    let used = pieces.iter().filter(|piece| matches!(piece, Piece::Literal { form: 1.., .. })).count();
    let secrets =
        literals.iter().flat_map(|(_, secrets)| secrets.iter().map(|(one, _)| one.clone())).collect();
    debug_assert!(used <= literals.len());
    Query { dialect, text: write(true), with_others: write(false), secrets }
}
