//! What the conventions say about an operation: its name, and each attribute in the one place where it is written.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::{Array, StringValue, Value};
use otel_core::Attributes;

use super::facts::{Family, OperationFacts};
use crate::GenAiConventions;
use crate::bounded::{BoundedNames, Names};
use crate::names::attribute;
use crate::provider::{RequestFacts, ResponseFacts, Usage};

/// How things are called: in which state of the conventions, and by which names of those that strangers choose.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) conventions: GenAiConventions,
    pub(crate) names: Names,
}

/// The span's name: the operation, and the one name that tells it from others of its kind.
///
/// <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>
pub(crate) fn span_name(facts: &OperationFacts, names: &Names) -> Cow<'static, str> {
    if facts.is_model_call() {
        return named(facts.name, facts.request.model.as_deref(), &names.models);
    }
    let target = match facts.family {
        Family::Agent => facts.agent.name.as_deref(),
        Family::Tool => facts.tool.name.as_deref(),
        Family::Workflow => facts.workflow_name.as_deref(),
        Family::OtherClient if facts.name == "retrieval" => facts.data_source_id.as_deref(),
        _ => facts.agent.name.as_deref(),
    };
    named(facts.name, target, &names.others)
}

/// A gateway's callers choose the model: spans must not have endlessly many names.
fn named(operation: &'static str, target: Option<&str>, names: &BoundedNames) -> Cow<'static, str> {
    match target.filter(|target| !target.is_empty()).and_then(|target| names.known(target)) {
        Some(target) => Cow::Owned(format!("{operation} {target}")),
        None => Cow::Borrowed(operation),
    }
}

/// The attributes that are known at the start.
pub(crate) fn on_start(facts: &OperationFacts, vocabulary: &Vocabulary, attributes: &mut Attributes<'_>) {
    let &Vocabulary { conventions, ref names } = vocabulary;
    match facts.family {
        // These have metrics of their own in the later conventions, with one name each, and none before.
        Family::Agent | Family::Tool | Family::Workflow if conventions.is_latest() => {
            attributes.span(attribute::OPERATION_NAME, facts.name);
            if let Some(provider) = &facts.provider {
                attributes.span(attribute::PROVIDER_NAME, provider.to_cow());
            }
        }
        _ => {
            attributes.both(attribute::OPERATION_NAME, facts.name);
            if let Some(provider) = &facts.provider {
                attributes.both(attribute::PROVIDER_NAME, provider.to_cow());
            }
        }
    }
    if let Some(model) = &facts.request.model {
        bounded(attributes, attribute::REQUEST_MODEL, model, &names.models);
    }
    on_server(facts, attributes);
    on_names(facts, vocabulary, attributes);
    if attributes.wants_span() {
        on_request(facts, conventions, attributes);
        on_details(facts, conventions, attributes);
    }
}

/// In full on the span, within bounds on the metrics.
pub(crate) fn bounded(attributes: &mut Attributes<'_>, key: &'static str, value: &str, names: &BoundedNames) {
    let admitted = names.value(value);
    if attributes.wants_span() {
        match &admitted {
            Value::String(admitted) if admitted.as_str() == value => {
                attributes.span(key, admitted.clone());
            }
            _ => attributes.span(key, otel_core::bounded(value).to_owned()),
        }
    }
    attributes.metric(key, admitted);
}

fn on_server(facts: &OperationFacts, attributes: &mut Attributes<'_>) {
    let Some(server) = &facts.server else { return };
    attributes.both(attribute::SERVER_ADDRESS, server.address.clone());
    if let Some(port) = server.port {
        attributes.both(attribute::SERVER_PORT, i64::from(port));
    }
}

/// Agent, tool and workflow: the later conventions have them on metrics, and a workflow is an agent of another operation.
fn on_names(facts: &OperationFacts, vocabulary: &Vocabulary, attributes: &mut Attributes<'_>) {
    let &Vocabulary { conventions, ref names } = vocabulary;
    let workflow_key = if conventions.is_latest() { attribute::AGENT_NAME } else { attribute::WORKFLOW_NAME };
    let named = [
        (attribute::AGENT_NAME, facts.agent.name.as_ref(), Family::Agent),
        (attribute::TOOL_NAME, facts.tool.name.as_ref(), Family::Tool),
        (workflow_key, facts.workflow_name.as_ref(), Family::Workflow),
    ];
    for (key, name, family) in named {
        let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
        if conventions.is_latest() && facts.family == family {
            bounded(attributes, key, name, &names.others);
        } else {
            attributes.span(key, name.clone());
        }
    }
}

fn on_request(facts: &OperationFacts, conventions: GenAiConventions, attributes: &mut Attributes<'_>) {
    let request = &facts.request;
    if has_conversation(facts, conventions) {
        text(attributes, attribute::CONVERSATION_ID, request.conversation_id.as_deref());
    }
    if facts.family == Family::Embeddings {
        return texts(attributes, attribute::REQUEST_ENCODING_FORMATS, &request.encoding_formats);
    }
    if facts.name == "retrieval" && conventions.is_latest() {
        return integer(attributes, attribute::RETRIEVAL_TOP_K, request.top_k.map(|top_k| top_k as i64));
    }
    match conventions.is_latest() {
        true => integer(attributes, attribute::REQUEST_TOP_K, request.top_k.map(|top_k| top_k as i64)),
        false => number(attributes, attribute::REQUEST_TOP_K, request.top_k),
    }
    if facts.name == "retrieval" {
        return;
    }
    if request.stream {
        attributes.span(attribute::REQUEST_STREAM, true);
    }
    if let Some(output_type) = request.output_type {
        attributes.span(attribute::OUTPUT_TYPE, output_type);
    }
    on_parameters(request, attributes);
    if let Some(api_type) = facts.api.and_then(crate::provider::Api::openai_api_type) {
        attributes.span(attribute::OPENAI_API_TYPE, api_type);
    }
    // "if the request includes a service_tier and the value is not 'auto'"
    let tier = request.service_tier.as_deref().filter(|tier| *tier != "auto");
    text(attributes, attribute::OPENAI_REQUEST_SERVICE_TIER, tier);
    if conventions.is_latest() {
        text(attributes, attribute::REQUEST_PREVIOUS_RESPONSE_ID, request.previous_response_id.as_deref());
        text(attributes, attribute::REQUEST_REASONING_LEVEL, request.reasoning_level.as_deref());
        text(attributes, attribute::PROMPT_NAME, facts.prompt_name.as_deref());
        text(attributes, attribute::PROMPT_VERSION, facts.prompt_version.as_deref());
    }
}

/// An operation inherits the conversation from those around it; not all are told of it.
fn has_conversation(facts: &OperationFacts, conventions: GenAiConventions) -> bool {
    match facts.family {
        Family::Inference | Family::Agent => true,
        Family::Tool => conventions.is_latest(),
        _ => facts.name == "invoke_agent",
    }
}

fn on_parameters(request: &RequestFacts, attributes: &mut Attributes<'_>) {
    // "if available, in the request, and !=1"
    integer(attributes, attribute::REQUEST_CHOICE_COUNT, request.choice_count.filter(|count| *count != 1));
    integer(attributes, attribute::REQUEST_SEED, request.seed);
    integer(attributes, attribute::REQUEST_MAX_TOKENS, request.max_tokens);
    number(attributes, attribute::REQUEST_TEMPERATURE, request.temperature);
    number(attributes, attribute::REQUEST_TOP_P, request.top_p);
    number(attributes, attribute::REQUEST_FREQUENCY_PENALTY, request.frequency_penalty);
    number(attributes, attribute::REQUEST_PRESENCE_PENALTY, request.presence_penalty);
    texts(attributes, attribute::REQUEST_STOP_SEQUENCES, &request.stop_sequences);
}

fn on_details(facts: &OperationFacts, conventions: GenAiConventions, attributes: &mut Attributes<'_>) {
    // "Remove it from internal agent spans", since an object of a process is no agent that a service knows.
    if facts.family != Family::Agent || !conventions.is_latest() {
        text(attributes, attribute::AGENT_ID, facts.agent.id.as_deref());
    }
    text(attributes, attribute::AGENT_DESCRIPTION, facts.agent.description.as_deref());
    text(attributes, attribute::AGENT_VERSION, facts.agent.version.as_deref());
    text(attributes, attribute::TOOL_CALL_ID, facts.tool.call_id.as_deref());
    text(attributes, attribute::TOOL_DESCRIPTION, facts.tool.description.as_deref());
    if let Some(kind) = &facts.tool.kind {
        attributes.span(attribute::TOOL_TYPE, kind.clone());
    }
    text(attributes, attribute::DATA_SOURCE_ID, facts.data_source_id.as_deref());
    text(attributes, attribute::MEMORY_STORE_ID, facts.memory.store_id.as_deref());
    text(attributes, attribute::MEMORY_RECORD_ID, facts.memory.record_id.as_deref());
}

/// The attributes that the response has brought.
pub(crate) fn on_response(
    facts: &OperationFacts,
    response: &ResponseFacts,
    first_chunk: Option<Duration>,
    vocabulary: &Vocabulary,
    attributes: &mut Attributes<'_>,
) {
    let &Vocabulary { conventions, ref names } = vocabulary;
    if let Some(model) = &response.model {
        match facts.family {
            Family::Agent => attributes.span(attribute::RESPONSE_MODEL, model.clone()),
            _ => bounded(attributes, attribute::RESPONSE_MODEL, model, &names.models),
        }
    }
    if !attributes.wants_span() {
        return;
    }
    if facts.family == Family::Embeddings {
        let dimensions = response.dimensions.or(facts.request.dimensions);
        integer(attributes, attribute::EMBEDDINGS_DIMENSION_COUNT, dimensions);
        return integer(attributes, attribute::USAGE_INPUT_TOKENS, response.usage.input_tokens);
    }
    text(attributes, attribute::RESPONSE_ID, response.id.as_deref());
    texts(attributes, attribute::RESPONSE_FINISH_REASONS, &response.finish_reasons);
    number(attributes, attribute::RESPONSE_TIME_TO_FIRST_CHUNK, first_chunk.map(|time| time.as_secs_f64()));
    if facts.request.conversation_id.is_none() && has_conversation(facts, conventions) {
        text(attributes, attribute::CONVERSATION_ID, response.conversation_id.as_deref());
    }
    text(attributes, attribute::OPENAI_RESPONSE_SERVICE_TIER, response.service_tier.as_deref());
    text(attributes, attribute::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, response.system_fingerprint.as_deref());
    on_usage(facts, &response.usage, conventions, attributes);
}

fn on_usage(
    facts: &OperationFacts,
    usage: &Usage,
    conventions: GenAiConventions,
    attributes: &mut Attributes<'_>,
) {
    // The conventions list none for a workflow: the agents and calls inside have it.
    if facts.family == Family::Workflow {
        return;
    }
    integer(attributes, attribute::USAGE_INPUT_TOKENS, usage.input_tokens);
    integer(attributes, attribute::USAGE_OUTPUT_TOKENS, usage.output_tokens);
    if facts.family == Family::Agent && conventions.is_latest() {
        return;
    }
    integer(attributes, attribute::USAGE_CACHE_READ_INPUT_TOKENS, usage.cache_read_input_tokens);
    let written = match conventions.is_latest() {
        true => attribute::USAGE_CACHE_WRITE_INPUT_TOKENS,
        false => attribute::USAGE_CACHE_CREATION_INPUT_TOKENS,
    };
    integer(attributes, written, usage.cache_write_input_tokens);
    if facts.is_composite() {
        return;
    }
    integer(attributes, attribute::USAGE_REASONING_OUTPUT_TOKENS, usage.reasoning_output_tokens);
    if conventions.is_latest() {
        integer(attributes, attribute::USAGE_TEXT_INPUT_TOKENS, usage.text_input_tokens);
        integer(attributes, attribute::USAGE_IMAGE_INPUT_TOKENS, usage.image_input_tokens);
        integer(attributes, attribute::USAGE_AUDIO_INPUT_TOKENS, usage.audio_input_tokens);
        integer(attributes, attribute::USAGE_TEXT_OUTPUT_TOKENS, usage.text_output_tokens);
        integer(attributes, attribute::USAGE_IMAGE_OUTPUT_TOKENS, usage.image_output_tokens);
        integer(attributes, attribute::USAGE_AUDIO_OUTPUT_TOKENS, usage.audio_output_tokens);
    }
}

fn text(attributes: &mut Attributes<'_>, key: &'static str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        attributes.span(key, value.to_owned());
    }
}

fn texts(attributes: &mut Attributes<'_>, key: &'static str, values: &[String]) {
    if !values.is_empty() {
        let values = values.iter().map(|value| StringValue::from(value.clone())).collect();
        attributes.span(key, Value::Array(Array::String(values)));
    }
}

fn integer(attributes: &mut Attributes<'_>, key: &'static str, value: Option<i64>) {
    if let Some(value) = value {
        attributes.span(key, value);
    }
}

fn number(attributes: &mut Attributes<'_>, key: &'static str, value: Option<f64>) {
    if let Some(value) = value {
        attributes.span(key, value);
    }
}
