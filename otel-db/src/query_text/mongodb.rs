//! Commands of MongoDB, in the JSON that its drivers give.
//!
//! ```
//! use otel_db::query_text::mongodb;
//!
//! let command = r#"{"find": "orders", "filter": {"total": {"$gt": 100}}, "limit": 5, "$db": "shop"}"#;
//! let text = r#"{"find":"orders","filter":{"total":{"$gt":"?"}},"limit":"?","$db":"shop"}"#;
//! assert_eq!(mongodb::sanitize(command).unwrap(), text);
//! ```

use super::json;

/// The command with `"?"` for its values. The names of the command, the collection, the database, fields and operators
/// stay. `None` as for [`json::sanitize`].
#[must_use]
pub fn sanitize(command: &str) -> Option<String> {
    json::sanitize_command(command)
}

#[cfg(test)]
mod tests {
    use super::sanitize;

    #[test]
    fn the_target_stays_and_nothing_else() {
        let cases = [
            (
                r#"{"insert": "users", "documents": [{"name": "ada"}, {"name": "bob"}], "$db": "app"}"#,
                r#"{"insert":"users","documents":[{"name":"?"}],"$db":"app"}"#,
            ),
            (
                r#"{"getMore": {"$numberLong": "123"}, "collection": "users"}"#,
                r#"{"getMore":{"$numberLong":"?"},"collection":"users"}"#,
            ),
            (r#"{"saslStart": 1, "payload": "secret"}"#, r#"{"saslStart":"?","payload":"?"}"#),
            (r#"{"hello": "find"}"#, r#"{"hello":"?"}"#),
            (r#"{"find": "ada@example.com"}"#, r#"{"find":"?"}"#),
            (
                r#"{"filter": {"find": "secret", "$db": "secret", "collection": "secret"}}"#,
                r#"{"filter":{"find":"?","$db":"?","collection":"?"}}"#,
            ),
            (r#"{"ping": 1}"#, r#"{"ping":"?"}"#),
        ];
        for (command, expected) in cases {
            assert_eq!(sanitize(command).as_deref(), Some(expected), "{command}");
        }
    }
}
