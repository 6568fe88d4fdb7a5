//! Ours next to the others, in turns: `SELECT 1`, prepared, on SQLite in memory.
//!
//! Each round measures every case for a moment, and the medians over the rounds are compared. sqlx-tracing works with sqlx
//! 0.8 alone, so what it adds is counted from that.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanKind, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::layer::SubscriberExt;

const ROUNDS: usize = 15;
const SQL: &str = "SELECT 1";

static SAMPLED: AtomicBool = AtomicBool::new(true);

#[derive(Clone, Debug)]
struct Switch;

impl ShouldSample for Switch {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let decision = match SAMPLED.load(Ordering::Relaxed) {
            true => SamplingDecision::RecordAndSample,
            false => SamplingDecision::Drop,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

/// Ends a span as cheaply as possible, so that the instrumentations are measured and not an exporter.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, span: SpanData) {
        black_box(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn install() -> (SdkTracerProvider, SdkMeterProvider) {
    let tracer_provider =
        SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
    let meter_provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    global::set_tracer_provider(tracer_provider.clone());
    global::set_meter_provider(meter_provider.clone());
    let layer = tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("bench"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).expect("the first");
    // As otel-init does it.
    otel_core::Install::new()
        .with_tracer_provider(tracer_provider.clone())
        .with_sampler_reads_attributes(false)
        .with_bound_instruments(true)
        .announce();
    of_sqlx_otel::install();
    (tracer_provider, meter_provider)
}

/// The same for sqlx-otel, which is behind by a version.
mod of_sqlx_otel {
    use std::hint::black_box;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use opentelemetry_0_32::trace::{Link, SpanKind, TraceId, TraceState};
    use opentelemetry_0_32::{Context, KeyValue, global};
    use opentelemetry_sdk_0_32::error::OTelSdkResult;
    use opentelemetry_sdk_0_32::metrics::{ManualReader, SdkMeterProvider};
    use opentelemetry_sdk_0_32::trace::{
        SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData, SpanProcessor,
    };

    use crate::SAMPLED;

    #[derive(Clone, Debug)]
    struct Switch;

    impl ShouldSample for Switch {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let decision = match SAMPLED.load(Ordering::Relaxed) {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            };
            SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
        }
    }

    #[derive(Debug)]
    struct Discard;

    impl SpanProcessor for Discard {
        fn on_start(&self, _: &mut Span, _: &Context) {}
        fn on_end(&self, span: SpanData) {
            black_box(span);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    pub(crate) fn install() {
        let tracer_provider =
            SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(Switch).build();
        let reader = ManualReader::builder().build();
        global::set_tracer_provider(tracer_provider);
        global::set_meter_provider(SdkMeterProvider::builder().with_reader(reader).build());
    }
}

struct Case<'a> {
    name: &'static str,
    call: Box<dyn FnMut() + 'a>,
}

struct Row {
    name: &'static str,
    median_ns: f64,
    allocations: u64,
}

fn measure(criterion: &mut Criterion, group: &str, mut cases: Vec<Case<'_>>) -> Vec<Row> {
    let allocations: Vec<u64> = cases
        .iter_mut()
        .map(|case| {
            (0..200).for_each(|_| (case.call)());
            allocation_counter::measure(|| (case.call)()).count_total
        })
        .collect();
    let mut samples = vec![Vec::new(); cases.len()];
    let mut criterion_group = criterion.benchmark_group(group);
    criterion_group
        .warm_up_time(Duration::from_millis(10))
        .measurement_time(Duration::from_millis(40))
        .sample_size(10);
    for round in 0..ROUNDS {
        for (case, samples) in cases.iter_mut().zip(&mut samples) {
            let mut best = f64::MAX;
            criterion_group.bench_function(BenchmarkId::new(case.name, round), |bencher| {
                bencher.iter_custom(|iterations| {
                    let started = Instant::now();
                    (0..iterations).for_each(|_| (case.call)());
                    let elapsed = started.elapsed();
                    best = best.min(elapsed.as_nanos() as f64 / iterations as f64);
                    elapsed
                });
            });
            samples.push(best);
        }
    }
    criterion_group.finish();
    let rows = cases.iter().zip(allocations).zip(samples).map(|((case, allocations), mut samples)| {
        samples.sort_by(f64::total_cmp);
        Row { name: case.name, median_ns: samples[samples.len() / 2], allocations }
    });
    rows.collect()
}

/// What each case adds to the bare one of its version of sqlx, which stands before it.
fn print(group: &str, rows: &[Row]) {
    println!("\n{group}");
    println!("{:<36} {:>9} {:>9} {:>12}", "", "ns", "added ns", "allocations");
    let mut bare = &rows[0];
    for row in rows {
        if row.name.starts_with("bare") {
            bare = row;
        }
        println!(
            "{:<36} {:>9.0} {:>9.0} {:>12}",
            row.name,
            row.median_ns,
            row.median_ns - bare.median_ns,
            row.allocations as i64 - if std::ptr::eq(row, bare) { 0 } else { bare.allocations as i64 },
        );
    }
}

/// The least that a span and a duration with the same attributes may cost.
struct ByHand {
    tracer: opentelemetry_sdk::trace::SdkTracer,
    duration: opentelemetry::metrics::Histogram<f64>,
}

impl ByHand {
    fn around(&self, call: impl FnOnce()) {
        let attributes =
            [KeyValue::new("db.system.name", "sqlite"), KeyValue::new("db.query.summary", "SELECT")];
        let mut of_span = Vec::with_capacity(3);
        of_span.extend(attributes.iter().cloned());
        of_span.push(KeyValue::new("db.query.text", "SELECT ?"));
        let builder = SpanBuilder::from_name("SELECT").with_kind(SpanKind::Client).with_attributes(of_span);
        let started = Instant::now();
        let mut span = self.tracer.build(builder);
        call();
        span.end();
        self.duration.record(started.elapsed().as_secs_f64(), &attributes);
    }
}

fn connections(criterion: &mut Criterion, runtime: &Runtime, by_hand: &ByHand, group: &str) {
    let pool = || runtime.block_on(one_connection()).expect("a database in memory");
    let pool_0_8 = || runtime.block_on(one_connection_0_8()).expect("a database in memory");
    let mut bare = runtime.block_on(pool().acquire()).expect("a connection");
    let mut hand = runtime.block_on(pool().acquire()).expect("a connection");
    let (ours, sqlx_otel) = (otel_db::sqlx::Pool::from(pool()), sqlx_otel::PoolBuilder::from(pool()).build());
    let mut ours = runtime.block_on(ours.acquire()).expect("a connection");
    let mut sqlx_otel = runtime.block_on(sqlx_otel.acquire()).expect("a connection");
    let mut bare_0_8 = runtime.block_on(pool_0_8().acquire()).expect("a connection");
    let sqlx_tracing = sqlx_tracing::Pool::from(pool_0_8());
    let mut sqlx_tracing = runtime.block_on(sqlx_tracing.acquire()).expect("a connection");
    macro_rules! case {
        ($name:expr, $query:expr, $executor:expr) => {
            Case {
                name: $name,
                call: Box::new(|| {
                    black_box(runtime.block_on($query.fetch_one($executor)).expect("a row"));
                }),
            }
        };
    }
    let cases = vec![
        case!("bare sqlx 0.9", sqlx::query(SQL), &mut *bare),
        case!("otel-db", sqlx::query(SQL), &mut *ours),
        case!("sqlx-otel 0.5", sqlx::query(SQL), &mut sqlx_otel),
        Case {
            name: "by hand",
            call: Box::new(|| {
                by_hand.around(|| {
                    black_box(runtime.block_on(sqlx::query(SQL).fetch_one(&mut *hand)).expect("a row"));
                });
            }),
        },
        case!("bare sqlx 0.8", sqlx_0_8::query(SQL), &mut *bare_0_8),
        case!("sqlx-tracing 0.2 (no metrics)", sqlx_0_8::query(SQL), &mut sqlx_tracing),
    ];
    let rows = measure(criterion, group, cases);
    print(group, &rows);
}

async fn one_connection() -> sqlx::Result<sqlx::SqlitePool> {
    sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await
}

async fn one_connection_0_8() -> sqlx_0_8::Result<sqlx_0_8::SqlitePool> {
    sqlx_0_8::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().without_plots();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let (tracer_provider, meter_provider) = install();
    let meter = opentelemetry::metrics::MeterProvider::meter(&meter_provider, "by hand");
    let by_hand = ByHand {
        tracer: tracer_provider.tracer("by hand"),
        duration: meter.f64_histogram("db.client.operation.duration").with_unit("s").build(),
    };
    connections(&mut criterion, &runtime, &by_hand, "one connection, traces and metrics");
    SAMPLED.store(false, Ordering::Relaxed);
    connections(&mut criterion, &runtime, &by_hand, "one connection, unsampled, metrics");
}
