//! Resource detectors: what can be known about the process without being told.
//!
//! <https://opentelemetry.io/docs/specs/semconv/resource/>

#[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
mod cloud;
mod container;
mod host;
mod process;
mod service;

use opentelemetry::{Key, Value};

use crate::config::Variables;

/// A source of resource attributes.
pub(crate) struct Detector {
    pub(crate) name: &'static str,
    /// It looks at this machine alone, and runs unless it is switched off.
    pub(crate) is_local: bool,
    pub(crate) variables: &'static [&'static str],
    pub(crate) detect: fn(&Variables) -> Vec<Attribute>,
}

/// Later ones win where two know the same.
pub(crate) const ALL: &[Detector] = &[
    Detector { name: "service", is_local: true, variables: &[], detect: service::detect },
    Detector { name: "process", is_local: true, variables: process::VARIABLES, detect: process::detect },
    Detector { name: "host", is_local: true, variables: host::VARIABLES, detect: host::detect },
    Detector { name: "os", is_local: true, variables: &[], detect: host::os },
    Detector { name: "container", is_local: true, variables: &[IN_POD], detect: container::detect },
    Detector { name: "k8s", is_local: true, variables: container::VARIABLES, detect: container::kubernetes },
    #[cfg(feature = "aws")]
    Detector { name: "aws", is_local: false, variables: cloud::aws::VARIABLES, detect: cloud::aws::detect },
    #[cfg(feature = "gcp")]
    Detector { name: "gcp", is_local: false, variables: cloud::gcp::VARIABLES, detect: cloud::gcp::detect },
    #[cfg(feature = "azure")]
    Detector {
        name: "azure",
        is_local: false,
        variables: cloud::azure::VARIABLES,
        detect: cloud::azure::detect,
    },
];

type Attribute = (Key, Value);

/// Kubernetes sets it in each of its pods.
const IN_POD: &str = "KUBERNETES_SERVICE_HOST";

fn is_in_pod(variables: &Variables) -> bool {
    variables.text(IN_POD).is_some()
}

/// An attribute, if there is a value.
fn some(key: &'static str, value: Option<impl Into<Value>>) -> Option<Attribute> {
    value.map(|value| (Key::from_static_str(key), value.into()))
}

/// Those that have a value.
fn known(attributes: impl IntoIterator<Item = Option<Attribute>>) -> Vec<Attribute> {
    attributes.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;
    use crate::config::Config;
    use crate::{SettingSource, Telemetry};

    fn detected(builder: crate::TelemetryBuilder) -> BTreeSet<String> {
        let settings = builder.into_settings();
        let config = Config::resolve(&settings, &|_| None, &[]).unwrap().effective();
        let detected = config.settings().iter().filter(|one| *one.source() == SettingSource::Detected);
        detected.filter_map(|one| Some(one.name().strip_prefix("resource.attributes.")?.to_owned())).collect()
    }

    #[test]
    fn each_can_be_had_alone_and_be_switched_off() {
        let all = detected(Telemetry::builder());
        for key in ["service.instance.id", "process.pid", "process.executable.name", "os.type"] {
            assert!(all.contains(key), "{key}: {all:?}");
        }
        for detector in ALL.iter().filter(|detector| detector.is_local) {
            let alone = detected(Telemetry::builder().with_resource_detectors([detector.name]));
            let others = detected(Telemetry::builder().without_resource_detector(detector.name));
            assert!(alone.is_subset(&all) && others.is_subset(&all), "{}", detector.name);
            assert!(alone.is_disjoint(&others), "{}: {alone:?} and {others:?}", detector.name);
            assert_eq!(alone.union(&others).count(), all.len(), "{}", detector.name);
        }
        assert!(detected(Telemetry::builder().with_resource_detectors(Vec::<String>::new())).is_empty());
    }
}
