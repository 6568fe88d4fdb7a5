//! The semantic conventions as they are embedded.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

const TEXT: &str = include_str!("registry.txt");

#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) attributes: HashMap<&'static str, Attribute>,
    pub(super) metrics: HashMap<&'static str, Metric>,
    /// By id, such as `span.http.server`.
    pub(super) spans: HashMap<&'static str, Span>,
    pub(super) events: HashMap<&'static str, Event>,
    /// What stands before the first dot of any attribute.
    namespaces: HashSet<&'static str>,
}

#[derive(Debug)]
pub(super) struct Attribute {
    /// `string`, `int`, `double`, `boolean`, `any`, or one of these with `[]`; without `template[...]` around it.
    pub(super) value_type: &'static str,
    /// The key is the start of others: `http.request.header` of `http.request.header.x-tenant`.
    pub(super) is_template: bool,
    /// What an enumeration lists; empty if it is none.
    pub(super) values: Vec<&'static str>,
    /// What to do instead, if it is deprecated.
    pub(super) deprecated: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Metric {
    /// `counter`, `updowncounter`, `histogram` or `gauge`.
    pub(super) instrument: &'static str,
    pub(super) unit: &'static str,
    /// `int`, `double`, or empty if either will do.
    pub(super) number: &'static str,
    pub(super) required: Vec<&'static str>,
    pub(super) deprecated: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Span {
    pub(super) kind: &'static str,
    pub(super) required: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) required: Vec<&'static str>,
    pub(super) deprecated: Option<&'static str>,
}

/// Read once per process.
pub(super) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = Registry::default();
        TEXT.lines().for_each(|line| registry.add(line));
        registry
    })
}

impl Registry {
    /// The definition of an attribute, itself or by its template.
    pub(super) fn attribute(&self, key: &str) -> Option<&Attribute> {
        if let Some(attribute) = self.attributes.get(key) {
            return Some(attribute);
        }
        // The part that is free may hold dots of its own.
        let starts = key.match_indices('.').map(|(dot, _)| &key[..dot]);
        starts.filter_map(|start| self.attributes.get(start)).find(|attribute| attribute.is_template)
    }

    pub(super) fn is_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    fn add(&mut self, line: &'static str) {
        let fields: Vec<&'static str> = line.split('\t').collect();
        match *fields.as_slice() {
            ["a", name, value_type, values, deprecated] => {
                let template = value_type.strip_prefix("template[").and_then(|rest| rest.strip_suffix(']'));
                let attribute = Attribute {
                    value_type: template.unwrap_or(value_type),
                    is_template: template.is_some(),
                    values: list(values, '|'),
                    deprecated: unless_empty(deprecated),
                };
                self.attributes.insert(name, attribute);
                self.namespaces.extend(name.split('.').next());
            }
            ["m", name, instrument, unit, number, required, deprecated] => {
                let required = list(required, ',');
                let deprecated = unless_empty(deprecated);
                self.metrics.insert(name, Metric { instrument, unit, number, required, deprecated });
            }
            ["s", name, kind, required] => {
                self.spans.insert(name, Span { kind, required: list(required, ',') });
            }
            ["e", name, required, deprecated] => {
                let required = list(required, ',');
                self.events.insert(name, Event { required, deprecated: unless_empty(deprecated) });
            }
            // The lines of explanation at the top.
            _ => {}
        }
    }
}

fn list(text: &'static str, separator: char) -> Vec<&'static str> {
    text.split(separator).filter(|item| !item.is_empty()).collect()
}

fn unless_empty(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}
