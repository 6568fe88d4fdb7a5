//! What is known about the process: the resource.

use std::collections::BTreeMap;
use std::path::Path;

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;

use super::detection::Filter;
use super::environment::Environment;
use super::file::FileConfig;
use super::{Settings, detection, percent};

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The resource: code over `OTEL_SERVICE_NAME` over `OTEL_RESOURCE_ATTRIBUTES` over what was detected.
///
/// Upstream's builder is not used: it lets the attributes win over `OTEL_SERVICE_NAME`, decodes no escapes and always
/// reads the variables of the process.
pub(crate) fn resolve(chosen: &[String], settings: &Settings, environment: &Environment<'_>) -> Resource {
    let mut attributes = always();
    attributes.extend(detection::run(
        chosen,
        &settings.registry,
        &Filter::default(),
        settings.detection_timeout.unwrap_or(detection::TIMEOUT),
        environment,
    ));
    attributes.extend(from_environment(environment));
    if let Some(name) = environment.text(SERVICE_NAME) {
        attributes.insert("service.name".into(), name.into());
    }
    let resource = with_code(attributes, settings, None);
    note_name(&resource, environment);
    resource
}

/// The resource of a configuration file: code over what it says over what its detectors found.
pub(crate) fn of_file(file: &FileConfig, settings: &Settings, environment: &Environment<'_>) -> Resource {
    let timeout = settings.detection_timeout.unwrap_or(detection::TIMEOUT);
    let mut attributes = always();
    let found = detection::run(&file.detectors, &settings.registry, &file.detected, timeout, environment);
    attributes.extend(found);
    // The service's detector "populates service.name based on the OTEL_SERVICE_NAME environment variable".
    if file.detectors.iter().any(|name| name == "service")
        && let Some(name) = environment.text(SERVICE_NAME)
    {
        attributes.insert("service.name".into(), name.into());
    }
    attributes.extend(file.resource.iter().cloned());
    let resource = with_code(attributes, settings, file.schema_url.clone());
    note_name(&resource, environment);
    resource
}

/// What the service is called if the variable is not UTF-8.
fn note_name(resource: &Resource, environment: &Environment<'_>) {
    let name = resource.get(&"service.name".into()).unwrap_or_else(|| "".into());
    environment.instead(SERVICE_NAME, format!("the service is called {name}"));
}

fn with_code(mut attributes: BTreeMap<Key, Value>, settings: &Settings, schema: Option<String>) -> Resource {
    attributes.extend(settings.resource_attributes.iter().map(|kv| (kv.key.clone(), kv.value.clone())));
    if let Some(name) = &settings.service_name {
        attributes.insert("service.name".into(), name.clone().into());
    }
    if let Some(version) = &settings.service_version {
        attributes.insert("service.version".into(), version.clone().into());
    }
    let attributes = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
    match schema {
        Some(url) => Resource::builder_empty().with_schema_url(attributes, url).build(),
        None => Resource::builder_empty().with_attributes(attributes).build(),
    }
}

fn from_environment(environment: &Environment<'_>) -> Vec<(Key, Value)> {
    let Some(text) = environment.text(ATTRIBUTES) else {
        environment.instead(ATTRIBUTES, "the resource has none of its attributes");
        return Vec::new();
    };
    // "In case of any error, e.g. failure during the decoding process, the entire environment variable value SHOULD be
    // discarded and an error SHOULD be reported".
    let pairs = match percent::decode_pairs(&text) {
        Ok(pairs) => pairs,
        Err(place) => {
            environment.refuse(ATTRIBUTES);
            environment.warn(format!(
                "{ATTRIBUTES} cannot be read in its entry {place} and is ignored as a whole, expected \
                 key=value,key=value with values percent-encoded; the resource has none of them"
            ));
            return Vec::new();
        }
    };
    for (key, _) in &pairs {
        // Names of older texts, which no backend groups by any more.
        if ["environment", "env", "deployment.environment"].contains(&key.as_str()) {
            environment
                .warn(format!("{ATTRIBUTES} has {key}=..: write deployment.environment.name=.. instead"));
        }
    }
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// What every resource has.
fn always() -> BTreeMap<Key, Value> {
    [
        ("service.name", format!("unknown_service:{}", executable_name())),
        ("telemetry.sdk.name", "opentelemetry".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.sdk.version", SDK_VERSION.to_owned()),
        ("telemetry.distro.name", env!("CARGO_PKG_NAME").to_owned()),
        ("telemetry.distro.version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (Key::from_static_str(key), value.into()))
    .collect()
}

/// The SDK does not export its version; a test compares this with what the SDK says of itself.
const SDK_VERSION: &str = "0.33.1";

fn executable_name() -> String {
    std::env::current_exe()
        .ok()
        .as_deref()
        .and_then(Path::file_stem)
        .map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use opentelemetry::Key;
    use opentelemetry_sdk::Resource;

    use super::SDK_VERSION;

    #[test]
    fn the_version_is_the_one_of_the_sdk() {
        let upstream = Resource::builder().build();
        assert_eq!(
            upstream.get(&Key::from_static_str("telemetry.sdk.version")),
            Some(opentelemetry::Value::from(SDK_VERSION))
        );
    }
}
