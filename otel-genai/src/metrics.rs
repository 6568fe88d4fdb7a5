//! The instruments of both states of the conventions.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::metrics::{BoundHistogram, Counter, Histogram, Meter};
use opentelemetry::{Context, KeyValue};
use otel_core::attach_for_exemplars;

use crate::GenAiConventions;
use crate::names::{attribute, metric, own};
use crate::operation::Family;
use crate::provider::Usage;

/// The buckets that the conventions give for durations, in seconds; for those of agents, tools and workflows they give none.
/// <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>
const DURATIONS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The buckets that the conventions give for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// What an operation's metrics record at its end.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) family: Family,
    pub(crate) usage: Usage,
    /// An estimate, in the currency of the price table.
    pub(crate) cost: Option<f64>,
}

#[derive(Debug)]
pub(crate) struct GenAiMetrics {
    /// Of every call of a service in 1.41; of those that are no inference later.
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    output_chunk: Histogram<f64>,
    tokens: Tokens,
    /// Of the later conventions: inference, agents and workflows, tools.
    own_durations: Option<[Histogram<f64>; 3]>,
    cost: Option<Counter<f64>>,
    binds: bool,
}

/// Chunks that come one upon the other are recorded so many at a time: between two of them an application does so much that
/// an SDK's lock and buckets have left the processor's cache.
const CHUNKS_TOGETHER: usize = 32;
/// A chunk that took longer is recorded at once, with those before it.
const SHORT: Duration = Duration::from_millis(1);

/// The times of one stream's chunks.
#[derive(Debug)]
pub(crate) struct ChunkTimes {
    output_chunk: Histogram<f64>,
    attributes: Vec<KeyValue>,
    /// An SDK hashes and compares the attributes of each measurement, which costs more than to read the chunk.
    bound: Option<BoundHistogram<f64>>,
    /// That of the operation.
    context: Context,
    /// Not recorded yet.
    waiting: Vec<Duration>,
}

impl ChunkTimes {
    /// Records a chunk: how long after the one before it came.
    pub(crate) fn record(&mut self, elapsed: Duration) {
        self.waiting.push(elapsed);
        if elapsed > SHORT || self.waiting.len() >= CHUNKS_TOGETHER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let _measured_in = attach_for_exemplars(&self.context);
        for elapsed in self.waiting.drain(..) {
            match &self.bound {
                Some(bound) => bound.record(elapsed.as_secs_f64()),
                None => self.output_chunk.record(elapsed.as_secs_f64(), &self.attributes),
            }
        }
    }
}

impl Drop for ChunkTimes {
    fn drop(&mut self) {
        self.flush();
    }
}

#[derive(Debug)]
enum Tokens {
    V1_41(Histogram<u64>),
    Latest(Box<LatestTokens>),
}

#[derive(Debug)]
struct LatestTokens {
    input: Histogram<u64>,
    output: Histogram<u64>,
    usage_input: Counter<u64>,
    usage_output: Counter<u64>,
    cache_read: Counter<u64>,
    cache_write: Counter<u64>,
    reasoning: Counter<u64>,
}

impl GenAiMetrics {
    /// `currency` is that of the price table, if there is one; `binds` says whether instruments may be bound to attributes.
    pub(crate) fn new(
        meter: &Meter,
        conventions: GenAiConventions,
        currency: Option<&str>,
        binds: bool,
    ) -> Self {
        let latest = conventions.is_latest();
        let (first_chunk, output_chunk) = match latest {
            true => (metric::INFERENCE_TIME_TO_FIRST_CHUNK, metric::INFERENCE_TIME_PER_OUTPUT_CHUNK),
            false => (metric::TIME_TO_FIRST_CHUNK, metric::TIME_PER_OUTPUT_CHUNK),
        };
        let cost = currency.map(|currency| {
            let description = "What calls of models probably cost, by the price table of the application.";
            let counter = meter.f64_counter(own::ESTIMATED_COST_METRIC).with_description(description);
            counter.with_unit(format!("{{{currency}}}")).build()
        });
        Self {
            duration: duration(meter, metric::OPERATION_DURATION, "How long a GenAI operation took."),
            first_chunk: duration(meter, first_chunk, "Time until the first chunk of a stream."),
            output_chunk: duration(meter, output_chunk, "Time between chunks of a stream."),
            tokens: if latest {
                Tokens::Latest(Box::new(LatestTokens::new(meter)))
            } else {
                v1_41_tokens(meter)
            },
            own_durations: latest.then(|| own_durations(meter)),
            cost,
            binds,
        }
    }

    /// Records the first chunk of a stream, so long after the request, and makes ready for those that follow.
    pub(crate) fn first_chunk(
        &self,
        elapsed: Duration,
        attributes: Vec<KeyValue>,
        context: &Context,
    ) -> ChunkTimes {
        let _measured_in = attach_for_exemplars(context);
        self.first_chunk.record(elapsed.as_secs_f64(), &attributes);
        let output_chunk = self.output_chunk.clone();
        let bound = self.binds.then(|| output_chunk.bind(&attributes));
        let (context, waiting) = (context.clone(), Vec::with_capacity(CHUNKS_TOGETHER));
        ChunkTimes { output_chunk, attributes, bound, context, waiting }
    }

    /// Records an operation that has ended.
    pub(crate) fn record(&self, elapsed: Duration, tally: &Tally, attributes: &[KeyValue]) {
        if let Some(duration) = self.duration_of(tally.family, attributes) {
            duration.record(elapsed.as_secs_f64(), attributes);
        }
        if let Some((counter, cost)) = self.cost.as_ref().zip(tally.cost) {
            counter.add(cost, &without_error(attributes));
        }
        match &self.tokens {
            Tokens::V1_41(tokens) => record_v1_41_tokens(tokens, tally, attributes),
            Tokens::Latest(tokens) if tally.family == Family::Inference => {
                tokens.record(&tally.usage, attributes);
            }
            Tokens::Latest(_) => {}
        }
    }

    fn duration_of(&self, family: Family, attributes: &[KeyValue]) -> Option<&Histogram<f64>> {
        let client = || has_provider(attributes).then_some(&self.duration);
        let Some([inference, agent, tool]) = &self.own_durations else {
            // The metric requires a provider, which a tool or a workflow has not.
            return client();
        };
        match family {
            Family::Inference => Some(inference),
            Family::Agent | Family::Workflow => Some(agent),
            Family::Tool => Some(tool),
            Family::Embeddings | Family::OtherClient => client(),
            Family::Other => None,
        }
    }
}

fn has_provider(attributes: &[KeyValue]) -> bool {
    attributes.iter().any(|pair| pair.key.as_str() == attribute::PROVIDER_NAME)
}

/// Tokens and costs say what was used, whatever came of it: the conventions list no error on them.
fn without_error(attributes: &[KeyValue]) -> Vec<KeyValue> {
    let mut kept = Vec::with_capacity(attributes.len() + 1);
    kept.extend(attributes.iter().filter(|pair| pair.key.as_str() != attribute::ERROR_TYPE).cloned());
    kept
}

fn with(attributes: &[KeyValue], key: &'static str, value: &'static str) -> Vec<KeyValue> {
    let mut all = without_error(attributes);
    all.push(KeyValue::new(key, value));
    all
}

/// Of calls of a service alone: an agent's tokens are those of the calls inside of it.
fn record_v1_41_tokens(tokens: &Histogram<u64>, tally: &Tally, attributes: &[KeyValue]) {
    let counts = matches!(tally.family, Family::Inference | Family::Embeddings | Family::OtherClient)
        && has_provider(attributes);
    if !counts {
        return;
    }
    // "When systems report both used tokens and billable tokens, instrumentation MUST report billable tokens."
    let usage = &tally.usage;
    let input = usage.billed_input_tokens.or(usage.input_tokens);
    let output = usage.billed_output_tokens.or(usage.output_tokens);
    for (kind, count) in [("input", input), ("output", output)] {
        if let Some(count) = count.and_then(positive) {
            tokens.record(count, &with(attributes, attribute::TOKEN_TYPE, kind));
        }
    }
}

impl LatestTokens {
    fn new(meter: &Meter) -> Self {
        let counter = |name| meter.u64_counter(name).with_unit("{token}").build();
        Self {
            input: tokens(meter, metric::INFERENCE_INPUT_TOKENS, "Input tokens of a call."),
            output: tokens(meter, metric::INFERENCE_OUTPUT_TOKENS, "Output tokens of a call."),
            usage_input: counter(metric::INFERENCE_USAGE_INPUT),
            usage_output: counter(metric::INFERENCE_USAGE_OUTPUT),
            cache_read: counter(metric::INFERENCE_USAGE_CACHE_READ),
            cache_write: counter(metric::INFERENCE_USAGE_CACHE_WRITE),
            reasoning: counter(metric::INFERENCE_USAGE_REASONING),
        }
    }

    fn record(&self, usage: &Usage, attributes: &[KeyValue]) {
        let failed = attributes.iter().any(|pair| pair.key.as_str() == attribute::ERROR_TYPE);
        // Failed calls count with 0; of others, what is not known is not guessed. The bill wins over the count.
        let zero = failed.then_some(0);
        let input = usage.billed_input_tokens.or(usage.input_tokens).or(zero).and_then(positive);
        let output = usage.billed_output_tokens.or(usage.output_tokens).or(zero).and_then(positive);
        if let Some(input) = input {
            self.input.record(input, attributes);
        }
        if let Some(output) = output {
            self.output.record(output, attributes);
        }
        let kinds = [usage.text_input_tokens, usage.image_input_tokens, usage.audio_input_tokens];
        add_by_modality(&self.usage_input, input, kinds, attributes);
        let kinds = [usage.text_output_tokens, usage.image_output_tokens, usage.audio_output_tokens];
        add_by_modality(&self.usage_output, output, kinds, attributes);
        for (counter, count) in [
            (&self.cache_read, usage.cache_read_input_tokens),
            (&self.cache_write, usage.cache_write_input_tokens),
            (&self.reasoning, usage.reasoning_output_tokens),
        ] {
            add_by_modality(counter, count.and_then(positive), [None; 3], attributes);
        }
    }
}

/// What the modalities do not add up to is of an unknown one.
fn add_by_modality(
    counter: &Counter<u64>,
    total: Option<u64>,
    kinds: [Option<i64>; 3],
    attributes: &[KeyValue],
) {
    let Some(total) = total else { return };
    let mut rest = total;
    let known = ["text", "image", "audio"].into_iter().zip(kinds);
    for (modality, count) in known.filter_map(|(modality, count)| Some((modality, positive(count?)?))) {
        let count = count.min(rest);
        rest -= count;
        if count > 0 {
            counter.add(count, &with(attributes, attribute::TOKEN_MODALITY, modality));
        }
    }
    if rest > 0 || total == 0 {
        counter.add(rest, &with(attributes, attribute::TOKEN_MODALITY, "unknown"));
    }
}

/// No call has that many tokens. A server may say so, and an SDK's sums overflow.
const MAX_TOKENS: u64 = u32::MAX as u64;

fn positive(count: i64) -> Option<u64> {
    u64::try_from(count).ok().filter(|count| *count <= MAX_TOKENS)
}

fn v1_41_tokens(meter: &Meter) -> Tokens {
    Tokens::V1_41(tokens(meter, metric::TOKEN_USAGE, "Input and output tokens of an operation."))
}

fn own_durations(meter: &Meter) -> [Histogram<f64>; 3] {
    [
        duration(meter, metric::INFERENCE_DURATION, "How long a model's answer took."),
        duration(meter, metric::INVOKE_AGENT_DURATION, "How long an agent or a workflow took."),
        duration(meter, metric::EXECUTE_TOOL_DURATION, "How long a tool took."),
    ]
}

fn duration(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    let description = Cow::Borrowed(description);
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(DURATIONS.to_vec()).build()
}

fn tokens(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<u64> {
    let histogram = meter.u64_histogram(name).with_unit("{token}").with_description(description);
    histogram.with_boundaries(TOKENS.to_vec()).build()
}
