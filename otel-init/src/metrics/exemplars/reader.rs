//! Exemplars for the requests of one exporter.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::{KeyValue, trace};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue as WireKeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, exemplar};
use opentelemetry_proto::transform::common::tonic::Attributes;
use prost::Message;

use super::kept::{Kept, Number, Sample};
use super::stream::{Stream, bucket, magnitude};
use super::{Exemplars, lock};

/// Gives an exporter the exemplars that were measured since its last collection.
#[derive(Debug)]
pub(crate) struct ExemplarReader {
    exemplars: Arc<Exemplars>,
    since: Arc<AtomicU64>,
}

pub(super) type Fresh = Vec<(Arc<[KeyValue]>, Sample)>;

impl ExemplarReader {
    pub(crate) fn new(exemplars: &Arc<Exemplars>) -> Self {
        let since: Arc<AtomicU64> = Arc::default();
        lock(&exemplars.readers).push(Arc::clone(&since));
        Self { exemplars: Arc::clone(exemplars), since }
    }

    /// Puts them to the points they belong to; what belongs to none is left out. Before redaction.
    pub(crate) fn attach(&self, request: &mut ExportMetricsServiceRequest) {
        self.collect(|kept, fresh| hand_out(kept, fresh, request));
    }

    /// Calls `take` for each instrument that has some.
    pub(super) fn collect(&self, mut take: impl FnMut(&Kept, &Fresh)) {
        let until = self.exemplars.tick.fetch_add(1, Ordering::AcqRel) + 1;
        let ticks = self.since.load(Ordering::Relaxed)..until;
        let oldest = self.exemplars.oldest_without(&self.since).min(until);
        for kept in self.exemplars.all() {
            let fresh = kept.fresh(&ticks, oldest);
            if !fresh.is_empty() {
                take(&kept, &fresh);
            }
        }
        // Not before all is read, or a reader that collects meanwhile has forgotten what this one has not seen.
        self.since.store(until, Ordering::Relaxed);
    }
}

fn hand_out(kept: &Kept, fresh: &Fresh, request: &mut ExportMetricsServiceRequest) {
    let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    let own = scopes
        .filter(|scope| scope.scope.as_ref() == Some(&kept.scope) && scope.schema_url == kept.schema_url);
    for metric in own.flat_map(|scope| &mut scope.metrics).filter(|metric| metric.unit == kept.unit) {
        if let Some(stream) = kept.streams.iter().find(|stream| stream.is(metric)) {
            give(metric, by_point(stream, fresh));
        }
    }
}

/// By what identifies a point, the latest first.
fn by_point(stream: &Stream, fresh: &Fresh) -> HashMap<Vec<u8>, Vec<Exemplar>> {
    let mut by_point: HashMap<_, Vec<_>> = HashMap::new();
    for (attributes, sample) in fresh {
        let all = attributes.iter().cloned();
        let (own, others): (Vec<_>, Vec<_>) = all.partition(|attribute| stream.has(&attribute.key));
        let filtered = others.into_iter().chain(sample.filtered.iter().cloned());
        let exemplar = exemplar(sample, Attributes::from(filtered).0);
        by_point.entry(identity(&Attributes::from(own).0)).or_default().push(exemplar);
    }
    for exemplars in by_point.values_mut() {
        exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time_unix_nano));
    }
    by_point
}

/// The order is nobody's, and the first of those with the same key counts, as in the SDK.
fn identity(attributes: &[WireKeyValue]) -> Vec<u8> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    sorted.dedup_by(|one, other| one.key == other.key);
    sorted.into_iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

/// Each to its point, one for each bucket there.
fn give(metric: &mut Metric, mut by_point: HashMap<Vec<u8>, Vec<Exemplar>>) {
    let mut of = |attributes: &[WireKeyValue]| by_point.remove(&identity(attributes)).unwrap_or_default();
    match &mut metric.data {
        Some(Data::Histogram(data)) => {
            for point in &mut data.data_points {
                let bounds = &point.explicit_bounds;
                point.exemplars = one_each(of(&point.attributes), |value| bucket(bounds, value));
            }
        }
        Some(Data::ExponentialHistogram(data)) => {
            for point in &mut data.data_points {
                point.exemplars = one_each(of(&point.attributes), magnitude);
            }
        }
        Some(Data::Sum(data)) => {
            for point in &mut data.data_points {
                point.exemplars = one_each(of(&point.attributes), |_| 0);
            }
        }
        Some(Data::Gauge(data)) => {
            for point in &mut data.data_points {
                point.exemplars = one_each(of(&point.attributes), |_| 0);
            }
        }
        Some(Data::Summary(_)) | None => {}
    }
}

/// The latest of each slot: threads have theirs apart, and a view may have made one point of several.
fn one_each(mut exemplars: Vec<Exemplar>, slot: impl Fn(f64) -> usize) -> Vec<Exemplar> {
    let mut seen = BTreeSet::new();
    exemplars.retain(|exemplar| seen.insert(slot(value_of(exemplar))));
    exemplars
}

#[expect(clippy::cast_precision_loss, reason = "as for the buckets")]
fn value_of(exemplar: &Exemplar) -> f64 {
    match exemplar.value {
        Some(exemplar::Value::AsInt(value)) => value as f64,
        Some(exemplar::Value::AsDouble(value)) => value,
        None => 0.0,
    }
}

fn exemplar(sample: &Sample, filtered_attributes: Vec<WireKeyValue>) -> Exemplar {
    let is_known = sample.ids.trace_id != trace::TraceId::INVALID;
    let id = |bytes: &[u8]| if is_known { bytes.to_vec() } else { Vec::new() };
    Exemplar {
        filtered_attributes,
        time_unix_nano: sample.time,
        span_id: id(&sample.ids.span_id.to_bytes()),
        trace_id: id(&sample.ids.trace_id.to_bytes()),
        value: Some(match sample.value {
            Number::Integer(value) => exemplar::Value::AsInt(value),
            Number::Float(value) => exemplar::Value::AsDouble(value),
        }),
    }
}
