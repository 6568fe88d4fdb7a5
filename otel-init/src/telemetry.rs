//! [`Telemetry`], the guard that an installation gives back.

use std::future::Future;
use std::sync::Arc;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::sampling::SamplerHandle;
use crate::shutdown::Lifecycle;
use crate::{
    Control, EffectiveConfig, FlushError, FlushReport, Health, MeterProvider, OpenSpan, ShutdownError,
    ShutdownReport, TelemetryBuilder, TracerProvider, diagnostics, subscriber,
};

/// The telemetry of this process, for as long as it is kept.
///
/// End the service with [`shutdown`](Self::shutdown), which tells what could not be delivered. Dropping does the same
/// and only logs the error.
///
/// ```no_run
/// # async fn serve() {}
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let telemetry = otel_init::Telemetry::builder().with_service_name("shop").install()?;
/// serve().await;
/// telemetry.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the guard shuts telemetry down; keep it until the service ends: `let telemetry = ..`"]
#[derive(Debug)]
pub struct Telemetry {
    lifecycle: Arc<Lifecycle>,
    resource: Resource,
    effective: EffectiveConfig,
}

impl Telemetry {
    /// Starts the configuration.
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder::new()
    }

    pub(crate) fn new(pipeline: Pipeline, config: Config) -> Self {
        let effective = config.effective();
        let lifecycle = Arc::new(Lifecycle::new(pipeline, config.shutdown_timeout));
        Self { lifecycle, resource: config.resource, effective }
    }

    pub(crate) fn lifecycle(&self) -> &Arc<Lifecycle> {
        &self.lifecycle
    }

    /// Sends what is queued now, within the shutdown timeout. For moments after which the process may not run for a
    /// while, such as the end of a serverless invocation. After a shutdown there is nothing left to send.
    ///
    /// The future needs no particular runtime; the work happens on other threads and begins with the first poll.
    ///
    /// # Errors
    ///
    /// Names each signal that could not be delivered, its destination and the cause; `(kept in memory)` behind it is sent again
    /// with the next flush, or without one.
    pub fn flush(&self) -> impl Future<Output = Result<FlushReport, FlushError>> + Send + use<> {
        let lifecycle = Arc::clone(&self.lifecycle);
        async move { lifecycle.begin_flush().completed().await }
    }

    /// [`flush`](Self::flush) for code without a runtime. It blocks this thread, also inside a runtime, and does not
    /// deadlock there.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush).
    pub fn flush_blocking(&self) -> Result<FlushReport, FlushError> {
        self.lifecycle.begin_flush().wait()
    }

    /// Sends what is queued and stops exporting, within the shutdown timeout. The second and every later call, in
    /// either form, gives the first result again.
    ///
    /// The future needs no particular runtime; the work happens on other threads and begins with the first poll.
    ///
    /// # Errors
    ///
    /// Names each signal that could not be delivered, its destination and the cause. Telemetry is shut down all the
    /// same.
    pub fn shutdown(&self) -> impl Future<Output = Result<ShutdownReport, ShutdownError>> + Send + use<> {
        let lifecycle = Arc::clone(&self.lifecycle);
        async move { lifecycle.begin_shutdown().completed().await }
    }

    /// [`shutdown`](Self::shutdown) for code without a runtime. It blocks this thread, also inside a runtime, and does
    /// not deadlock there.
    ///
    /// # Errors
    ///
    /// As for [`shutdown`](Self::shutdown).
    pub fn shutdown_blocking(&self) -> Result<ShutdownReport, ShutdownError> {
        self.lifecycle.begin_shutdown().wait()
    }

    /// How the export does: what was made, delivered, lost, and what waits. Cheap enough for a readiness page.
    ///
    /// After the shutdown it stays as it was then.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::of(&self.lifecycle.pipeline)
    }

    /// The spans that have not ended, the oldest first: what the process is doing now. With
    /// [`with_open_spans`](TelemetryBuilder::with_open_spans); none otherwise, and after the shutdown.
    #[must_use]
    pub fn open_spans(&self) -> Vec<OpenSpan> {
        self.lifecycle.pipeline.open_spans.as_ref().map(|open| open.list()).unwrap_or_default()
    }

    /// The configuration in force, with the source of every value and without secrets. It prints as a text with a line for
    /// each setting.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = otel_init::Telemetry::builder()
    ///     .with_environment(|name| (name == "OTEL_TRACES_SAMPLER").then(|| "always_off".to_owned()))
    ///     .install()?;
    /// let config = telemetry.config();
    /// assert!(config.to_string().contains("tracer_provider.sampler = always_off  # OTEL_TRACES_SAMPLER"));
    /// # drop(telemetry);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn config(&self) -> &EffectiveConfig {
        &self.effective
    }

    /// Changes what is exported while the process runs: signals, the level, drop rules, attributes, or everything at once.
    pub fn control(&self) -> Control {
        self.lifecycle.pipeline.control()
    }

    /// Changes which traces are recorded while the process runs.
    #[must_use]
    pub fn sampler(&self) -> SamplerHandle {
        self.lifecycle.pipeline.sampling.handle()
    }

    /// A layer for a `tracing` subscriber of the service's own, which exports its spans and events up to the configured
    /// level ([`with_telemetry_level`](TelemetryBuilder::with_telemetry_level)). The crates that the export runs through are
    /// left out. For an installation [`without_tracing_subscriber`](TelemetryBuilder::without_tracing_subscriber).
    ///
    /// ```
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = otel_init::Telemetry::builder()
    ///     .without_tracing_subscriber()
    ///     .with_environment(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
    ///     .install()?;
    /// let subscriber = tracing_subscriber::registry().with(telemetry.tracing_layer());
    /// tracing::subscriber::set_global_default(subscriber)?;
    /// # telemetry.shutdown_blocking()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tracing_layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        subscriber::export_layer(&self.lifecycle.pipeline)
    }

    /// Where Prometheus can fetch metrics until the shutdown, if it can: with the exporter `prometheus`, and a port that was
    /// free.
    #[must_use]
    pub fn prometheus_address(&self) -> Option<std::net::SocketAddr> {
        self.lifecycle.pipeline.prometheus_address
    }

    /// The provider that makes tracers; the global one is the same, unless `OTEL_SDK_DISABLED` is set.
    #[must_use]
    pub fn tracer_provider(&self) -> &TracerProvider {
        &self.lifecycle.pipeline.tracer_provider
    }

    /// The provider that makes meters; the global one is the same, unless `OTEL_SDK_DISABLED` is set.
    #[must_use]
    pub fn meter_provider(&self) -> &MeterProvider {
        &self.lifecycle.pipeline.meter_provider
    }

    /// The provider that makes loggers. OpenTelemetry has no global one.
    #[must_use]
    pub fn logger_provider(&self) -> &SdkLoggerProvider {
        &self.lifecycle.pipeline.logger_provider
    }

    /// What all telemetry of this process says about the process.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // A shutdown that somebody began and gave up waiting for is waited for too, but its result was theirs.
        let is_reported = self.lifecycle.is_shutdown_begun();
        let result = self.shutdown_blocking();
        if is_reported {
            return;
        }
        if let Err(error) = result {
            diagnostics::warn(&error.to_string());
        }
        subscriber::guard_dropped();
    }
}
