//! The convention of all GenAI operations: <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use otel_core::{Attributes, Convention, ErrorType, binds_instruments};

use super::attributes::{self, Vocabulary};
use super::facts::{GenAiRequest, OperationFacts};
use crate::metrics::{GenAiMetrics, Tally};
use crate::names::{LATER, OURS, own};
use crate::provider::ResponseFacts;
use otel_core::call_hook;

pub(crate) type SpanName = Arc<dyn Fn(&GenAiRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync>;
pub(crate) type AddFromRequest = Arc<dyn Fn(&GenAiRequest<'_>, &mut Attributes<'_>) + Send + Sync>;
pub(crate) type AddFromResponse = Arc<dyn Fn(&ResponseFacts, &mut Attributes<'_>) + Send + Sync>;

/// What all operations share.
#[derive(Default)]
pub(crate) struct GenAiConvention {
    pub(crate) vocabulary: Vocabulary,
    /// Of the price table.
    pub(crate) currency: Option<String>,
    /// Of which it is not known whether its instruments can be bound.
    pub(crate) has_own_meter_provider: bool,
    pub(crate) span_name: Option<SpanName>,
    pub(crate) add_request: Option<AddFromRequest>,
    pub(crate) add_response: Option<AddFromResponse>,
    /// Kept here because chunks are recorded while the operation runs.
    pub(crate) instruments: ArcSwapOption<GenAiMetrics>,
}

/// What is known at the end.
pub(crate) struct Answer<'a> {
    pub(crate) facts: &'a OperationFacts,
    pub(crate) response: &'a ResponseFacts,
    pub(crate) first_chunk: Option<Duration>,
    pub(crate) cost: Option<(f64, &'a str)>,
    /// Content, and what was said of a tool's failure.
    pub(crate) extra: Vec<KeyValue>,
    pub(crate) failure: Option<ErrorType>,
}

impl Convention for GenAiConvention {
    const SPAN_KIND: SpanKind = SpanKind::Client;
    type Request<'a> = &'a OperationFacts;
    type Response<'a> = Answer<'a>;
    type Metrics = Arc<GenAiMetrics>;
    type Tally = Tally;

    fn metrics(&self, meter: &Meter) -> Arc<GenAiMetrics> {
        let binds = binds_instruments() && !self.has_own_meter_provider;
        let metrics =
            Arc::new(GenAiMetrics::new(meter, self.vocabulary.conventions, self.currency.as_deref(), binds));
        self.instruments.store(Some(Arc::clone(&metrics)));
        metrics
    }

    fn span_kind(&self, facts: &&OperationFacts) -> SpanKind {
        facts.kind.clone()
    }

    fn span_name(&self, facts: &&OperationFacts) -> Cow<'static, str> {
        let own = self.span_name.as_ref().and_then(|name| call_hook(|| name(&GenAiRequest { facts }), None));
        own.unwrap_or_else(|| attributes::span_name(facts, &self.vocabulary.names))
    }

    fn on_start(&self, facts: &&OperationFacts, attributes: &mut Attributes<'_>) {
        attributes::on_start(facts, &self.vocabulary, attributes);
        if let Some(add) = &self.add_request {
            let request = GenAiRequest { facts };
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(&request, attributes), ());
            attributes.checked(&facts.hook_names, &LATER, add);
        }
    }

    fn on_response(&self, answer: &Answer<'_>, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        let (facts, response) = (answer.facts, answer.response);
        attributes::on_response(facts, response, answer.first_chunk, &self.vocabulary, attributes);
        if let Some((cost, version)) = answer.cost {
            attributes.span(own::ESTIMATED_COST, cost);
            attributes.span(own::PRICE_TABLE_VERSION, version.to_owned());
        }
        if !answer.extra.is_empty() {
            attributes.checked(&facts.hook_names, &[], |attributes| {
                for pair in &answer.extra {
                    attributes.span(pair.key.clone(), pair.value.clone());
                }
            });
        }
        if let Some(add) = &self.add_response {
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(response, attributes), ());
            attributes.checked(&facts.hook_names, &OURS, add);
        }
        answer.failure.clone().map_or(Ok(()), Err)
    }

    fn record(
        &self,
        metrics: &Arc<GenAiMetrics>,
        elapsed: Duration,
        tally: &Tally,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.record(elapsed, tally, attributes);
    }
}

impl fmt::Debug for GenAiConvention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiConvention").field("vocabulary", &self.vocabulary).finish_non_exhaustive()
    }
}
