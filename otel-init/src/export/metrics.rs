//! Redaction of metrics, which pass no processor: on their way to the wire.

use opentelemetry::{Array, StringValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};

use crate::metrics::OVERFLOW;
use crate::safety::Redactor;

/// Applies the rules to the texts in the attributes of data points and of their exemplars. Equal sets that come of it are merged by nobody, so
/// a rule belongs on a value that is not measured by.
pub(super) fn redact(request: &mut ExportMetricsServiceRequest, redactor: &Redactor) {
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    for metric in scopes.flat_map(|scope| &mut scope.metrics) {
        for attributes in attributes_of_metric(metric) {
            attributes.retain_mut(|attribute| is_kept(attribute, redactor));
        }
        for exemplar in exemplars_of_metric(metric) {
            exemplar.filtered_attributes.retain_mut(|attribute| is_kept(attribute, redactor));
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

fn exemplars_of_metric(metric: &mut Metric) -> Vec<&mut Exemplar> {
    match &mut metric.data {
        None | Some(Data::Summary(_)) => Vec::new(),
        Some(Data::Gauge(data)) => {
            data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
        Some(Data::Sum(data)) => data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect(),
        Some(Data::Histogram(data)) => {
            data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
        Some(Data::ExponentialHistogram(data)) => {
            data.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
    }
}

fn is_kept(attribute: &mut KeyValue, redactor: &Redactor) -> bool {
    // Without it, what came after the limit would look like what has no attributes.
    if attribute.key == OVERFLOW {
        return true;
    }
    let Some(value) = attribute.value.as_ref().and_then(measured_by) else {
        return true;
    };
    match redactor.attribute(&attribute.key, &value) {
        Ok(None) => true,
        Ok(Some(redacted)) => {
            attribute.value = Some(redacted.into());
            true
        }
        Err(_removed) => false,
    }
}

/// The value as it was given. A metric has no others than these.
fn measured_by(value: &AnyValue) -> Option<opentelemetry::Value> {
    Some(match value.value.as_ref()? {
        Value::StringValue(text) => text.clone().into(),
        Value::BoolValue(flag) => (*flag).into(),
        Value::IntValue(number) => (*number).into(),
        Value::DoubleValue(number) => (*number).into(),
        Value::ArrayValue(list) => {
            /// What all items are, if they are of one kind.
            fn all<T>(list: &ArrayValue, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
                list.values.iter().map(|value| item(value.value.as_ref()?)).collect()
            }
            let texts = all(list, |item| match item {
                Value::StringValue(text) => Some(StringValue::from(text.clone())),
                _ => None,
            });
            let numbers = all(list, |item| if let Value::IntValue(item) = item { Some(*item) } else { None });
            let doubles =
                all(list, |item| if let Value::DoubleValue(item) = item { Some(*item) } else { None });
            let flags = all(list, |item| if let Value::BoolValue(item) = item { Some(*item) } else { None });
            let list = texts.map(Array::String).or(numbers.map(Array::I64)).or(doubles.map(Array::F64));
            opentelemetry::Value::Array(list.or(flags.map(Array::Bool))?)
        }
        _ => return None,
    })
}
