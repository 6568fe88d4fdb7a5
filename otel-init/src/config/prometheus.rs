//! `OTEL_EXPORTER_PROMETHEUS_*`: where metrics wait to be fetched.

use super::environment::Environment;

const HOST: &str = "OTEL_EXPORTER_PROMETHEUS_HOST";

/// The address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrometheusConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Labels with the name and version of the meter.
    pub(crate) has_scope_labels: bool,
    /// A metric with the resource.
    pub(crate) has_target_info: bool,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: 9464, has_scope_labels: true, has_target_info: true }
    }
}

impl PrometheusConfig {
    /// As it stands in a URL.
    pub(crate) fn address(&self) -> String {
        let (host, port) = (self.bare_host(), self.port);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// An address of IPv6 may have the brackets that it has in a URL.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// "localhost" and 9464 unless the variables say otherwise.
    pub(crate) fn resolve(environment: &Environment<'_>) -> Self {
        let default = Self::default();
        let host = environment.text(HOST);
        environment.instead(HOST, format!("{} is used", default.host));
        Self {
            host: host.unwrap_or(default.host),
            port: environment
                .parsed(&["OTEL_EXPORTER_PROMETHEUS_PORT"], "a port, 0 to 65535", default.port, |value| {
                    value.parse().ok()
                })
                .unwrap_or(default.port),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PrometheusConfig;

    #[test]
    fn an_address_of_ipv6_is_taken_with_and_without_brackets() {
        for (host, bare, address) in [
            ("localhost", "localhost", "localhost:9464"),
            ("::1", "::1", "[::1]:9464"),
            ("[::1]", "::1", "[::1]:9464"),
        ] {
            let config = PrometheusConfig { host: host.to_owned(), ..PrometheusConfig::default() };
            assert_eq!((config.bare_host(), config.address()), (bare, address.to_owned()));
        }
    }
}
