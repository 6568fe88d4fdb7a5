//! Names that strangers choose, kept to a number that metrics can bear.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use opentelemetry::{StringValue, Value};

/// More models, tools and prompts than any service uses.
const MAX_NAMES: usize = 200;
const MAX_LENGTH: usize = 128;

/// The fallback for the names beyond, as for HTTP methods.
const OTHER: &str = "_OTHER";

/// The first 200 names that come; all later ones are `_OTHER`.
///
/// A model's name is in the answer of a server, a tool's in the request of a client, either may be hostile or a gateway for
/// thousands of users. Reading takes no lock; a new name is rare.
#[derive(Debug, Default)]
pub(crate) struct BoundedNames {
    known: ArcSwap<HashSet<Arc<str>>>,
}

/// The names of one [`GenAi`](crate::GenAi).
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) models: BoundedNames,
    /// Of agents, tools, workflows and data sources.
    pub(crate) others: BoundedNames,
    pub(crate) errors: BoundedNames,
}

impl BoundedNames {
    /// The name as an attribute's value, or `_OTHER`.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.known(name).map_or(Value::from(OTHER), |name| Value::String(StringValue::from(name)))
    }

    /// The name, if it is one of the first.
    pub(crate) fn known(&self, name: &str) -> Option<Arc<str>> {
        if let Some(known) = self.known.load().get(name) {
            return Some(Arc::clone(known));
        }
        self.add(name)
    }

    #[cold]
    fn add(&self, name: &str) -> Option<Arc<str>> {
        if name.len() > MAX_LENGTH || self.known.load().len() >= MAX_NAMES {
            return None;
        }
        let name: Arc<str> = Arc::from(name);
        self.known.rcu(|known| {
            let mut more = HashSet::clone(known);
            if more.len() < MAX_NAMES {
                more.insert(Arc::clone(&name));
            }
            more
        });
        self.known.load().get(&*name).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_stay_and_the_others_are_one() {
        let names = BoundedNames::default();
        for number in 0..1_000 {
            let value = names.value(&format!("model-{number}"));
            let expected = if number < MAX_NAMES { format!("model-{number}") } else { OTHER.to_owned() };
            assert_eq!(value.as_str(), expected);
        }
        assert_eq!(names.value("model-7").as_str(), "model-7");
        assert_eq!(BoundedNames::default().value(&"a".repeat(129)).as_str(), OTHER);
    }
}
