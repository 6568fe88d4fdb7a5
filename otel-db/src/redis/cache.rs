//! Whether a cache had what it was asked for.

use redis::Value;

/// Commands that ask for values by their keys. `Nil` is the answer for a key that is not there.
const LOOKUPS: [&str; 7] = ["GET", "GETDEL", "GETEX", "HGET", "HMGET", "MGET", "JSON.GET"];

/// What was found and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) hits: u64,
    pub(super) misses: u64,
}

impl Lookup {
    /// `None` for a command that is no lookup, and for an answer that says nothing about it.
    pub(super) fn of(command: &str, answer: &Value) -> Option<Self> {
        if !LOOKUPS.contains(&command) {
            return None;
        }
        match answer {
            Value::Array(values) => {
                let misses = values.iter().filter(|value| matches!(value, Value::Nil)).count() as u64;
                Some(Self { hits: values.len() as u64 - misses, misses })
            }
            // Inside of a transaction, and asleep in a pipeline: the value comes later.
            Value::SimpleString(_) | Value::ServerError(_) => None,
            Value::Nil => Some(Self { hits: 0, misses: 1 }),
            _ => Some(Self { hits: 1, misses: 0 }),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_and_misses() {
        let value = || Value::BulkString(b"x".to_vec());
        let lookup = |hits, misses| Some(Lookup { hits, misses });
        assert_eq!(Lookup::of("GET", &value()), lookup(1, 0));
        assert_eq!(Lookup::of("GET", &Value::Nil), lookup(0, 1));
        assert_eq!(Lookup::of("MGET", &Value::Array(vec![value(), Value::Nil, value()])), lookup(2, 1));
        assert_eq!(Lookup::of("GET", &Value::SimpleString("QUEUED".into())), None);
        assert_eq!(Lookup::of("SET", &Value::Okay), None);
    }
}
