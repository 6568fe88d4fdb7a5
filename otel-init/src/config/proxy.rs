//! The variables that name a proxy. The export uses none; who relies on one is told so where the collector is not reached.

use super::{Destinations, Endpoint, ExporterConfig};

const FOR_HTTP: &[&str] = &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const FOR_HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Notes at each destination which variable names a proxy for it, in vain.
pub(super) fn note(destinations: &mut Destinations, lookup: &dyn Fn(&str) -> Option<String>) {
    for exporter in destinations.exporters_mut() {
        if let ExporterConfig::Otlp(otlp) = exporter {
            otlp.unused_proxy = unused(&otlp.endpoint, lookup);
        }
    }
}

fn unused(endpoint: &Endpoint, lookup: &dyn Fn(&str) -> Option<String>) -> Option<&'static str> {
    let is_set = |name: &&&str| lookup(name).is_some_and(|value| !value.trim().is_empty());
    let names = if endpoint.is_https() { FOR_HTTPS } else { FOR_HTTP };
    let name = names.iter().find(is_set)?;
    let host = endpoint.authority().rsplit_once(':').map_or(endpoint.authority(), |(host, _)| host);
    let is_direct = |list: String| {
        let mut entries = list.split(',').map(|entry| entry.trim().trim_start_matches('.'));
        entries.any(|entry| entry == "*" || (!entry.is_empty() && host.ends_with(entry)))
    };
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let direct = ["no_proxy", "NO_PROXY"].iter().filter_map(|name| lookup(name)).any(is_direct);
    (!is_here && !direct).then_some(*name)
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, unused};
    use crate::Protocol;

    #[test]
    fn a_proxy_that_would_be_asked_is_named() {
        for (url, variables, expected) in [
            ("http://collector:4318", &[("HTTP_PROXY", "http://proxy")][..], Some("HTTP_PROXY")),
            ("https://collector", &[("HTTP_PROXY", "http://proxy")], None),
            ("https://collector", &[("ALL_PROXY", "socks5://proxy")], Some("ALL_PROXY")),
            ("https://collector", &[("HTTPS_PROXY", " ")], None),
            ("http://localhost:4318", &[("HTTP_PROXY", "http://proxy")], None),
            ("http://otel.corp:4318", &[("HTTP_PROXY", "http://proxy"), ("NO_PROXY", "a, .corp")], None),
            ("http://otel.corp", &[("HTTP_PROXY", "http://proxy"), ("no_proxy", "*")], None),
            ("http://otel.corp", &[("http_proxy", "http://proxy"), ("NO_PROXY", "a,")], Some("http_proxy")),
        ] {
            let lookup = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            let endpoint = Endpoint::exact(url, Protocol::Grpc, false).unwrap();
            assert_eq!(unused(&endpoint, &lookup), expected, "{url} {variables:?}");
        }
    }
}
