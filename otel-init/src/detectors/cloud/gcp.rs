//! Google: Compute Engine, Kubernetes Engine, Cloud Run.

use super::{ask_json, cloud, text};
use crate::config::Variables;
use crate::detectors::{Attribute, IN_POD, is_in_pod, some};

pub(crate) const VARIABLES: &[&str] = &[
    "K_SERVICE",
    "K_REVISION",
    IN_POD,
    // Where the tools of Google look too: a host, perhaps with a port.
    "GCE_METADATA_HOST",
];

pub(crate) fn detect(variables: &Variables) -> Vec<Attribute> {
    let host = variables.text("GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".to_owned());
    let url = format!("http://{host}/computeMetadata/v1/?recursive=true");
    let service = variables.text("K_SERVICE");
    let metadata = match ask_json(&url, &[("metadata-flavor", "Google")]) {
        Some(metadata) => metadata,
        // Its variables tell enough.
        None if service.is_some() => serde_json::Value::Null,
        None => return Vec::new(),
    };
    let zone = text(&metadata, "/instance/zone").map(|zone| last(&zone));
    let region = zone.as_deref().and_then(|zone| Some(zone.rsplit_once('-')?.0.to_owned()));
    let region = text(&metadata, "/instance/region").map(|region| last(&region)).or(region);
    let id = text(&metadata, "/instance/id");
    let (platform, more) = match service {
        Some(service) => (
            "gcp_cloud_run",
            [
                some("faas.name", Some(service)),
                some("faas.version", variables.text("K_REVISION")),
                some("faas.instance", id),
            ],
        ),
        None if is_in_pod(variables) => {
            let cluster = text(&metadata, "/instance/attributes/cluster-name");
            ("gcp_kubernetes_engine", [some("k8s.cluster.name", cluster), some("host.id", id), None])
        }
        None => {
            let kind = text(&metadata, "/instance/machineType").map(|kind| last(&kind));
            let name = some("host.name", text(&metadata, "/instance/name"));
            ("gcp_compute_engine", [some("host.id", id), some("host.type", kind), name])
        }
    };
    let everywhere = [
        some("cloud.account.id", text(&metadata, "/project/projectId")),
        some("cloud.region", region),
        some("cloud.availability_zone", zone),
    ];
    cloud("gcp", platform, everywhere.into_iter().chain(more))
}

/// `projects/1/zones/europe-west1-b` is about the last.
fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
