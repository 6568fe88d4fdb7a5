//! String maps of any type: message headers, task metadata, a row of an outbox.

use opentelemetry::propagation::{Extractor, Injector};

/// Reads context from the pairs of any string map; names are compared without regard to case. Of several pairs of one
/// name the last counts, since [`MapInjector`] appends to a list.
///
/// ```
/// # use otel_core::carrier::MapExtractor;
/// # use opentelemetry::propagation::Extractor;
/// let row = std::collections::BTreeMap::from([("Traceparent", "00-1-2-01")]);
/// assert_eq!(MapExtractor::new(&row).get("traceparent"), Some("00-1-2-01"));
/// ```
#[derive(Debug)]
pub struct MapExtractor<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> MapExtractor<'a> {
    /// Reads from the pairs of a map, or of any list of pairs of strings.
    pub fn new<K, V>(pairs: impl IntoIterator<Item = (&'a K, &'a V)>) -> Self
    where
        K: AsRef<str> + ?Sized + 'a,
        V: AsRef<str> + ?Sized + 'a,
    {
        Self { pairs: pairs.into_iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect() }
    }
}

impl Extractor for MapExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
    }

    fn keys(&self) -> Vec<&str> {
        self.pairs.iter().map(|(name, _)| *name).collect()
    }
}

/// Writes context into any map, or list of pairs, of strings: a map replaces its entry of that very name, a list gets
/// one more pair. Clear a carrier that is used again.
///
/// ```
/// # use otel_core::carrier::MapInjector;
/// # use opentelemetry::propagation::Injector;
/// let mut row = std::collections::BTreeMap::new();
/// MapInjector::new(&mut row).set("traceparent", "00-1-2-01".into());
/// assert_eq!(row["traceparent"], "00-1-2-01");
/// ```
#[derive(Debug)]
pub struct MapInjector<'a, M> {
    map: &'a mut M,
}

impl<'a, M: Extend<(String, String)>> MapInjector<'a, M> {
    /// Writes into `map`.
    pub fn new(map: &'a mut M) -> Self {
        Self { map }
    }
}

impl<M: Extend<(String, String)>> Injector for MapInjector<'_, M> {
    fn set(&mut self, key: &str, value: String) {
        self.map.extend([(key.to_owned(), value)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_list_that_is_used_again_the_new_context_counts() {
        let mut pairs = vec![("Traceparent".to_owned(), "old".to_owned())];
        MapInjector::new(&mut pairs).set("traceparent", "new".into());
        let carrier = MapExtractor::new(pairs.iter().map(|(name, value)| (name, value)));
        assert_eq!(carrier.get("traceparent"), Some("new"));
    }
}
