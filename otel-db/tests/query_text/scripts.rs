//! Generates whole scripts from a small grammar, and knows of each what its summary is and which secrets are in it.

use otel_db::query_text::{Dialect, QueryRules, sanitize};
use proptest::prelude::*;

use crate::literals::{DIALECTS, forms};
use crate::properties::{config, once_is_enough};

/// "It's RECOMMENDED to limit the length to 255 characters", at the end of a word.
const MOST_CHARACTERS: usize = 255;

const TABLES: &[&str] = &["orders", "app.users", "\"q\".\"t\"", "items_2024", "main.log"];
/// Some are words that mean something elsewhere.
const COLUMNS: &[&str] =
    &["id", "a.start", "name", "o.format", "u.values", "b.update", "x.set", "when_at", "t.join"];
const JOINS: &[&str] = &["JOIN", "LEFT OUTER JOIN", "NATURAL JOIN", "INNER JOIN"];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_script_has_its_operations_and_tables_and_no_secret(script in script()) {
        let Script { dialect, text, .. } = &script;
        let statement = QueryRules::new(*dialect).statement(text);
        let shown = [statement.text(), statement.summary(), statement.operation(), statement.collection(), statement.stored_procedure()];
        for shown in shown.into_iter().flatten() {
            prop_assert!(!script.secrets.iter().any(|secret| shown.contains(secret)), "{shown}\nof {dialect:?}: {text}");
        }
        prop_assert!(sanitize(text, *dialect).is_some(), "{dialect:?}: {text}");
        once_is_enough(text, *dialect)?;
        let (summary, expected) = (statement.summary().map_or("", AsRef::as_ref), script.expected());
        prop_assert!(summary.chars().count() <= MOST_CHARACTERS);
        // Where the server's settings decide how a string reads, the text may end before it, and so does the summary.
        if script.doubtful() {
            prop_assert!(expected.starts_with(summary), "{summary}\nfor {expected}\nof {dialect:?}: {text}");
        } else {
            prop_assert_eq!(summary, expected, "{:?}: {}", dialect, text);
        }
    }
}

#[derive(Clone)]
struct Script {
    dialect: Dialect,
    text: String,
    secrets: Vec<String>,
    /// The words of each statement's summary.
    statements: Vec<Vec<String>>,
    /// The tables that WITH names in the statement.
    named: Vec<String>,
    choices: Vec<u8>,
    depth: usize,
}

/// Each choice is a byte, 0 the simplest, so that a script that fails shrinks.
fn script() -> impl Strategy<Value = Script> {
    (prop::sample::select(&DIALECTS[..]), prop::collection::vec(any::<u8>(), 0..200)).prop_map(
        |(dialect, mut choices)| {
            choices.reverse();
            let mut script = Script {
                dialect,
                text: String::new(),
                secrets: Vec::new(),
                statements: Vec::new(),
                named: Vec::new(),
                choices,
                depth: 0,
            };
            script.write();
            script
        },
    )
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.dialect, self.text)
    }
}

impl Script {
    fn expected(&self) -> String {
        let mut expected = String::new();
        for statement in &self.statements {
            for (index, word) in statement.iter().enumerate() {
                let separator = match (expected.is_empty(), index) {
                    (true, _) => "",
                    (false, 0) => "; ",
                    (false, _) => " ",
                };
                if expected.chars().count() + separator.len() + word.chars().count() > MOST_CHARACTERS {
                    return expected;
                }
                expected.push_str(separator);
                expected.push_str(word);
            }
        }
        expected
    }

    /// Whether the text may end early: where a setting of the server decides about a quote, where the dialect is not
    /// known, and where data may follow the name of a format.
    fn doubtful(&self) -> bool {
        let has = |some: &[&str]| some.iter().any(|doubt| self.text.contains(doubt));
        match self.dialect {
            Dialect::Generic => has(&["\\", "#", "{", "[", "$", "'''", "//", "format"]),
            Dialect::ClickHouse => has(&["\\", "format"]),
            _ => has(&["\\"]),
        }
    }

    fn write(&mut self) {
        self.comment();
        for _ in 0..=self.choose(3) {
            self.statements.push(Vec::new());
            self.named.clear();
            self.statement();
            self.sql(";");
            self.comment();
        }
    }

    fn statement(&mut self) {
        match self.choose(11) {
            0 => self.select(),
            1 => {
                self.operation("INSERT");
                self.sql(" INTO ");
                self.table();
                self.sql(" (id, name) VALUES (");
                self.literal();
                self.sql(", ");
                self.value();
                self.sql(")");
            }
            2 => {
                self.operation("INSERT");
                self.sql(" INTO ");
                self.table();
                self.select();
            }
            3 => {
                self.operation("UPDATE");
                self.sql(" ");
                self.table();
                self.sql(" SET name = ");
                self.value();
                self.sql(", a.start = ");
                self.value();
                self.filter();
                self.sql(" RETURNING ");
                self.value();
            }
            4 => {
                self.operation("DELETE");
                self.sql(" FROM ");
                self.table();
                self.filter();
            }
            5 => self.with(),
            6 => {
                self.definition("CREATE", "TABLE");
                self.sql(" (id int DEFAULT ");
                self.literal();
                self.sql(", CONSTRAINT one CHECK (name <> ");
                self.literal();
                self.sql("))");
            }
            7 => {
                self.definition("DROP", "TABLE");
            }
            8 => {
                self.definition("ALTER", "TABLE");
                self.sql(" ADD COLUMN c text DEFAULT ");
                self.literal();
            }
            9 => {
                self.operation("CALL");
                self.sql(" ");
                self.word("app.refresh");
                self.sql("(");
                self.literal();
                self.sql(", ");
                self.value();
                self.sql(")");
            }
            _ => {
                self.definition("CREATE", "VIEW");
                self.sql(" AS SELECT * FROM nobody WHERE id = ");
                self.literal();
            }
        }
    }

    fn with(&mut self) {
        self.sql("WITH one AS (");
        self.select();
        self.sql("), two AS (");
        // Only a table of the database is a target.
        self.named.push("one".to_owned());
        self.select();
        self.sql(")");
        self.named.push("two".to_owned());
        self.select();
    }

    fn select(&mut self) {
        self.depth += 1;
        self.sql(" ");
        self.operation("SELECT");
        let all = ["", " DISTINCT", " ALL"][self.choose(3)];
        self.sql(all);
        self.sql(" ");
        for _ in 0..self.choose(3) {
            self.value();
            self.sql(" AS v, ");
        }
        self.column();
        self.comment();
        self.sql(" FROM ");
        self.source();
        for _ in 0..self.choose(4) {
            if self.choose(3) == 0 {
                self.sql(", ");
                self.source();
            } else {
                let join = JOINS[self.choose(JOINS.len())];
                self.sql(&format!(" {join} "));
                self.source();
                if !join.starts_with("NATURAL") {
                    self.sql(" ON ");
                    self.condition();
                }
            }
        }
        self.filter();
        match self.choose(5) {
            3 => self.sql(" ORDER BY id FOR UPDATE"),
            1 => self.sql(" GROUP BY name HAVING count(*) > 1 ORDER BY start, name LIMIT 5"),
            2 if self.depth < 3 => {
                self.sql(" UNION ALL ");
                self.select();
            }
            _ => {}
        }
        self.depth -= 1;
    }

    fn source(&mut self) {
        let alias = ["", " AS o", " o"][self.choose(3)];
        if self.depth < 3 && self.choose(4) == 1 {
            self.sql("(");
            self.select();
            self.sql(") AS s");
        } else if self.depth < 3 && self.choose(6) == 1 {
            self.joined();
        } else {
            self.table();
            self.sql(alias);
        }
    }

    /// A join in parentheses.
    fn joined(&mut self) {
        self.sql("(");
        self.table();
        self.sql(" JOIN ");
        self.source();
        self.sql(" USING (id, \"start\"))");
    }

    fn filter(&mut self) {
        if self.choose(2) == 1 {
            self.sql(" WHERE ");
            self.condition();
        }
    }

    fn condition(&mut self) {
        self.depth += 1;
        match self.choose(if self.depth < 4 { 9 } else { 3 }) {
            0 => {
                self.column();
                self.sql(" = ");
                self.literal();
            }
            1 => {
                self.column();
                self.sql(" BETWEEN ");
                self.literal();
                self.sql(" AND ");
                self.literal();
            }
            2 => {
                self.column();
                self.sql(" IN (");
                self.literal();
                self.sql(", ");
                self.literal();
                self.sql(")");
            }
            3 => {
                self.column();
                self.sql(" IN (");
                self.select();
                self.sql(")");
            }
            4 => {
                self.sql("NOT EXISTS (");
                self.select();
                self.sql(")");
            }
            5 => {
                self.case();
                self.sql(" = ");
                self.value();
            }
            6 => {
                self.condition();
                self.sql(" AND (");
                self.condition();
                self.sql(")");
            }
            7 => {
                self.column();
                self.sql(" IS DISTINCT FROM ");
                self.column();
            }
            _ => {
                self.case();
            }
        }
        self.depth -= 1;
    }

    fn value(&mut self) {
        self.depth += 1;
        match self.choose(if self.depth < 4 { 8 } else { 4 }) {
            0 => self.literal(),
            1 => self.column(),
            2 => self.sql("extract(YEAR FROM a.day)"),
            3 => self.sql("sum(id) OVER (PARTITION BY a.start ORDER BY name)"),
            4 => {
                self.sql("replace(name, ");
                self.literal();
                self.sql(", substring(name FROM ");
                self.literal();
                self.sql("))");
            }
            5 => {
                self.sql("coalesce(");
                self.value();
                self.sql(", ");
                self.literal();
                self.sql(")");
            }
            6 => {
                self.sql("(");
                self.select();
                self.sql(")");
            }
            _ => self.case(),
        }
        self.depth -= 1;
    }

    fn case(&mut self) {
        self.sql("CASE WHEN ");
        self.condition();
        self.sql(" THEN ");
        self.value();
        self.sql(" ELSE ");
        self.literal();
        self.sql(" END");
    }

    fn column(&mut self) {
        let column = COLUMNS[self.choose(COLUMNS.len())];
        self.sql(column);
    }

    fn table(&mut self) {
        if !self.named.is_empty() && self.choose(3) == 1 {
            self.sql("one");
        } else {
            let table = TABLES[self.choose(TABLES.len())];
            self.word(table);
        }
    }

    fn literal(&mut self) {
        let forms = forms(self.dialect);
        let form = forms[self.choose(forms.len())];
        // Digits fit in any literal; nothing else in the scripts has so many.
        let secret = (7_315_000_000_u64 + self.secrets.len() as u64).to_string();
        self.sql(&form.replace('@', &secret));
        self.secrets.push(secret);
    }

    fn comment(&mut self) {
        let secret = (7_315_000_000_u64 + self.secrets.len() as u64).to_string();
        match self.choose(6) {
            1 => self.sql(&format!(" /* {secret} */ ")),
            2 => self.sql(&format!(" -- {secret}\n")),
            _ => return,
        }
        self.secrets.push(secret);
    }

    fn definition(&mut self, verb: &str, object: &str) {
        self.operation(verb);
        self.sql(" ");
        self.word(object);
        self.sql(" ");
        self.table();
    }

    fn operation(&mut self, operation: &str) {
        let operation = if self.choose(4) == 1 { operation.to_lowercase() } else { operation.to_owned() };
        self.word(&operation);
        self.comment();
    }

    /// Goes into the summary.
    fn word(&mut self, word: &str) {
        self.sql(word);
        if let Some(statement) = self.statements.last_mut() {
            statement.push(word.to_owned());
        }
    }

    fn sql(&mut self, sql: &str) {
        self.text.push_str(sql);
    }

    fn choose(&mut self, among: usize) -> usize {
        usize::from(self.choices.pop().unwrap_or(0)) % among
    }
}
