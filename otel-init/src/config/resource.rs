//! What is known about the process: the resource.

use std::collections::BTreeMap;
use std::path::Path;

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::environment::Environment;
use super::{Settings, container, percent};

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The resource: code over `OTEL_SERVICE_NAME` over `OTEL_RESOURCE_ATTRIBUTES` over what was detected.
///
/// Upstream's builder is not used: it lets the attributes win over `OTEL_SERVICE_NAME`, decodes no escapes and always
/// reads the variables of the process.
pub(crate) fn resolve(settings: &Settings, environment: &Environment<'_>) -> Resource {
    let mut attributes: BTreeMap<Key, Value> = BTreeMap::new();
    attributes.extend(detected());
    attributes.extend(container::detect(environment));
    attributes.extend(from_environment(environment));
    if let Some(name) = environment.text(SERVICE_NAME) {
        attributes.insert("service.name".into(), name.into());
    }
    attributes.extend(settings.resource_attributes.iter().map(|kv| (kv.key.clone(), kv.value.clone())));
    if let Some(name) = &settings.service_name {
        attributes.insert("service.name".into(), name.clone().into());
    }
    if let Some(version) = &settings.service_version {
        attributes.insert("service.version".into(), version.clone().into());
    }
    Resource::builder_empty()
        .with_attributes(attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)))
        .build()
}

fn from_environment(environment: &Environment<'_>) -> Vec<(Key, Value)> {
    let Some(text) = environment.text(ATTRIBUTES) else {
        return Vec::new();
    };
    // "In case of any error, e.g. failure during the decoding process, the entire environment variable value SHOULD be
    // discarded and an error SHOULD be reported".
    let Some(pairs) = percent::decode_pairs(&text) else {
        environment.warn(format!(
            "{ATTRIBUTES} cannot be read and is ignored as a whole, expected key=value,key=value with values \
             percent-encoded"
        ));
        return Vec::new();
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

/// What this process can tell by itself at no cost.
fn detected() -> Vec<(Key, Value)> {
    let executable = executable_name();
    let mut attributes: Vec<(Key, Value)> = vec![
        ("service.name".into(), format!("unknown_service:{executable}").into()),
        ("service.instance.id".into(), random_uuid().into()),
        ("telemetry.sdk.name".into(), "opentelemetry".into()),
        ("telemetry.sdk.language".into(), "rust".into()),
        ("telemetry.sdk.version".into(), SDK_VERSION.into()),
        ("telemetry.distro.name".into(), env!("CARGO_PKG_NAME").into()),
        ("telemetry.distro.version".into(), env!("CARGO_PKG_VERSION").into()),
        ("process.pid".into(), i64::from(std::process::id()).into()),
        ("process.executable.name".into(), executable.into()),
        ("os.type".into(), os_type().into()),
        ("host.arch".into(), host_arch().into()),
    ];
    if let Some(name) = host_name() {
        attributes.push(("host.name".into(), name.into()));
    }
    attributes
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

/// Names of the semantic conventions where they differ from Rust's.
fn os_type() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn host_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

fn host_name() -> Option<String> {
    let name = if cfg!(target_os = "linux") {
        std::fs::read_to_string("/proc/sys/kernel/hostname").ok()
    } else if cfg!(windows) {
        std::env::var("COMPUTERNAME").ok()
    } else {
        std::env::var("HOSTNAME").ok()
    };
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A random UUID (version 4), as `service.instance.id` should be.
fn random_uuid() -> String {
    let mut bytes = RandomIdGenerator::default().new_trace_id().to_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use opentelemetry::Key;
    use opentelemetry_sdk::Resource;

    use super::{SDK_VERSION, random_uuid};

    #[test]
    fn the_version_is_the_one_of_the_sdk() {
        let upstream = Resource::builder().build();
        assert_eq!(
            upstream.get(&Key::from_static_str("telemetry.sdk.version")),
            Some(opentelemetry::Value::from(SDK_VERSION))
        );
    }

    #[test]
    fn instance_ids_are_uuids_and_differ() {
        let id = random_uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]));
        assert_ne!(id, random_uuid());
    }
}
