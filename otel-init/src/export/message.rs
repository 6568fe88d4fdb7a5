//! The requests of the three signals, and what a collector answers.

use std::ops::Range;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

/// What the collector did not take of a request that it accepted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) count: u64,
    pub(super) message: String,
}

/// A request of one signal.
pub(super) trait OtlpRequest: Message + serde::Serialize + Clone + Default + Sized {
    /// The method of the signal's gRPC service.
    const GRPC_PATH: &'static str;
    /// What rejected items are called in a JSON answer.
    const REJECTED: &'static str;

    /// Spans, log records or data points in it.
    fn items(&self) -> u64;

    /// Two requests with half of the entries each, or of the data points of the one metric; `None` if there is one item.
    fn halves(&self) -> Option<(Self, Self)>;

    /// What a protobuf answer says was not taken.
    fn rejected(answer: &[u8]) -> Result<Rejected, prost::DecodeError>;

    /// What a JSON answer says was not taken.
    fn rejected_in_json(answer: &[u8]) -> Result<Rejected, serde_json::Error> {
        let answer: serde_json::Value = serde_json::from_slice(answer)?;
        let partial = &answer["partialSuccess"];
        let count = &partial[Self::REJECTED];
        // 64-bit numbers are strings in the JSON form of protobuf; not everyone keeps to it.
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
        let message = partial["errorMessage"].as_str().unwrap_or_default().to_owned();
        Ok(Rejected { count, message })
    }
}

/// The three requests have the same shape without a common trait.
macro_rules! request {
    ($request:ty, $response:ty, $path:literal, $resources:ident, $scopes:ident, $entries:ident, $rejected:ident, $json:literal, $items:expr, $keep_items:expr) => {
        impl OtlpRequest for $request {
            const GRPC_PATH: &'static str = $path;
            const REJECTED: &'static str = $json;

            fn items(&self) -> u64 {
                let scopes = self.$resources.iter().flat_map(|resource| &resource.$scopes);
                scopes.map(|scope| scope.$entries.iter().map($items).sum::<usize>() as u64).sum()
            }

            fn halves(&self) -> Option<(Self, Self)> {
                fn keep(request: &mut $request, kept: &Range<usize>) {
                    let mut index = 0;
                    for scope in request.$resources.iter_mut().flat_map(|resource| &mut resource.$scopes) {
                        scope.$entries.retain(|_| {
                            index += 1;
                            kept.contains(&(index - 1))
                        });
                    }
                }
                let scopes = self.$resources.iter().flat_map(|resource| &resource.$scopes);
                let entries: usize = scopes.map(|scope| scope.$entries.len()).sum();
                if entries < 2 {
                    let items = usize::try_from(self.items()).ok().filter(|items| *items > 1)?;
                    let part = |kept: Range<usize>| {
                        let mut part = self.clone();
                        let scopes = part.$resources.iter_mut().flat_map(|resource| &mut resource.$scopes);
                        scopes
                            .flat_map(|scope| &mut scope.$entries)
                            .for_each(|entry| $keep_items(entry, &kept));
                        part
                    };
                    return Some((part(0..items / 2), part(items / 2..items)));
                }
                let (mut first, mut second) = (self.clone(), self.clone());
                keep(&mut first, &(0..entries / 2));
                keep(&mut second, &(entries / 2..entries));
                Some((first, second))
            }

            fn rejected(answer: &[u8]) -> Result<Rejected, prost::DecodeError> {
                let partial = <$response>::decode(answer)?.partial_success;
                Ok(partial.map_or_else(Rejected::default, |partial| Rejected {
                    count: u64::try_from(partial.$rejected).unwrap_or(0),
                    message: partial.error_message,
                }))
            }
        }
    };
}

request!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    resource_spans,
    scope_spans,
    spans,
    rejected_spans,
    "rejectedSpans",
    |_| 1,
    |_, _| {}
);
request!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    resource_metrics,
    scope_metrics,
    metrics,
    rejected_data_points,
    "rejectedDataPoints",
    data_points,
    keep_points
);
request!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    resource_logs,
    scope_logs,
    log_records,
    rejected_log_records,
    "rejectedLogRecords",
    |_| 1,
    |_, _| {}
);

fn data_points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

fn keep_points(metric: &mut Metric, kept: &Range<usize>) {
    fn keep<P>(points: &mut Vec<P>, kept: &Range<usize>) {
        points.truncate(kept.end);
        points.drain(..kept.start.min(points.len()));
    }
    match &mut metric.data {
        None => {}
        Some(Data::Gauge(data)) => keep(&mut data.data_points, kept),
        Some(Data::Sum(data)) => keep(&mut data.data_points, kept),
        Some(Data::Histogram(data)) => keep(&mut data.data_points, kept),
        Some(Data::ExponentialHistogram(data)) => keep(&mut data.data_points, kept),
        Some(Data::Summary(data)) => keep(&mut data.data_points, kept),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    };
    use opentelemetry_proto::tonic::metrics::v1::{
        Histogram, HistogramDataPoint, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    };
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::{Data, ExportMetricsServiceRequest, Metric, OtlpRequest, Rejected};

    fn request(scopes: &[usize]) -> ExportTraceServiceRequest {
        let scope_spans = scopes
            .iter()
            .map(|count| ScopeSpans { spans: vec![Span::default(); *count], ..ScopeSpans::default() });
        let resource_spans =
            vec![ResourceSpans { scope_spans: scope_spans.collect(), ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }

    #[test]
    fn halves_have_everything_once() {
        for scopes in [&[2][..], &[5], &[1, 4, 2], &[0, 3]] {
            let whole = request(scopes);
            let (first, second) = whole.halves().unwrap();
            assert_eq!(first.items() + second.items(), whole.items(), "{scopes:?}");
            assert_eq!(first.items(), whole.items() / 2);
        }
        assert!(request(&[1]).halves().is_none());
        assert!(request(&[]).halves().is_none());
    }

    #[test]
    fn the_points_of_one_metric_are_divided() {
        let point =
            |number: usize| NumberDataPoint { time_unix_nano: number as u64, ..NumberDataPoint::default() };
        let of = |points: std::ops::Range<usize>| {
            let data = Sum {
                data_points: points.map(point).collect(),
                is_monotonic: true,
                aggregation_temporality: 1,
            };
            let metric = Metric { name: "a".to_owned(), data: Some(Data::Sum(data)), ..Metric::default() };
            let full = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
            let scope_metrics = vec![ScopeMetrics::default(), full];
            let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
            ExportMetricsServiceRequest { resource_metrics }
        };
        assert_eq!(of(0..5).halves(), Some((of(0..2), of(2..5))));
        assert_eq!(of(0..2).halves(), Some((of(0..1), of(1..2))));
        assert_eq!(of(0..1).halves(), None);
        assert_eq!(of(0..0).halves(), None);
        let points = vec![HistogramDataPoint::default(); 3];
        let mut histograms = of(0..1);
        histograms.resource_metrics[0].scope_metrics[1].metrics[0].data =
            Some(Data::Histogram(Histogram { data_points: points, aggregation_temporality: 2 }));
        let (first, second) = histograms.halves().unwrap();
        assert_eq!((first.items(), second.items()), (1, 2));
    }

    #[test]
    fn what_was_rejected_is_read_from_both_kinds_of_answers() {
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "full".to_owned() };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let expected = Rejected { count: 3, message: "full".to_owned() };
        assert_eq!(ExportTraceServiceRequest::rejected(&answer).unwrap(), expected);
        assert_eq!(ExportTraceServiceRequest::rejected(&[]).unwrap(), Rejected::default());
        assert!(ExportTraceServiceRequest::rejected(b"<html>").is_err());
        for json in [
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"full"}}"#,
            r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"full"}}"#,
        ] {
            assert_eq!(ExportTraceServiceRequest::rejected_in_json(json.as_bytes()).unwrap(), expected);
        }
        assert_eq!(ExportTraceServiceRequest::rejected_in_json(b"{}").unwrap(), Rejected::default());
        assert!(ExportTraceServiceRequest::rejected_in_json(b"<html>").is_err());
    }
}
