//! What can be known about the process without being told.
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
    pub(crate) detect: fn(&Variables) -> Vec<(Key, Value)>,
}

/// Later ones win where two know the same.
pub(crate) const ALL: &[Detector] = &[
    Detector { name: "service", is_local: true, variables: &[], detect: service::detect },
    Detector { name: "process", is_local: true, variables: process::VARIABLES, detect: process::detect },
    Detector { name: "host", is_local: true, variables: host::VARIABLES, detect: host::detect },
    Detector { name: "os", is_local: true, variables: &[], detect: host::os },
    Detector { name: "container", is_local: true, variables: &[], detect: container::detect },
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

/// An attribute, if there is a value.
fn some(key: &'static str, value: Option<impl Into<Value>>) -> Option<(Key, Value)> {
    value.map(|value| (Key::from_static_str(key), value.into()))
}
