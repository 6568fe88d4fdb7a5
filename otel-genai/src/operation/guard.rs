//! The life of any operation: the one place where its facts come together at its end.

use std::borrow::Cow;
use std::future::poll_fn;
use std::mem;
use std::pin::pin;

use opentelemetry::logs::Severity;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue};
use otel_core::{Attributes, ErrorType, Operation, attach_context};

use super::attributes;
use super::clock::Clock;
use super::convention::{Answer, GenAiConvention};
use super::facts::{Family, OperationFacts};
use super::scope::{Scope, ToolScope};
use crate::GenAi;
use crate::content::CapturedContent;
use crate::event::{EventAttributes, any_value};
use crate::metrics::Tally;
use crate::names::{attribute, event, own};
use crate::provider::{ResponseFacts, Usage};
use otel_core::call_hook;

/// An operation that runs; whatever holds it ends it by dropping it.
#[derive(Debug)]
pub(crate) struct Guard {
    genai: GenAi,
    /// `None` when it has ended.
    operation: Option<Operation<GenAiConvention>>,
    context: Context,
    /// Around this operation.
    outer: Scope,
    inner: Scope,
    facts: OperationFacts,
    pub(crate) response: ResponseFacts,
    extra: Vec<KeyValue>,
    failure: Option<ErrorType>,
    /// Something is on its way that a drop would cut off.
    pub(crate) is_waiting: bool,
    clock: Clock,
}

pub(crate) enum Exit {
    End,
    Fail(ErrorType),
    Drop,
}

impl Guard {
    pub(crate) fn start(genai: GenAi, parent: &Context, mut facts: OperationFacts) -> Self {
        let outer = Scope::of(parent);
        if facts.request.conversation_id.is_none() {
            facts.request.conversation_id.clone_from(&outer.conversation_id);
        }
        let operation = genai.start(parent, &facts);
        let inner = outer.inside(&facts, operation.context().span().span_context().span_id());
        let context = match operation.is_inert() {
            true => operation.context().clone(),
            false => operation.context().with_value(inner.clone()),
        };
        Self {
            genai,
            operation: Some(operation),
            context,
            outer,
            inner,
            facts,
            response: ResponseFacts::default(),
            extra: Vec::new(),
            failure: None,
            is_waiting: false,
            clock: Clock::start(),
        }
    }

    pub(crate) fn genai(&self) -> &GenAi {
        &self.genai
    }

    pub(crate) fn is_inert(&self) -> bool {
        self.operation.as_ref().is_none_or(Operation::is_inert)
    }

    /// Whether anybody reads what the span is given.
    pub(crate) fn is_recorded(&mut self) -> bool {
        self.operation.as_mut().is_some_and(|operation| operation.attributes().wants_span())
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn facts(&self) -> &OperationFacts {
        &self.facts
    }

    /// Runs `f` inside; a panic ends the operation at once, with what is known.
    pub(crate) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _attached = attach_context(&self.context);
        self.run_outside(f)
    }

    /// Like [`run`](Self::run), for what asks for no context: it stays what it is.
    pub(crate) fn run_outside<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let on_panic = FinishOnUnwind(self);
        let result = f();
        mem::forget(on_panic);
        result
    }

    /// Awaits `future` inside; an error is the outcome, unless a later call goes well.
    pub(crate) async fn call<T, E>(&mut self, future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut future = pin!(future);
        self.is_waiting = true;
        let result = poll_fn(|cx| self.run(|| future.as_mut().poll(cx))).await;
        self.is_waiting = false;
        self.failure = result.is_err().then(ErrorType::of::<E>);
        result
    }

    /// An attribute of the span alone that may be said again: the last one counts.
    pub(crate) fn say(&mut self, pair: KeyValue) {
        if self.is_inert() {
            return;
        }
        self.extra.retain(|said| said.key != pair.key);
        self.extra.push(pair);
    }

    /// What is to be said of the outcome, unless something else is said later.
    pub(crate) fn set_failure(&mut self, error_type: ErrorType) {
        self.failure = Some(error_type);
    }

    /// So many chunks of output have come, now.
    pub(crate) fn chunks(&mut self, count: u64) {
        if count == 0 || self.is_inert() {
            return;
        }
        let Self { genai, facts, response, clock, context, .. } = self;
        clock.chunks(count, |elapsed| {
            let attributes = chunk_attributes(genai, facts, response.model.as_deref());
            genai.instruments().map(|metrics| metrics.first_chunk(elapsed, attributes, context))
        });
    }

    pub(crate) fn finish(&mut self, exit: Exit) {
        let Some(mut operation) = self.operation.take() else { return };
        if !operation.is_inert() {
            self.tell(&mut operation, &exit);
        }
        match exit {
            Exit::End => operation.end(),
            Exit::Fail(error_type) => operation.fail(error_type),
            Exit::Drop => drop(operation),
        }
    }

    /// Hands the operation all that is known.
    fn tell(&mut self, operation: &mut Operation<GenAiConvention>, exit: &Exit) {
        let counted = self.add_up_tokens();
        let captured = self.capture(operation.attributes().wants_span());
        let cost = self.genai.cost(&self.facts, &self.response);
        let mut extra = mem::take(&mut self.extra);
        extra.extend(captured.span_attributes);
        extra.extend(self.inner.tool.iter().flat_map(ToolScope::take_attributes));
        let failure = self.failure();
        let is_cut = matches!(exit, Exit::Drop) && self.is_waiting && !self.response.complete;
        if is_cut && failure.is_none() && !std::thread::panicking() {
            extra.push(KeyValue::new(own::ENDED_EARLY, true));
        }
        let answer = Answer {
            facts: &self.facts,
            response: &self.response,
            first_chunk: self.clock.first_chunk(),
            cost,
            extra,
            failure: failure.clone(),
        };
        operation.on_response(&answer);
        *operation.tally() =
            Tally { family: self.facts.family, usage: counted, cost: cost.map(|(cost, _)| cost) };
        let failed = match exit {
            Exit::Fail(error_type) => Some(error_type.clone()),
            _ => failure,
        };
        self.emit_exception(failed.as_ref());
        self.emit_details(captured.event_attributes, failed);
    }

    /// Sets what the span says of tokens, adds it to what those around have used, and returns what the metrics count.
    fn add_up_tokens(&mut self) -> Usage {
        let mut counted = self.response.usage;
        if let Some(used) = self.inner.used.as_ref().filter(|_| self.facts.is_composite()) {
            if counted.input_tokens.is_none() && counted.output_tokens.is_none() {
                // On metrics the calls inside have counted their tokens themselves.
                (self.response.usage, counted) = (used.total(), Usage::default());
            }
        }
        if self.facts.family == Family::Inference || self.facts.is_composite() {
            if let Some(outer) = &self.outer.used {
                outer.add(&self.response.usage);
            }
        }
        counted
    }

    /// "This event SHOULD be recorded when an exception occurs during Generative AI client operations", errors of the API
    /// included. What is no call of a model or a service is no client.
    fn emit_exception(&self, failure: Option<&ErrorType>) {
        let family = self.facts.family;
        let is_client = matches!(family, Family::Inference | Family::Embeddings | Family::OtherClient);
        if let (true, Some(failure), Some(events)) = (is_client, failure, self.genai.exceptions()) {
            events.exception(event::EXCEPTION, Severity::Warn, failure, &self.context);
        }
    }

    /// What has gone wrong by now.
    pub(crate) fn failure(&self) -> Option<ErrorType> {
        let said = self.failure.clone();
        said.or_else(|| self.response.error.as_ref().map(|error| self.genai.error_type(error, None)))
            .or_else(|| self.inner.tool.as_ref()?.failure())
    }

    /// What the policy lets out of what readers have captured.
    fn capture(&mut self, is_recorded: bool) -> CapturedContent {
        let policy = self.genai.content_policy();
        if !policy.captures_of(is_recorded) {
            return CapturedContent::default();
        }
        let request = mem::take(&mut self.facts.request.content);
        let output = mem::take(&mut self.response.output_messages);
        // The upload hook may look for the span that it uploads for.
        let _attached = attach_context(&self.context);
        call_hook(|| policy.apply(request, output), CapturedContent::default())
    }

    /// "The event attributes are those of the inference span."
    fn emit_details(&self, content: EventAttributes, failure: Option<ErrorType>) {
        let Some(events) = self.genai.details_events().filter(|_| self.facts.family == Family::Inference)
        else {
            return;
        };
        let (mut span, mut metric) = (Vec::new(), Vec::new());
        let mut attributes = Attributes::to_lists(&mut span, &mut metric);
        let vocabulary = self.genai.vocabulary();
        attributes::on_start(&self.facts, vocabulary, &mut attributes);
        let first_chunk = self.clock.first_chunk();
        attributes::on_response(&self.facts, &self.response, first_chunk, vocabulary, &mut attributes);
        if let Some(failure) = failure {
            attributes.span(attribute::ERROR_TYPE, failure);
        }
        let mut all: EventAttributes =
            span.into_iter().map(|pair| (pair.key, any_value(pair.value))).collect();
        all.extend(content);
        // The later conventions give the severity; the others none.
        events.emit(event::INFERENCE_DETAILS, Severity::Debug, &self.context, all);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.finish(Exit::Drop);
    }
}

/// Operation, provider, model and server: the conventions list no error here.
fn chunk_attributes(genai: &GenAi, facts: &OperationFacts, model: Option<&str>) -> Vec<KeyValue> {
    let (mut span, mut metric) = (Vec::new(), Vec::with_capacity(6));
    let vocabulary = genai.vocabulary();
    let mut attributes = Attributes::to_lists(&mut span, &mut metric);
    attributes::on_start(facts, vocabulary, &mut attributes);
    if let Some(model) = model {
        attributes::bounded(&mut attributes, attribute::RESPONSE_MODEL, model, &vocabulary.names.models);
    }
    metric
}

struct FinishOnUnwind<'a>(&'a mut Guard);

impl Drop for FinishOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.finish(Exit::Fail(ErrorType::PANIC));
    }
}

pub(crate) fn error_type(class: Cow<'static, str>) -> ErrorType {
    match class {
        Cow::Borrowed(class) => ErrorType::new(class),
        Cow::Owned(class) => ErrorType::from_code(class),
    }
}
