//! What the container and Kubernetes say about the process.
//!
//! <https://opentelemetry.io/docs/specs/semconv/resource/k8s/>

use super::{Attribute, IN_POD, is_in_pod, known, some};
use crate::config::Variables;

/// Names that a pod's manifest usually gives to the downward API, and what they are.
const DOWNWARD: &[(&[&str], &str)] = &[
    (&["K8S_POD_NAME", "POD_NAME"], "k8s.pod.name"),
    (&["K8S_POD_UID", "POD_UID"], "k8s.pod.uid"),
    (&["K8S_NAMESPACE_NAME", "POD_NAMESPACE"], "k8s.namespace.name"),
    (&["K8S_NODE_NAME", "NODE_NAME"], "k8s.node.name"),
    (&["K8S_CONTAINER_NAME", "CONTAINER_NAME"], "k8s.container.name"),
];

const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

pub(super) const VARIABLES: &[&str] = &[
    IN_POD,
    "HOSTNAME",
    "K8S_POD_NAME",
    "POD_NAME",
    "K8S_POD_UID",
    "POD_UID",
    "K8S_NAMESPACE_NAME",
    "POD_NAMESPACE",
    "K8S_NODE_NAME",
    "NODE_NAME",
    "K8S_CONTAINER_NAME",
    "CONTAINER_NAME",
];

pub(super) fn detect(variables: &Variables) -> Vec<Attribute> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let of_mounts = || id_of_mounts(&read("/proc/self/mountinfo"), is_in_pod(variables));
    known([some("container.id", id_of_groups(&read("/proc/self/cgroup")).or_else(of_mounts))])
}

pub(super) fn kubernetes(variables: &Variables) -> Vec<Attribute> {
    // Elsewhere the names could mean anything.
    if !is_in_pod(variables) {
        return Vec::new();
    }
    // A pod's host name is its name, and the account's file has its namespace, unless the manifest says otherwise.
    let namespace = std::fs::read_to_string(NAMESPACE).ok().map(|name| name.trim().to_owned());
    let mut attributes =
        known([some("k8s.pod.name", variables.text("HOSTNAME")), some("k8s.namespace.name", namespace)]);
    for (names, key) in DOWNWARD {
        attributes.extend(some(key, names.iter().find_map(|name| variables.text(name))));
    }
    attributes
}

/// Control groups of version 1 end with the id: `/docker/<id>`, `/kubepods/pod../cri-containerd-<id>.scope`.
fn id_of_groups(groups: &str) -> Option<String> {
    groups.lines().find_map(|line| {
        let last = line.rsplit('/').next()?;
        let last = last.strip_suffix(".scope").unwrap_or(last);
        is_id(last.rsplit(['-', ':']).next()?)
    })
}

/// With version 2 the id stands in the paths of files that the runtime mounts: `/var/lib/docker/containers/<id>/hostname`. In a
/// pod these are the files of its sandbox, which all of its containers share, with the sandbox's id.
fn id_of_mounts(mounts: &str, is_in_pod: bool) -> Option<String> {
    let mounts = if is_in_pod { "" } else { mounts };
    mounts
        .lines()
        .filter(|line| line.contains("/hostname") || line.contains("/resolv.conf"))
        .find_map(|line| line.split(['/', ' ']).find_map(is_id))
}

fn is_id(text: &str) -> Option<String> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{VARIABLES, id_of_groups, id_of_mounts, kubernetes};
    use crate::config::{Environment, Variables};

    const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

    #[test]
    fn the_id_is_found_in_the_ways_that_runtimes_write_it() {
        for group in [
            format!("12:pids:/docker/{ID}"),
            format!("0::/system.slice/docker-{ID}.scope"),
            format!("1:name=systemd:/kubepods/burstable/pod1234/{ID}"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"),
            format!("0::/kubepods-pod1.slice:cri-containerd:{ID}"),
        ] {
            assert_eq!(id_of_groups(&group).as_deref(), Some(ID), "{group}");
        }
        for group in ["0::/", "0::/user.slice/user-1000.slice/session-2.scope", ""] {
            assert_eq!(id_of_groups(group), None, "{group}");
        }
        let mounts = format!(
            "1 2 0:1 / / rw - overlay overlay rw\n3 4 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw"
        );
        assert_eq!(id_of_mounts(&mounts, false).as_deref(), Some(ID));
        assert_eq!(id_of_mounts(&mounts, true), None, "the id of the sandbox");
        assert_eq!(id_of_mounts("1 2 0:1 / / rw - overlay overlay rw", false), None);
    }

    #[test]
    fn a_pod_is_described_inside_of_a_cluster_only() {
        let found = |inside: bool| {
            let lookup = |name: &str| match name {
                "KUBERNETES_SERVICE_HOST" => inside.then(|| "10.0.0.1".to_owned()),
                "HOSTNAME" => Some("shop-5d9".to_owned()),
                "POD_NAMESPACE" => Some("store".to_owned()),
                "K8S_NODE_NAME" => Some("node-1".to_owned()),
                _ => None,
            };
            let variables = Variables::read(VARIABLES, &Environment::new(&lookup));
            let found: std::collections::BTreeMap<_, _> = kubernetes(&variables).into_iter().collect();
            let mut found: Vec<_> = found.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
            found.sort();
            found
        };
        assert_eq!(
            found(true),
            ["k8s.namespace.name=store", "k8s.node.name=node-1", "k8s.pod.name=shop-5d9"]
        );
        assert_eq!(found(false), Vec::<String>::new());
    }
}
