//! Redaction of metrics, which pass no processor: on their way to the wire.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use crate::safety::Redactor;

/// Applies the rules to the texts in the attributes of data points. Equal sets that come of it are merged by nobody, so
/// a rule belongs on a value that is not measured by.
pub(super) fn redact(request: &mut ExportMetricsServiceRequest, redactor: &Redactor) {
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        for attributes in attributes_of_metric(metric) {
            attributes.retain_mut(|attribute| is_kept(attribute, redactor));
        }
    }
}

pub(crate) fn attributes_of_metric(metric: &mut Metric) -> Vec<&mut Vec<KeyValue>> {
    match &mut metric.data {
        None => Vec::new(),
        Some(Data::Gauge(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(Data::Sum(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
        Some(Data::Histogram(data)) => {
            data.data_points.iter_mut().map(|point| &mut point.attributes).collect()
        }
        Some(Data::ExponentialHistogram(data)) => {
            data.data_points.iter_mut().map(|point| &mut point.attributes).collect()
        }
        Some(Data::Summary(data)) => data.data_points.iter_mut().map(|point| &mut point.attributes).collect(),
    }
}

fn is_kept(attribute: &mut KeyValue, redactor: &Redactor) -> bool {
    let Some(AnyValue { value: Some(Value::StringValue(text)) }) = &mut attribute.value else {
        return true;
    };
    match redactor.attribute(&attribute.key, text) {
        Ok(None) => true,
        Ok(Some(redacted)) => {
            *text = redacted;
            true
        }
        Err(_removed) => false,
    }
}
