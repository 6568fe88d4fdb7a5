//! [`TelemetryBuilder`]: what the code says of one installation.

mod destination;
mod disk_buffer;
mod export;
mod logs;
mod metrics;
mod on_error;
mod registry;
mod resource;
mod safety;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::{Key, KeyValue, Value};

pub use destination::OtlpDestination;
pub use disk_buffer::DiskBuffer;
pub use on_error::OnError;
pub(crate) use registry::{
    DetectorFunction, LogExporterFactory, MetricExporterFactory, Registry, SpanExporterFactory,
};

use crate::config::{Config, Settings};
use crate::error::InstallErrorKind;
use crate::install::{self, Claim};
use crate::panics::{CaughtPropagator, caught};
use crate::sampling::Sampling;
use crate::{EffectiveConfig, InstallError, Protocol, Telemetry};

/// Finds the value of a variable.
type Lookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Configures telemetry. What is not set here comes from the environment, what is not set there from the defaults of
/// the specification. Made by [`Telemetry::builder`].
#[must_use = "nothing is installed until `install()` is called"]
pub struct TelemetryBuilder {
    settings: Settings,
    environment: Lookup,
    /// The names of all variables, to find those without effect; none for a lookup that cannot tell them.
    names: Vec<String>,
    on_error: OnError,
}

impl TelemetryBuilder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings::default(),
            on_error: OnError::default(),
            // What is not UTF-8 is marked by that, and refused by who reads it.
            environment: Box::new(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned())),
            names: std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
        }
    }

    /// Sets `service.name`. Otherwise `OTEL_SERVICE_NAME` decides, then `OTEL_RESOURCE_ATTRIBUTES`, then it is
    /// `unknown_service:` and the name of the executable.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.settings.service_name = Some(name.into());
        self
    }

    /// Sets `service.version`, usually to `env!("CARGO_PKG_VERSION")`.
    pub fn with_service_version(mut self, version: impl Into<String>) -> Self {
        self.settings.service_version = Some(version.into());
        self
    }

    /// Adds an attribute to the resource, which describes the process in all telemetry. It wins over the same key in
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub fn with_resource_attribute(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        self.settings.resource_attributes.push(KeyValue::new(key, value));
        self
    }

    /// Sets the collector for all signals, such as `http://collector:4318`. Over HTTP, `/v1/traces`, `/v1/metrics` and
    /// `/v1/logs` are appended. It wins over `OTEL_EXPORTER_OTLP_ENDPOINT` and its variants for one signal. A user and a
    /// password in it, percent-encoded, become an `authorization` header, unless there is one.
    ///
    /// A URL that cannot be used makes [`install`](Self::install) fail.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.settings.endpoint = Some(url.into());
        self
    }

    /// Sets the transport for all signals. It wins over `OTEL_EXPORTER_OTLP_PROTOCOL` and its variants. The default is
    /// [`Protocol::HttpProtobuf`].
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.settings.protocol = Some(protocol);
        self
    }

    /// Bounds [`Telemetry::shutdown`], [`Telemetry::flush`] and dropping the guard. The default is 5
    /// seconds, the most a day.
    pub fn with_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = Some(timeout);
        self
    }

    /// Sets how often metrics are collected and exported. It wins over `OTEL_METRIC_EXPORT_INTERVAL`; the default is
    /// 60 seconds. Zero counts as not set.
    pub fn with_metric_export_interval(mut self, interval: Duration) -> Self {
        self.settings.metric_export_interval = Some(interval).filter(|interval| !interval.is_zero());
        self
    }

    /// Sets which traces are recorded. The default is `OTEL_TRACES_SAMPLER`, which wins over a preset such as
    /// [`Sampling::production`] but not over anything else.
    pub fn with_sampling(mut self, sampling: impl Into<Sampling>) -> Self {
        self.settings.sampling = Some(sampling.into());
        self
    }

    /// Gives a sampler a name that `OTEL_TRACES_SAMPLER` may choose, or `sampler:` in a configuration file, or another meaning
    /// to a name that they know. It is made from `OTEL_TRACES_SAMPLER_ARG`, or the key `argument` of the file, as far as
    /// they are there. A panic of it counts as a bad value: a warning, and the default, or an error in the file.
    ///
    /// ```
    /// use otel_init::sampling::{RateLimit, Sampling};
    ///
    /// let builder = otel_init::Telemetry::builder().with_sampler("careful", |argument| {
    ///     let ratio = argument.and_then(|argument| argument.parse().ok()).unwrap_or(0.1);
    ///     Sampling::probability(ratio).with_rate_limit(RateLimit::per_second(50.0))
    /// });
    /// # let _ = builder;
    /// ```
    pub fn with_sampler(
        mut self,
        name: impl AsRef<str>,
        make: impl Fn(Option<&str>) -> Sampling + Send + Sync + 'static,
    ) -> Self {
        self.settings.registry.add_sampler(name.as_ref(), Arc::new(make));
        self
    }

    /// Gives a propagator a name that `OTEL_PROPAGATORS` may choose, or another meaning to a name that it knows. One that
    /// panics reads and writes nothing, and a warning says so once.
    pub fn with_propagator(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> Box<dyn TextMapPropagator + Send + Sync> + Send + Sync + 'static,
    ) -> Self {
        let (name, told) = (name.into(), Arc::default());
        let caught = {
            let name = name.clone();
            move || -> Box<dyn TextMapPropagator + Send + Sync> {
                Box::new(CaughtPropagator::new(&name, &make, &told))
            }
        };
        self.settings.propagators = self.settings.propagators.with(name, caught);
        self
    }

    /// Records a panic on the span that is current where it happens, as an `exception` event and the status, and as a log
    /// record, with or without a span: `ERROR`, or `FATAL` if the process ends by it. The thread waits until the record is
    /// written, which takes no time unless something holds that up, and then a second at most. Then what is finished is sent; a
    /// panic of the main thread, and with `panic = "abort"` of any thread, waits for that, within the shutdown timeout. The hook
    /// that is set runs after it. Off by default.
    pub fn with_panic_hook(mut self) -> Self {
        self.settings.panic_hook = true;
        self
    }

    /// Takes the configuration from this file in place of the environment, as `OTEL_CONFIG_FILE` does; it wins over that
    /// variable.
    pub fn with_config_file(mut self, path: impl Into<String>) -> Self {
        self.settings.config_file = Some(path.into());
        self
    }

    /// Sets what [`install`](Self::install) does about a configuration that cannot be used. The default is to fail.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Reads variables from `lookup` and not from the process, so that tests need not change the environment.
    ///
    /// What the system itself reads stays as it is: certificates (`SSL_CERT_FILE`) and `NO_COLOR`.
    pub fn with_environment(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Box::new(lookup);
        self.names = Vec::new();
        self
    }

    /// Reads the configuration as [`install`](Self::install) does, and installs nothing: for a test of the configuration file
    /// before it is rolled out. What it gives is what [`Telemetry::config`] would show. Detectors of resource attributes run.
    ///
    /// ```
    /// let folder = std::env::temp_dir();
    /// let path = folder.join(format!("checked-{}.yaml", std::process::id()));
    /// std::fs::write(&path, "file_format: '1.0'\ntracer_provider: {}\n")?;
    /// let checked = otel_init::Telemetry::builder().with_config_file(path.display().to_string()).check();
    /// let error = checked.unwrap_err();
    /// assert_eq!((error.line(), error.key()), (Some(2), Some("tracer_provider")));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a value given in code or in the file cannot be used. Files with certificates are not opened, and no collector
    /// is asked.
    pub fn check(&self) -> Result<EffectiveConfig, InstallError> {
        let mut config = self.resolve()?;
        config.check()?;
        config.protect_resource();
        Ok(config.effective())
    }

    /// Sets up telemetry for this process. Call it once, early in `main`, and keep the guard until the end.
    ///
    /// It works with and without an async runtime, does not connect and does not block: a collector that is not there
    /// is a warning on the console, at most one a minute.
    ///
    /// # Errors
    ///
    /// Fails, with nothing installed, if telemetry was installed before, if a global `tracing` subscriber is set, if a
    /// value given in code or in a configuration file cannot be used, if a function given in code panics, or if the system
    /// gives no threads. A bad value in the environment is a warning and the default holds.
    pub fn install(self) -> Result<Telemetry, InstallError> {
        let claim = Claim::take()?;
        let installed = self.resolve().and_then(|config| install::install(&claim, config));
        let telemetry = match (installed, self.on_error) {
            (Err(error), OnError::Disable) => {
                install::install_nothing(&self.settings, &*self.environment, &error)
            }
            (installed, _) => installed?,
        };
        claim.keep();
        Ok(telemetry)
    }

    fn resolve(&self) -> Result<Config, InstallError> {
        // A lookup of the user's may do anything.
        let resolved = caught(|| Config::resolve(&self.settings, &*self.environment, &self.names));
        resolved.unwrap_or_else(|_| Err(InstallErrorKind::Panicked.into()))
    }

    #[cfg(test)]
    pub(crate) fn into_settings(self) -> Settings {
        self.settings
    }
}

impl std::fmt::Debug for TelemetryBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The endpoint may hold credentials.
        formatter
            .debug_struct("TelemetryBuilder")
            .field("service_name", &self.settings.service_name)
            .field("protocol", &self.settings.protocol)
            .finish_non_exhaustive()
    }
}
