//! The one place that sets globals: everything that can fail comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::{InstrumentationScope, global};

use crate::config::{CAPTURED, Config, Instrumentations, Settings};
use crate::error::InstallErrorKind;
use crate::pipeline::Pipeline;
use crate::{InstallError, Telemetry, diagnostics, panics, subscriber};

static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// The right to install in this process. Given back when the installation fails.
pub(crate) struct Claim {
    is_kept: bool,
}

impl Claim {
    pub(crate) fn take() -> Result<Self, InstallError> {
        match IS_INSTALLED.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Self { is_kept: false }),
            Err(_) => Err(InstallErrorKind::AlreadyInstalled.into()),
        }
    }

    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_kept {
            IS_INSTALLED.store(false, Ordering::Release);
        }
    }
}

/// What is left if the configuration cannot be used: the console, and a guard that does nothing.
pub(crate) fn install_nothing(
    settings: &Settings,
    lookup: &dyn Fn(&str) -> Option<String>,
    error: &InstallError,
) -> Telemetry {
    let mut config = Config::nothing(settings, lookup);
    // Somebody else's subscriber, which may be what is wrong, shows the logs then.
    let _ = set_subscriber(&mut config, None);
    diagnostics::warn(&format!("the service runs without telemetry: {error}"));
    let pipeline = Pipeline::disabled(&config.resource);
    Telemetry::new(pipeline, config)
}

/// The claim is the caller's to keep.
pub(crate) fn install(_claim: &Claim, mut config: Config) -> Result<Telemetry, InstallError> {
    // The subscriber comes last, but what has been started by then would tell the other one how it is taken down.
    if config.subscriber.is_some() && subscriber::has_global() {
        return Err(InstallErrorKind::SubscriberAlreadySet.into());
    }
    let held = diagnostics::hold();
    let pipeline =
        if config.is_disabled { install_disabled(&mut config) } else { install_enabled(&mut config) }?;
    global::set_text_map_propagator(propagator(&config));
    for warning in &config.warnings {
        diagnostics::warn(warning);
    }
    drop(held);
    diagnostics::start(&config.summary());
    let has_panic_hook = config.panic_hook;
    let telemetry = Telemetry::new(pipeline, config);
    if has_panic_hook {
        panics::install_hook(telemetry.lifecycle());
    }
    Ok(telemetry)
}

/// "If the SDK is disabled, propagators are still configured", and so is the console.
fn install_disabled(config: &mut Config) -> Result<Pipeline, InstallError> {
    set_subscriber(config, None)?;
    config.protect_resource();
    Ok(Pipeline::disabled(&config.resource))
}

fn install_enabled(config: &mut Config) -> Result<Pipeline, InstallError> {
    let mut previous = None;
    // Set early, because the processors of spans and logs count into the global meter provider of their first moment.
    let pipeline = Pipeline::build(config, |meter_provider| {
        previous = Some(PreviousMeterProvider(global::meter_provider()));
        global::set_meter_provider(meter_provider);
    })?;
    if let Err(error) = set_subscriber(config, Some(&pipeline)) {
        if let Some(previous) = previous {
            global::set_meter_provider(previous);
        }
        // Dropping the providers would send what they hold and wait for the answer.
        pipeline.cut();
        return Err(error);
    }
    global::set_tracer_provider(pipeline.tracer_provider.clone());
    let Instrumentations { disabled, excluded_paths, captured_headers } = &config.instrumentations;
    let install = otel_core::Install::new()
        .with_tracer_provider(pipeline.tracer_provider.clone())
        .with_propagator(propagator(config))
        .with_propagator_reads_only_w3c(reads_only_w3c(config))
        .with_sampler_reads_attributes(config.sampler.sampling.reads_attributes())
        // The SDK is built with the feature, see Cargo.toml.
        .with_bound_instruments(true)
        .with_exemplars(pipeline.exemplars.is_some())
        .with_exemplars_of_unsampled(pipeline.sampling.keeps())
        .with_disabled_instrumentations(disabled);
    let exclude = |install: otel_core::Install, (name, paths): &(String, Vec<String>)| {
        install.with_excluded_paths(name, paths)
    };
    let install = excluded_paths.iter().fold(install, exclude);
    let captured = CAPTURED.iter().zip(captured_headers);
    let capture = |install: otel_core::Install,
                   ((of, _), names): (&(otel_core::HttpHeaders, _), &Vec<String>)| {
        install.with_captured_headers(*of, names)
    };
    captured.fold(install, capture).announce();
    pipeline.sampling.mark_installed();
    Ok(pipeline)
}

fn propagator(config: &Config) -> TextMapCompositePropagator {
    config.sampler.sampling.with_debug_header_in(config.propagators.compose())
}

/// A header that asks for recording is not W3C's.
fn reads_only_w3c(config: &Config) -> bool {
    config.propagators.reads_only_w3c() && config.sampler.sampling.debug_header().is_none()
}

fn set_subscriber(config: &mut Config, pipeline: Option<&Pipeline>) -> Result<(), InstallError> {
    if let Some(subscriber) = &config.subscriber {
        let warnings = subscriber::set_global(subscriber, pipeline)
            .map_err(|_| InstallErrorKind::SubscriberAlreadySet)?;
        config.warnings.extend(warnings);
    }
    Ok(())
}

/// What was global before, to be put back.
struct PreviousMeterProvider(Arc<dyn MeterProvider + Send + Sync>);

impl MeterProvider for PreviousMeterProvider {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        self.0.meter_with_scope(scope)
    }
}
