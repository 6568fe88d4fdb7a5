use super::field::Tokens;

/// Tokens of one response.
///
/// Totals are totals: `input_tokens` has the cached ones in it and `output_tokens` the reasoning, also for providers
/// that report them apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// `gen_ai.usage.input_tokens`
    pub input_tokens: Option<i64>,
    /// `gen_ai.usage.output_tokens`
    pub output_tokens: Option<i64>,
    /// `gen_ai.usage.cache_read.input_tokens`
    pub cache_read_input_tokens: Option<i64>,
    /// `gen_ai.usage.cache_creation.input_tokens`, in the later conventions `gen_ai.usage.cache_write.input_tokens`
    pub cache_write_input_tokens: Option<i64>,
    /// `gen_ai.usage.reasoning.output_tokens`
    pub reasoning_output_tokens: Option<i64>,
    /// Of the input, text (later conventions: `gen_ai.usage.text.input_tokens`)
    pub text_input_tokens: Option<i64>,
    /// Of the input, images
    pub image_input_tokens: Option<i64>,
    /// Of the input, audio
    pub audio_input_tokens: Option<i64>,
    /// Of the output, text
    pub text_output_tokens: Option<i64>,
    /// Of the output, images
    pub image_output_tokens: Option<i64>,
    /// Of the output, audio
    pub audio_output_tokens: Option<i64>,
    /// Input tokens on the bill, where the provider says both (Cohere)
    pub billed_input_tokens: Option<i64>,
    /// Output tokens on the bill, where the provider says both (Cohere)
    pub billed_output_tokens: Option<i64>,
    /// Searches on the bill (Cohere's reranking)
    pub billed_search_units: Option<i64>,
}

/// What a provider counted, in its own way of counting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// What needs no arithmetic.
    usage: Usage,
    uncached_input: Option<i64>,
    tool_input: Option<i64>,
    visible_output: Option<i64>,
    total: Option<i64>,
    fallback_input: Option<i64>,
    fallback_output: Option<i64>,
    separate_reasoning: bool,
}

impl Counts {
    /// A later count replaces an earlier one: streams count up.
    pub(super) fn set(&mut self, tokens: Tokens, count: i64) {
        let usage = &mut self.usage;
        let slot = match tokens {
            Tokens::Input => &mut usage.input_tokens,
            Tokens::InputPart => {
                let before = usage.input_tokens.unwrap_or(0);
                usage.input_tokens = Some(before.saturating_add(count));
                return;
            }
            Tokens::UncachedInput => &mut self.uncached_input,
            Tokens::ToolInput => &mut self.tool_input,
            Tokens::Output => &mut usage.output_tokens,
            Tokens::VisibleOutput => &mut self.visible_output,
            Tokens::Total => &mut self.total,
            Tokens::CacheRead => &mut usage.cache_read_input_tokens,
            Tokens::CacheWrite => &mut usage.cache_write_input_tokens,
            Tokens::Reasoning => &mut usage.reasoning_output_tokens,
            Tokens::SeparateReasoning => {
                self.separate_reasoning = true;
                &mut usage.reasoning_output_tokens
            }
            Tokens::TextInput => &mut usage.text_input_tokens,
            Tokens::ImageInput => &mut usage.image_input_tokens,
            Tokens::AudioInput => &mut usage.audio_input_tokens,
            Tokens::TextOutput => &mut usage.text_output_tokens,
            Tokens::ImageOutput => &mut usage.image_output_tokens,
            Tokens::AudioOutput => &mut usage.audio_output_tokens,
            Tokens::BilledInput => &mut usage.billed_input_tokens,
            Tokens::BilledOutput => &mut usage.billed_output_tokens,
            Tokens::BilledSearchUnits => &mut usage.billed_search_units,
            Tokens::FallbackInput => &mut self.fallback_input,
            Tokens::FallbackOutput => &mut self.fallback_output,
        };
        *slot = Some(count);
    }

    /// The totals of the conventions: "This value SHOULD include all types of input tokens, including cached tokens", and
    /// the same for output and reasoning.
    /// <https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-spans.md>
    pub(super) fn totals(self) -> Usage {
        let mut usage = self.usage;
        let uncached =
            sum(self.uncached_input, &[usage.cache_read_input_tokens, usage.cache_write_input_tokens]);
        let input = sum(usage.input_tokens.or(uncached), &[self.tool_input]);
        usage.input_tokens = input.or(self.fallback_input).or(usage.billed_input_tokens);
        let visible = match (self.visible_output, usage.reasoning_output_tokens) {
            (None, None) => None,
            (visible, reasoning) => sum(Some(visible.unwrap_or(0)), &[reasoning]),
        };
        let apart = usage.reasoning_output_tokens.filter(|_| self.counts_reasoning_apart());
        let output = sum(usage.output_tokens, &[apart]).or(visible);
        usage.output_tokens = output.or(self.fallback_output).or(usage.billed_output_tokens);
        usage
    }

    /// xAI speaks OpenAI's API, but "reasoning token consumption will be counted separately from `completion_tokens`, but
    /// will be counted in the `total_tokens`". <https://docs.x.ai/docs/key-information/consumption-and-rate-limits>
    /// Perplexity counts what its deep research has thought in neither.
    fn counts_reasoning_apart(&self) -> bool {
        let Usage { input_tokens, output_tokens, reasoning_output_tokens: reasoning, .. } = self.usage;
        let is_in_total =
            self.total.is_some() && sum(input_tokens, &[output_tokens, reasoning]) == self.total;
        is_in_total || (self.separate_reasoning && reasoning > output_tokens)
    }
}

fn sum(first: Option<i64>, others: &[Option<i64>]) -> Option<i64> {
    first.map(|first| others.iter().flatten().fold(first, |sum, count| sum.saturating_add(*count)))
}
