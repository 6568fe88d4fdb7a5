//! What is kept of many measurements, for how long, and for whom.

use std::sync::{Arc, Barrier};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::metrics::{InstrumentKind, SdkMeterProvider};

use super::filter::Ids;
use super::kept::{Kept, Number, Sample};
use super::{ExemplarFilter, ExemplarReader, Exemplars};
use crate::metrics::views::Facts;
use crate::metrics::{CardinalityLimits, MeterProvider, View, Views};

fn exemplars(views: &[View]) -> Arc<Exemplars> {
    exemplars_of_at_most(10, views)
}

fn exemplars_of_at_most(limit: usize, views: &[View]) -> Arc<Exemplars> {
    let mut limits = CardinalityLimits::default();
    limits.set_default(limit);
    let views = Arc::new(Views::new(views, false, limits).unwrap());
    Arc::new(Exemplars::new(ExemplarFilter::AlwaysOn, views, None))
}

fn latency(exemplars: &Exemplars) -> Option<Arc<Kept>> {
    let scope = InstrumentationScope::builder("shop").build();
    let facts = Facts { name: "latency", unit: "s", kind: InstrumentKind::Histogram, scope: &scope };
    exemplars.instrument(&facts, Some(&[1.0, 2.0]))
}

fn ids(number: u64) -> Ids {
    Ids { trace_id: u128::from(number).into(), span_id: number.into() }
}

fn offer(kept: &Kept, value: f64, route: i64) {
    kept.offer(Number::Float(value), ids(1), &[KeyValue::new("route", route)]);
}

fn values(fresh: &[(Arc<[KeyValue]>, Sample)]) -> Vec<f64> {
    let mut values: Vec<f64> = fresh.iter().map(|(_, sample)| sample.value.as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values
}

#[test]
fn one_of_each_bucket_is_kept_and_what_is_no_number_is_not() {
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    for value in [0.5, 1.0, 1.5, 2.0, f64::NAN, f64::INFINITY, 7.0, 9.0] {
        offer(&kept, value, 1);
    }
    let kept_values = values(&kept.fresh(&(0..1), 0));
    let buckets = [[0.5, 1.0], [1.5, 2.0], [7.0, 9.0]];
    assert_eq!(kept_values.len(), 3, "upper bounds are inclusive: {kept_values:?}");
    assert!(kept_values.iter().zip(buckets).all(|(value, bucket)| bucket.contains(value)), "{kept_values:?}");
    assert!(
        Arc::ptr_eq(&kept, &latency(&exemplars).unwrap()),
        "the instrument is one, however often it is made"
    );
}

#[test]
fn sets_of_attributes_beyond_the_limit_are_left_out_until_others_are_forgotten() {
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    (0..1000).for_each(|route| offer(&kept, 0.5, route));
    assert_eq!(kept.len(), 10);
    assert_eq!(kept.fresh(&(0..1), 1).len(), 10);
    assert_eq!(kept.len(), 0, "nobody is to be given them any more");
    offer(&kept, 0.5, 999);
    assert_eq!(kept.len(), 1);
}

#[test]
fn a_limit_for_points_that_is_very_large_is_none_for_exemplars() {
    let exemplars = exemplars_of_at_most(1_000_000, &[]);
    let kept = latency(&exemplars).unwrap();
    (0..3000).for_each(|route| offer(&kept, 0.5, route));
    assert_eq!(kept.len(), 2000);
}

#[test]
fn a_reader_that_never_asks_makes_nothing_grow_and_the_others_lose_nothing() {
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    let (_never, reader) = (ExemplarReader::new(&exemplars), ExemplarReader::new(&exemplars));
    for round in 0..100 {
        offer(&kept, 0.5, round % 20);
        reader.attach(&mut empty());
        assert!(kept.len() <= 10);
    }
}

/// Two destinations that are flushed at once.
#[test]
fn a_reader_in_the_middle_of_its_collection_loses_nothing_to_another_one() {
    let exemplars = exemplars(&[]);
    let scope = InstrumentationScope::builder("shop").build();
    for name in ["latency", "size"] {
        let facts = Facts { name, unit: "s", kind: InstrumentKind::Histogram, scope: &scope };
        offer(&exemplars.instrument(&facts, Some(&[1.0])).unwrap(), 0.5, 1);
    }
    let (one, other) = (ExemplarReader::new(&exemplars), ExemplarReader::new(&exemplars));
    let (mut of_one, mut of_other) = (0, 0);
    one.collect(|_, fresh| {
        of_one += fresh.len();
        other.collect(|_, fresh| of_other += fresh.len());
    });
    assert_eq!((of_one, of_other), (2, 2));
    one.collect(|_, _| of_one += 1);
    other.collect(|_, _| of_other += 1);
    assert_eq!((of_one, of_other), (2, 2), "given twice");
}

fn empty() -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::default()
}

#[test]
fn what_one_view_leaves_out_and_what_is_dropped() {
    let dropped = exemplars(&[View::new("latency").dropped()]);
    assert!(latency(&dropped).is_none());
    let exemplars = exemplars(&[View::new("latency").with_attributes(["route"])]);
    let kept = latency(&exemplars).unwrap();
    for user in 0..100 {
        let attributes = [KeyValue::new("user", user), KeyValue::new("route", 1)];
        kept.offer(Number::Integer(1), ids(1), &attributes);
    }
    assert_eq!(kept.len(), 1, "what makes no point makes no series");
    let (attributes, sample) = kept.fresh(&(0..1), 0).remove(0);
    assert_eq!(*attributes, [KeyValue::new("route", 1)]);
    assert!(sample.filtered.len() == 1 && sample.filtered[0].key.as_str() == "user", "{sample:?}");
}

#[test]
fn each_measurement_of_a_bucket_has_the_same_chance() {
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    let mut chosen = [0; 4];
    for tick in 0..4000 {
        (0..4).for_each(|nth| offer(&kept, 10.0 + f64::from(nth), 1));
        let fresh = kept.fresh(&(tick..tick + 1), tick);
        chosen[fresh[0].1.value.as_f64() as usize - 10] += 1;
        exemplars.tick.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    assert!(chosen.iter().all(|times| (850..1150).contains(times)), "{chosen:?}");
}

#[test]
fn threads_that_measure_and_one_that_collects_give_each_at_most_once() {
    const THREADS: u64 = 8;
    const EACH: u64 = 2000;
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    let start = Barrier::new(THREADS as usize + 1);
    let mut seen: Vec<u64> = Vec::new();
    std::thread::scope(|scope| {
        let measuring: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (kept, start) = (&kept, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0..EACH {
                        let id = thread * EACH + number + 1;
                        let attributes = [KeyValue::new("route", (id % 10) as i64)];
                        kept.offer(Number::Float(id as f64), ids(id), &attributes);
                    }
                })
            })
            .collect();
        start.wait();
        let mut collect = || {
            let until = exemplars.tick.fetch_add(1, std::sync::atomic::Ordering::AcqRel) + 1;
            let fresh = kept.fresh(&(until - 1..until), until);
            assert!(fresh.iter().all(|(_, sample)| sample.value.as_f64() as u64 == as_number(sample.ids)));
            seen.extend(fresh.iter().map(|(_, sample)| as_number(sample.ids)));
        };
        while measuring.iter().any(|thread| !thread.is_finished()) {
            collect();
        }
        collect();
    });
    let given = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), given, "some were given twice");
    assert!(given >= 10, "{given}");
    assert_eq!(kept.len(), 0);
}

fn as_number(ids: Ids) -> u64 {
    u64::from_be_bytes(ids.span_id.to_bytes())
}

#[test]
fn what_was_measured_is_not_in_what_is_shown_of_a_provider() {
    let exemplars = exemplars(&[]);
    let kept = latency(&exemplars).unwrap();
    kept.offer(Number::Float(0.5), ids(1), &[KeyValue::new("token", "hunter2")]);
    let provider = MeterProvider::new(SdkMeterProvider::default(), Some(Arc::clone(&exemplars)), None);
    let shown = format!("{provider:?} {:?}", ExemplarReader::new(&exemplars));
    assert!(shown.contains("AlwaysOn") && !shown.contains("hunter2"), "{shown}");
}
