//! Values that a metric attribute should not have, because there is no end of them.

use crate::AttributeValue;

/// Why the value looks like one of endlessly many; `None` if it does not.
///
/// A port, an address, a status code and the name of a model, which has its date in it, are bounded by what a service talks to,
/// so keys of those are left alone.
pub(super) fn reason(key: &str, value: &AttributeValue) -> Option<&'static str> {
    const BOUNDED: [&str; 6] = [".port", ".address", ".status_code", ".version", ".model", "error.type"];
    if BOUNDED.iter().any(|end| key.ends_with(end)) {
        return None;
    }
    match value {
        AttributeValue::Int(number) if number.unsigned_abs() >= 100_000 => Some("a large number"),
        AttributeValue::String(text) => of_text(text),
        AttributeValue::Array(values) => values.iter().find_map(|value| reason(key, value)),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<&'static str> {
    if text.contains('@') && text.contains('.') {
        return Some("an e-mail address");
    }
    // A UUID holds dashes, so it is looked for before the text is split.
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.into_iter().find_map(|word| {
        if is_uuid(word) {
            return Some("a UUID");
        }
        word.split('-').find_map(|part| {
            let digits = part.chars().filter(char::is_ascii_digit).count();
            let is_hex = part.chars().all(|c| c.is_ascii_hexdigit());
            match () {
                () if part.len() >= 4 && digits == part.len() => Some("a number"),
                () if part.len() >= 12 && is_hex && digits > 0 => Some("a hexadecimal id"),
                // ULID, nanoid, base62: long, and mixed beyond what words are.
                () if part.len() >= 20 && digits >= 4 => Some("a random id"),
                () => None,
            }
        })
    })
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn ids_are_seen() {
        for (value, expected) in [
            ("6f1c1f0e-6d0c-4b9e-9d39-2f7c3b0f6a11", "a UUID"),
            ("/users/6f1c1f0e-6d0c-4b9e-9d39-2f7c3b0f6a11/cart", "a UUID"),
            ("/users/12345", "a number"),
            ("order-2024001", "a number"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "a hexadecimal id"),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "a random id"),
            ("ada@example.com", "an e-mail address"),
        ] {
            assert_eq!(reason("key", &value.into()), Some(expected), "{value}");
        }
        assert_eq!(reason("user.id", &1_234_567.into()), Some("a large number"));
    }

    #[test]
    fn ordinary_values_are_not() {
        for value in [
            "GET",
            "/users/{id}",
            "_OTHER",
            "https",
            "2",
            "1.1",
            "SELECT",
            "gpt-4o",
            "127.0.0.1",
            "POST /cart",
            "v2",
            "java.net.UnknownHostException",
            "shop.cart.v1.CartService/Add",
            "us-east-1",
            "deadbeef",
            "",
        ] {
            assert_eq!(reason("key", &value.into()), None, "{value}");
        }
        assert_eq!(reason("http.response.status_code", &404.into()), None);
        assert_eq!(reason("server.port", &50_051.into()), None);
        assert_eq!(reason("gen_ai.request.model", &"gpt-4o-2024-08-06".into()), None);
        assert_eq!(reason("gen_ai.response.model", &"claude-3-5-sonnet-20241022".into()), None);
        assert_eq!(reason("server.address", &"db-12345.example.com".into()), None);
    }
}
