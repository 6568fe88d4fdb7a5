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
const DETECTOR: &str = "a resource detector";

/// The resource: code over `OTEL_SERVICE_NAME` over `OTEL_RESOURCE_ATTRIBUTES` over what was detected.
///
/// Upstream's builder is not used: it lets the attributes win over `OTEL_SERVICE_NAME`, decodes no escapes and always
/// reads the variables of the process.
pub(crate) fn resolve(chosen: &[String], settings: &Settings, environment: &Environment<'_>) -> Resource {
    let mut attributes = Attributes::of_every_resource();
    let timeout = settings.detection_timeout.unwrap_or(detection::TIMEOUT);
    let found = detection::run(chosen, &settings.registry, &Filter::default(), timeout, environment);
    attributes.lay(DETECTOR, found);
    attributes.lay(ATTRIBUTES, from_environment(environment));
    attributes.lay(SERVICE_NAME, of_service_name(settings, environment));
    attributes.with_code(settings).build(None, environment)
}

/// The resource of a configuration file: code over what it says over what its detectors found.
pub(crate) fn of_file(file: &FileConfig, settings: &Settings, environment: &Environment<'_>) -> Resource {
    let timeout = settings.detection_timeout.unwrap_or(detection::TIMEOUT);
    let mut attributes = Attributes::of_every_resource();
    let found =
        detection::run(&file.config.detectors, &settings.registry, &file.detected, timeout, environment);
    attributes.lay(DETECTOR, found);
    // The service's detector "populates service.name based on the OTEL_SERVICE_NAME environment variable".
    if file.config.detectors.iter().any(|name| name == "service") {
        attributes.lay(SERVICE_NAME, of_service_name(settings, environment));
    }
    attributes.lay("the configuration file", file.resource.iter().cloned());
    attributes.with_code(settings).build(file.schema_url.clone(), environment)
}

/// Whether this is a name of a service that is none, as a variable leaves behind that is not set: the one below holds.
pub(super) fn is_nameless(key: &str, value: &str) -> bool {
    key == "service.name" && value.trim().is_empty()
}

/// Put together from below.
struct Attributes {
    attributes: BTreeMap<Key, Value>,
    /// Who gave the service no name.
    nameless: Vec<&'static str>,
}

impl Attributes {
    /// What every resource has.
    fn of_every_resource() -> Self {
        let attributes = [
            ("service.name", format!("unknown_service:{}", executable_name())),
            ("telemetry.sdk.name", "opentelemetry".to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.version", SDK_VERSION.to_owned()),
            ("telemetry.distro.name", env!("CARGO_PKG_NAME").to_owned()),
            ("telemetry.distro.version", env!("CARGO_PKG_VERSION").to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (Key::from_static_str(key), value.into()))
        .collect();
        Self { attributes, nameless: Vec::new() }
    }

    fn lay(&mut self, source: &'static str, pairs: impl IntoIterator<Item = (Key, Value)>) {
        for (key, value) in pairs {
            if is_nameless(key.as_str(), &value.as_str()) {
                self.nameless.push(source);
            } else {
                self.attributes.insert(key, value);
            }
        }
    }

    fn with_code(mut self, settings: &Settings) -> Self {
        let given = settings.resource_attributes.iter().map(|kv| (kv.key.clone(), kv.value.clone()));
        let service =
            [("service.name", &settings.service_name), ("service.version", &settings.service_version)];
        let service =
            service.into_iter().filter_map(|(key, value)| Some((key.into(), value.clone()?.into())));
        self.lay("the code", given.chain(service));
        self
    }

    fn build(self, schema: Option<String>, environment: &Environment<'_>) -> Resource {
        let attributes = self.attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
        let resource = match schema {
            Some(url) => Resource::builder_empty().with_schema_url(attributes, url).build(),
            None => Resource::builder_empty().with_attributes(attributes).build(),
        };
        let name = resource.get(&"service.name".into()).unwrap_or_else(|| "".into());
        for source in self.nameless {
            environment
                .warn(format!("{source} has service.name without a name; the service is called {name}"));
        }
        // If the variable is not UTF-8.
        environment.instead(SERVICE_NAME, format!("the service is called {name}"));
        resource
    }
}

/// If the code overrules it, that is told: whoever deploys a service looks for it by the name that they gave it.
fn of_service_name(settings: &Settings, environment: &Environment<'_>) -> Option<(Key, Value)> {
    let name = environment.text(SERVICE_NAME)?;
    if let Some(used) =
        settings.service_name.as_deref().filter(|used| !used.trim().is_empty() && *used != name)
    {
        environment.warn(format!(
            "{SERVICE_NAME} is {name:?}, but the code names the service and wins (`with_service_name`); {used:?} is used"
        ));
    }
    Some(("service.name".into(), name.into()))
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
                "{ATTRIBUTES} cannot be read in its entry {place}, expected {}; the resource has none of its attributes",
                percent::PAIRS
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
