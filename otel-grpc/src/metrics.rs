//! The instruments: the conventions' duration, and behind a switch those of gRPC's own proposals.

use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, Value};
use tonic::Code;

use crate::code;
use crate::convention::Rules;
use crate::message::Totals;
use crate::method::OTHER;
use crate::series::DurationSeries;
use crate::side::Side;

/// The buckets that the convention gives for both durations, in seconds.
/// <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/#metric-rpcservercallduration>
const DURATION_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The buckets of gRPC's own latencies, sizes and counts: <https://github.com/grpc/proposal/blob/master/A66-otel-stats.md>
const LATENCY_BUCKETS: [f64; 41] = [
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008,
    0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4,
    0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
const SIZE_BUCKETS: [f64; 14] = [
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
const COUNT_BUCKETS: [f64; 18] = [
    0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0,
    32768.0, 65536.0,
];

/// The instruments of one side.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) duration: Option<DurationSeries>,
    pub(crate) active: Option<UpDownCounter<i64>>,
    pub(crate) remote_contexts: Option<Counter<u64>>,
    pub(crate) grpc: Option<GrpcMetrics>,
}

impl Metrics {
    /// `binds` says whether instruments may be bound to attributes; all durations carry `shared`.
    pub(crate) fn new<S: Side>(meter: &Meter, rules: &Rules, shared: Vec<KeyValue>, binds: bool) -> Self {
        let duration = S::DURATION.map(|(name, description)| {
            let boundaries = DURATION_BUCKETS.to_vec();
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            DurationSeries::new(histogram.with_boundaries(boundaries).build(), shared, binds)
        });
        let active = rules.active_requests.then(|| {
            let counter = meter.i64_up_down_counter(S::ACTIVE).with_unit("{call}");
            counter.with_description("Number of gRPC calls that have started and not ended.").build()
        });
        let remote_contexts = rules.remote_contexts.then(|| {
            let counter = meter.u64_counter("otel_grpc.server.remote_contexts").with_unit("{call}");
            counter.with_description("Calls that do not continue a trace of their caller.").build()
        });
        let grpc = rules.grpc_metrics.then(|| GrpcMetrics::new::<S>(meter));
        Self { duration, active, remote_contexts, grpc }
    }
}

/// What gRPC's own proposals A66 (metrics) and A96 (retries) ask for, and the counts of messages that the conventions
/// have given up.
#[derive(Debug)]
pub(crate) struct GrpcMetrics {
    call: Option<Histogram<f64>>,
    retries: Option<Histogram<u64>>,
    /// Of a server's call, or of a client's attempt.
    stream: StreamMetrics,
}

/// The names of what is measured on the wire: by a server for each call, by a client for each attempt.
struct Names {
    started: &'static str,
    started_unit: &'static str,
    duration: &'static str,
    sent_size: &'static str,
    received_size: &'static str,
    sent_messages: &'static str,
    received_messages: &'static str,
}

const SERVER: Names = Names {
    started: "grpc.server.call.started",
    started_unit: "{call}",
    duration: "grpc.server.call.duration",
    sent_size: "grpc.server.call.sent_total_compressed_message_size",
    received_size: "grpc.server.call.rcvd_total_compressed_message_size",
    sent_messages: "grpc.server.call.sent_messages",
    received_messages: "grpc.server.call.rcvd_messages",
};

const ATTEMPT: Names = Names {
    started: "grpc.client.attempt.started",
    started_unit: "{attempt}",
    duration: "grpc.client.attempt.duration",
    sent_size: "grpc.client.attempt.sent_total_compressed_message_size",
    received_size: "grpc.client.attempt.rcvd_total_compressed_message_size",
    sent_messages: "grpc.client.attempt.sent_messages",
    received_messages: "grpc.client.attempt.rcvd_messages",
};

#[derive(Debug)]
struct StreamMetrics {
    started: Counter<u64>,
    duration: Histogram<f64>,
    sent_size: Histogram<u64>,
    received_size: Histogram<u64>,
    sent_messages: Histogram<u64>,
    received_messages: Histogram<u64>,
}

/// What one call or attempt says to gRPC's own metrics.
#[derive(Debug)]
pub(crate) struct GrpcTally {
    pub(crate) target: Option<Value>,
    pub(crate) sent: Totals,
    pub(crate) received: Totals,
    /// Attempts that were measured apart; `None` when the call is its only attempt.
    pub(crate) attempts: Option<u64>,
    /// Whether its start was counted.
    is_counted: bool,
}

impl GrpcTally {
    pub(crate) fn new(target: Option<Value>, is_counted: bool) -> Self {
        let (sent, received) = (Totals::default(), Totals::default());
        Self { target, sent, received, attempts: None, is_counted }
    }
}

impl GrpcMetrics {
    fn new<S: Side>(meter: &Meter) -> Self {
        let of_call = !S::IS_SERVER && !S::IS_ATTEMPT;
        let call = of_call.then(|| {
            let name = "grpc.client.call.duration";
            latency(meter, name, "Time that the client takes for a call, from the application's perspective.")
        });
        let retries = of_call.then(|| {
            let histogram = meter.u64_histogram("grpc.client.call.retries").with_unit("{retry}");
            let histogram = histogram.with_description("Number of retries of a call; 0 is not reported.");
            histogram.with_boundaries((0..=5).map(f64::from).collect()).build()
        });
        let names = if S::IS_SERVER { &SERVER } else { &ATTEMPT };
        Self { call, retries, stream: StreamMetrics::new(meter, names) }
    }

    pub(crate) fn start(&self, method: &'static str, target: Option<Value>) {
        let mut attributes = vec![KeyValue::new("grpc.method", grpc_method(method))];
        attributes.extend(target.map(|target| KeyValue::new("grpc.target", target)));
        self.stream.started.add(1, &attributes);
    }

    pub(crate) fn record(&self, elapsed: Duration, method: &'static str, code: Code, tally: &GrpcTally) {
        let method = grpc_method(method);
        let mut attributes = Vec::with_capacity(3);
        attributes.push(KeyValue::new("grpc.method", method));
        attributes.extend(tally.target.clone().map(|target| KeyValue::new("grpc.target", target)));
        if let (Some(retries), Some(attempts @ 2..)) = (&self.retries, tally.attempts) {
            retries.record(attempts - 1, &attributes);
        }
        if tally.attempts.is_none() && !tally.is_counted {
            self.stream.started.add(1, &attributes);
        }
        attributes.push(KeyValue::new("grpc.status", code::name(code)));
        if let Some(call) = &self.call {
            call.record(elapsed.as_secs_f64(), &attributes);
        }
        if tally.attempts.is_none() {
            self.stream.record(elapsed, tally, &attributes);
        }
    }
}

/// "unregistered/generic method names should by default be reported with `other` value instead".
fn grpc_method(method: &'static str) -> &'static str {
    if method == OTHER { "other" } else { method }
}

impl StreamMetrics {
    fn new(meter: &Meter, names: &Names) -> Self {
        let size = |name, description| histogram(meter, name, "By", description, &SIZE_BUCKETS);
        let count = |name, description| histogram(meter, name, "{message}", description, &COUNT_BUCKETS);
        let started = meter.u64_counter(names.started).with_unit(names.started_unit);
        Self {
            started: started.with_description("Number of those that have started, ended or not.").build(),
            duration: latency(meter, names.duration, "End-to-end time, as the transport sees it."),
            sent_size: size(names.sent_size, "Bytes sent in messages, compressed, without framing."),
            received_size: size(
                names.received_size,
                "Bytes received in messages, compressed, without framing.",
            ),
            sent_messages: count(names.sent_messages, "Number of messages sent."),
            received_messages: count(names.received_messages, "Number of messages received."),
        }
    }

    fn record(&self, elapsed: Duration, tally: &GrpcTally, attributes: &[KeyValue]) {
        self.duration.record(elapsed.as_secs_f64(), attributes);
        self.sent_size.record(tally.sent.bytes, attributes);
        self.received_size.record(tally.received.bytes, attributes);
        self.sent_messages.record(tally.sent.messages, attributes);
        self.received_messages.record(tally.received.messages, attributes);
    }
}

fn latency(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(LATENCY_BUCKETS.to_vec()).build()
}

fn histogram(
    meter: &Meter,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    buckets: &[f64],
) -> Histogram<u64> {
    let histogram = meter.u64_histogram(name).with_unit(unit).with_description(description);
    histogram.with_boundaries(buckets.to_vec()).build()
}
