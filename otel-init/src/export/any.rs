//! Exporters of the user's own behind one type: upstream's traits have async functions and cannot be boxed.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::panics::{Panicked, caught_while};

type Exporting<'a> = Pin<Box<dyn Future<Output = OTelSdkResult> + Send + 'a>>;

/// A [`SpanExporter`] that can be boxed. A box for each batch is nothing beside sending it.
pub(crate) trait AnySpanExporter: Debug + Send + Sync {
    fn export_batch(&self, batch: Vec<SpanData>) -> Exporting<'_>;
    fn use_resource(&mut self, resource: &Resource);
    fn end(&self, timeout: Duration) -> OTelSdkResult;
}

// Each `export` is called with the first poll, so that one which panics before it gives a future is caught as well.
impl<E: SpanExporter> AnySpanExporter for E {
    fn export_batch(&self, batch: Vec<SpanData>) -> Exporting<'_> {
        Box::pin(async move { self.export(batch).await })
    }

    fn use_resource(&mut self, resource: &Resource) {
        self.set_resource(resource);
    }

    fn end(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }
}

/// A [`LogExporter`] that can be boxed.
pub(crate) trait AnyLogExporter: Debug + Send + Sync {
    fn export_batch<'a>(&'a self, batch: LogBatch<'a>) -> Exporting<'a>;
    fn use_resource(&mut self, resource: &Resource);
    fn end(&self, timeout: Duration) -> OTelSdkResult;
}

impl<E: LogExporter> AnyLogExporter for E {
    fn export_batch<'a>(&'a self, batch: LogBatch<'a>) -> Exporting<'a> {
        Box::pin(async move { self.export(batch).await })
    }

    fn use_resource(&mut self, resource: &Resource) {
        self.set_resource(resource);
    }

    fn end(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }
}

/// A [`PushMetricExporter`] that can be boxed.
pub(crate) trait AnyMetricExporter: Send + Sync {
    fn export_batch<'a>(&'a self, metrics: &'a ResourceMetrics) -> Exporting<'a>;
    fn preferred_temporality(&self) -> Temporality;
    fn end(&self, timeout: Duration) -> OTelSdkResult;
}

impl<E: PushMetricExporter> AnyMetricExporter for E {
    fn export_batch<'a>(&'a self, metrics: &'a ResourceMetrics) -> Exporting<'a> {
        Box::pin(async move { self.export(metrics).await })
    }

    fn preferred_temporality(&self) -> Temporality {
        self.temporality()
    }

    fn end(&self, timeout: Duration) -> OTelSdkResult {
        self.shutdown_with_timeout(timeout)
    }
}

/// What the user's exporter says, a panic included: the batch thread must live on.
pub(super) async fn guarded(exporting: Exporting<'_>) -> OTelSdkResult {
    caught_while(exporting).await.unwrap_or_else(|panicked| Err(told(panicked)))
}

/// What becomes of a panic of the user's exporter.
pub(super) fn told(_: Panicked) -> OTelSdkError {
    OTelSdkError::InternalFailure("the exporter panicked".to_owned())
}
