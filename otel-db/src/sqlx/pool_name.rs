//! Names of pools: unique while the pools live.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::driver::Target;

static NAMES: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A name that no other pool of the process has; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct PoolName(String);

impl PoolName {
    /// `name`, or `name-2` and so on if it is taken: two pools that report under one name would hide each other.
    pub(super) fn reserve(name: &str) -> Self {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let mut candidate = name.to_owned();
        let mut number = 2_u32;
        while !names.insert(candidate.clone()) {
            candidate = format!("{name}-{number}");
            number += 1;
        }
        Self(candidate)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for PoolName {
    fn drop(&mut self) {
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// "The unique name of the connection pool [...] `server.address:server.port/db.namespace`"
pub(super) fn default_name(target: &Target) -> String {
    let mut name = String::new();
    if let Some(address) = &target.address {
        // The path of a socket may have colons too: `/cloudsql/project:region:instance`.
        match address.contains(':') && !address.starts_with('/') {
            true => name.push_str(&format!("[{address}]")),
            false => name.push_str(address),
        }
        if let Some(port) = target.port.or(target.system.default_port()) {
            name.push_str(&format!(":{port}"));
        }
    }
    match &target.namespace {
        Some(namespace) if name.is_empty() => namespace.clone(),
        Some(namespace) => format!("{name}/{namespace}"),
        None if name.is_empty() => target.system.name().to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DbSystem;

    #[test]
    fn a_name_is_unique_while_it_is_in_use() {
        let first = PoolName::reserve("pool of this test");
        let second = PoolName::reserve("pool of this test");
        assert_eq!((first.as_str(), second.as_str()), ("pool of this test", "pool of this test-2"));
        drop(first);
        assert_eq!(PoolName::reserve("pool of this test").as_str(), "pool of this test");
    }

    #[test]
    fn the_default_is_built_of_what_is_known() {
        let name = |address: Option<&str>, port, namespace: Option<&str>| {
            let (address, namespace) = (address.map(ToOwned::to_owned), namespace.map(ToOwned::to_owned));
            default_name(&Target { system: DbSystem::POSTGRESQL, address, port, namespace })
        };
        assert_eq!(name(Some("db"), Some(6432), Some("shop")), "db:6432/shop");
        assert_eq!(name(Some("db"), None, None), "db:5432");
        assert_eq!(name(Some("::1"), Some(6432), Some("shop")), "[::1]:6432/shop");
        assert_eq!(name(Some("/run/a:b"), Some(6432), Some("shop")), "/run/a:b:6432/shop");
        assert_eq!(name(None, None, Some("shop")), "shop");
        assert_eq!(name(None, None, None), "postgresql");
    }
}
