//! What is sent is what upstream's own conversion would send.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::logs::{LogBatch, LogProcessor as _};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::generated::{log, record, resource, span};
use super::handover::{Received, schedule, send_on_a_thread};
use crate::wire::{WireLogProcessor, WireSpanProcessor};

/// Whatever order the scopes have, and as text, because NaN is not NaN.
fn sorted<T: std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut texts: Vec<String> = items.into_iter().map(|item| format!("{item:?}")).collect();
    texts.sort_unstable();
    texts
}

/// Each span with what it hangs below.
fn flat_spans(resources: Vec<ResourceSpans>) -> Vec<String> {
    sorted(resources.into_iter().flat_map(|resource| {
        let above = (resource.resource, resource.schema_url);
        resource.scope_spans.into_iter().flat_map(move |scope| {
            let above = (above.clone(), scope.scope, scope.schema_url);
            scope.spans.into_iter().map(move |span: Span| (above.clone(), span))
        })
    }))
}

fn flat_logs(resources: Vec<ResourceLogs>) -> Vec<String> {
    sorted(resources.into_iter().flat_map(|resource| {
        let above = (resource.resource, resource.schema_url);
        resource.scope_logs.into_iter().flat_map(move |scope| {
            let above = (above.clone(), scope.scope, scope.schema_url);
            scope.log_records.into_iter().map(move |record: LogRecord| (above.clone(), record))
        })
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn spans_are_the_same(resource in resource(), spans in vec(span(), 1..6), batch in 1..4_usize) {
        let received = Arc::new(Received::default());
        let (processor, sending) = WireSpanProcessor::new(
            &resource, 1 << 24, schedule(batch), Arc::clone(&received), Box::new(|_| panic!("no room")),
        );
        send_on_a_thread(sending);
        for span in &spans {
            processor.on_end(span);
        }
        processor.shutdown_with_timeout(Duration::from_secs(60)).unwrap();

        let mut ours = Vec::new();
        for (body, entries) in received.requests().drain(..) {
            prop_assert!(entries <= batch);
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            let sent: usize =
                request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len()).sum();
            prop_assert_eq!(sent, entries);
            ours.extend(request.resource_spans);
        }
        let theirs = group_spans_by_resource_and_scope(spans, &(&resource).into());
        prop_assert_eq!(flat_spans(ours), flat_spans(theirs));
    }

    #[test]
    fn logs_are_the_same(resource in resource(), logs in vec(log(), 1..6), batch in 1..4_usize) {
        let received = Arc::new(Received::default());
        let (processor, sending) = WireLogProcessor::new(
            &resource, 1 << 24, schedule(batch), Arc::clone(&received), Box::new(|_| panic!("no room")),
        );
        send_on_a_thread(sending);
        let mut records: Vec<_> = logs.iter().map(record).collect();
        for (record, parts) in records.iter_mut().zip(&logs) {
            processor.emit(record, &parts.scope);
        }
        processor.shutdown_with_timeout(Duration::from_secs(60)).unwrap();

        let mut ours = Vec::new();
        for (body, entries) in received.requests().drain(..) {
            prop_assert!(entries <= batch);
            ours.extend(ExportLogsServiceRequest::decode(&*body).unwrap().resource_logs);
        }
        let batch: Vec<_> = records.iter().zip(&logs).map(|(record, parts)| (record, &parts.scope)).collect();
        let theirs = group_logs_by_resource_and_scope(&LogBatch::new(&batch), &(&resource).into());
        prop_assert_eq!(flat_logs(ours), flat_logs(theirs));
    }
}
