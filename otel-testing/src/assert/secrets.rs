//! Where a text is found in what would be exported.

use crate::captured::Captured;
use crate::{AttributeValue, Attributes, ReceivedMetric, ReceivedResource, Scope};

/// One line per secret and place. Everything that OTLP carries is looked at: names, keys, values, descriptions, bodies,
/// states, scopes and resources.
pub(super) fn found(captured: &Captured, secrets: &[String]) -> Vec<String> {
    let secrets = secrets.iter().map(|secret| (secret.as_str(), forms(secret))).collect();
    let mut search = Search { secrets, found: Vec::new() };
    for span in &captured.spans {
        let place = format!("span {:?}", span.name);
        search.text(&format!("the name of {place}"), &span.name);
        search.text(&format!("the trace state of {place}"), &span.trace_state);
        if let opentelemetry::trace::Status::Error { description } = &span.status {
            search.text(&format!("the status of {place}"), description);
        }
        search.attributes(&place, &span.attributes);
        search.scope(&place, &span.scope);
        search.resource(&span.resource);
        for event in &span.events {
            let place = format!("event {:?} of {place}", event.name);
            search.text(&format!("the name of {place}"), &event.name);
            search.attributes(&place, &event.attributes);
        }
        for link in &span.links {
            let place = format!("a link of {place}");
            search.text(&format!("the trace state of {place}"), &link.trace_state);
            search.attributes(&place, &link.attributes);
        }
    }
    for ReceivedMetric { resource, metric } in captured.exports.iter().map(AsRef::as_ref) {
        let place = format!("metric {:?}", metric.name);
        for text in [&metric.name, &metric.description, &metric.unit] {
            search.text(&place, text);
        }
        search.scope(&place, &metric.scope);
        search.resource(resource);
        for point in &metric.points {
            search.attributes(&place, &point.attributes);
            for exemplar in &point.exemplars {
                search.attributes(&format!("an exemplar of {place}"), &exemplar.filtered_attributes);
            }
        }
    }
    for log in &captured.logs {
        let place = format!("log {:?}", log.message());
        search.value(&format!("the body of {place}"), &log.body);
        search.text(&format!("the severity of {place}"), &log.severity_text);
        search.text(&format!("the event name of {place}"), &log.event_name);
        search.attributes(&place, &log.attributes);
        search.scope(&place, &log.scope);
        search.resource(&log.resource);
    }
    search.found.sort_unstable();
    search.found.dedup();
    search.found
}

/// As it is, as a text in JSON, and as it stands in URLs and forms: attributes hold all of these.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let url = |digits: fn(u8) -> String| -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        secret
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { digits(byte) })
            .collect()
    };
    let upper = url(|byte| format!("%{byte:02X}"));
    let mut forms = vec![
        secret.to_owned(),
        json[1..json.len() - 1].to_owned(),
        upper.replace("%20", "+"),
        url(|byte| format!("%{byte:02x}")),
        upper,
    ];
    forms.sort_unstable();
    forms.dedup();
    forms
}

struct Search<'a> {
    /// With the forms that each may have.
    secrets: Vec<(&'a str, Vec<String>)>,
    found: Vec<String>,
}

impl Search<'_> {
    fn bytes(&mut self, place: &str, bytes: &[u8]) {
        for (secret, forms) in &self.secrets {
            let is_there = |form: &String| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            if forms.iter().any(is_there) {
                self.found.push(format!("{secret:?} is in {place}"));
            }
        }
    }

    fn text(&mut self, place: &str, text: &str) {
        self.bytes(place, text.as_bytes());
    }

    fn value(&mut self, place: &str, value: &AttributeValue) {
        match value {
            AttributeValue::String(text) => self.text(place, text),
            AttributeValue::Bytes(bytes) => self.bytes(place, bytes),
            AttributeValue::Array(values) => values.iter().for_each(|value| self.value(place, value)),
            AttributeValue::Map(entries) => {
                for (key, value) in entries {
                    self.text(place, key);
                    self.value(place, value);
                }
            }
            // A secret may be a number, such as that of a card.
            number => self.text(place, &number.to_string()),
        }
    }

    fn attributes(&mut self, place: &str, attributes: &Attributes) {
        for (key, value) in attributes.iter() {
            self.text(&format!("a key of {place}"), key);
            self.value(&format!("{key} of {place}"), value);
        }
    }

    fn scope(&mut self, place: &str, scope: &Scope) {
        for text in [&scope.name, &scope.version, &scope.schema_url] {
            self.text(&format!("the scope of {place}"), text);
        }
        self.attributes(&format!("the scope of {place}"), &scope.attributes);
    }

    fn resource(&mut self, resource: &ReceivedResource) {
        self.text("the resource", &resource.schema_url);
        self.attributes("the resource", &resource.attributes);
    }
}
