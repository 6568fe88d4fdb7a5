//! The carrier: `params._meta`.

use opentelemetry::propagation::{Extractor, Injector};
use serde_json::{Map, Value};

pub(super) struct MetaInjector<'a>(pub(super) &'a mut Map<String, Value>);

impl Injector for MetaInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), Value::String(value));
    }
}

pub(super) struct MetaExtractor<'a>(pub(super) &'a Map<String, Value>);

impl Extractor for MetaExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}
