//! Hides, masks, cuts, uploads, and writes what is left as attributes.

use std::collections::HashMap;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use otel_core::{UrlSecrets, call_hook};
use serde_json::Value;

use super::limits;
use super::media::{drop_data, drop_media, drop_media_parts};
use super::message::{each_string, json_length};
use super::policy::{CapturedContent, ContentPolicy, UploadedContent};
use super::{Message, OutputMessage, Part, RequestContent};

const INPUT_MESSAGES: &str = "gen_ai.input.messages";
const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
const TOOL_DEFINITIONS: &str = "gen_ai.tool.definitions";

impl ContentPolicy {
    /// Hides, masks, cuts and uploads what was captured, and says what is to be recorded. Never panics: a hook that does
    /// drops the content.
    #[must_use]
    pub fn apply(&self, mut request: RequestContent, mut output: Vec<OutputMessage>) -> CapturedContent {
        if !self.captures() {
            return CapturedContent::default();
        }
        let prepare = || {
            self.prepare(&mut request, &mut output);
            true
        };
        if !call_hook(prepare, false) {
            return CapturedContent::default();
        }
        let mut captured = self.record(&request, &output);
        if let Some(reference) = self.upload(&request, &output) {
            refer(&mut captured, &reference, !request.input_messages.is_empty(), !output.is_empty());
        }
        captured
    }

    fn prepare(&self, request: &mut RequestContent, output: &mut Vec<OutputMessage>) {
        self.hide(request, output);
        self.mask(request, output);
        self.cut(request, output);
        redact_urls(request, output);
    }

    fn hide(&self, request: &mut RequestContent, output: &mut Vec<OutputMessage>) {
        let hidden = self.hidden;
        if hidden.input_messages {
            request.input_messages.clear();
        }
        if hidden.output_messages {
            output.clear();
        }
        if hidden.system_instructions {
            request.system_instructions.clear();
            request.input_messages.retain(|message| !matches!(message.role.as_str(), "system" | "developer"));
        }
        if hidden.tool_definitions {
            request.tool_definitions.clear();
        }
        if !self.tool_schemas {
            for tool in &mut request.tool_definitions {
                tool.description = None;
                tool.parameters = None;
            }
        }
        for parts in all_parts(request, output) {
            parts.retain(|part| self.keeps(part));
            parts.iter_mut().for_each(|part| self.empty(part));
        }
    }

    fn keeps(&self, part: &Part) -> bool {
        match part {
            Part::Reasoning(_) => !self.hidden.reasoning,
            Part::Blob { .. } => !self.drops_data(),
            Part::File { .. } | Part::Uri { .. } => !self.hidden.media,
            Part::Other { kind, .. } => self.keeps_other(kind),
            _ => true,
        }
    }

    /// Nobody knows what is in a part of another kind: it is kept only where nothing that it could be is hidden.
    fn keeps_other(&self, kind: &str) -> bool {
        let hidden = self.hidden;
        match kind {
            "server_tool_call" => !hidden.tool_arguments,
            "server_tool_call_response" => !hidden.tool_results,
            _ => {
                let hides = hidden.tool_arguments || hidden.tool_results || hidden.reasoning || hidden.media;
                !hides && self.mask.is_none()
            }
        }
    }

    /// What a call says stays, but for its content. The schema requires a `response`.
    fn empty(&self, part: &mut Part) {
        if self.hidden.media {
            match part {
                Part::ToolCallResponse { response, .. } => drop_media_parts(response),
                Part::Other { fields, .. } => fields.values_mut().for_each(drop_media_parts),
                _ => {}
            }
        }
        match part {
            Part::ToolCall { arguments, .. } if self.hidden.tool_arguments => *arguments = None,
            Part::ToolCallResponse { response, .. } if self.hidden.tool_results => {
                *response = Value::from("");
            }
            Part::ToolCallResponse { response, .. } if self.drops_data() => drop_data(response),
            Part::Other { kind, fields } if self.drops_data() => {
                drop_media(fields);
                if kind == "image_generation_call" {
                    fields.remove("result");
                }
                fields.values_mut().for_each(drop_data);
            }
            _ => {}
        }
    }

    /// A mask cannot read data.
    fn drops_data(&self) -> bool {
        !self.blobs || self.hidden.media || self.mask.is_some()
    }

    fn mask(&self, request: &mut RequestContent, output: &mut [OutputMessage]) {
        let Some(mask) = &self.mask else { return };
        let mut change = |text: &mut String| {
            // What was cut off may be a part of a secret, the rest of which nobody would know for one.
            if limits::is_cut(text) {
                text.clear();
            } else {
                *text = mask(text);
            }
        };
        for parts in all_parts(request, output) {
            parts.iter_mut().for_each(|part| part.each_text(&mut change));
        }
        for message in &mut request.input_messages {
            message.name.iter_mut().for_each(&mut change);
        }
        for tool in &mut request.tool_definitions {
            tool.description.iter_mut().for_each(&mut change);
            tool.parameters.iter_mut().for_each(|parameters| each_string(parameters, &mut change));
        }
    }

    fn cut(&self, request: &mut RequestContent, output: &mut [OutputMessage]) {
        let (text, total) = (self.limits.text, self.limits.total);
        for parts in all_parts(request, output) {
            // Half an image is none, and half a URI leads elsewhere.
            parts.retain(|part| match part {
                Part::Blob { content: whole, .. } | Part::Uri { uri: whole, .. } => {
                    whole.len() <= text && !limits::is_cut(whole)
                }
                _ => true,
            });
            for part in parts.iter_mut() {
                part.cut(text);
            }
        }
        let tools = &mut request.tool_definitions;
        for tool in tools.iter_mut() {
            tool.description.iter_mut().for_each(|description| {
                limits::cut(description, text);
            });
            tool.parameters.take_if(|parameters| json_length(parameters) > text);
        }
        keep_newest(&mut request.input_messages, total);
        keep_first(&mut request.system_instructions, &mut { total });
        let mut left = total;
        for choice in output {
            keep_first(&mut choice.message.parts, &mut left);
        }
        let mut left = total;
        tools.retain(|tool| fits(json_length(&tool.to_json()), &mut left));
    }

    fn record(&self, request: &RequestContent, output: &[OutputMessage]) -> CapturedContent {
        let mut captured = CapturedContent::default();
        if !self.span_attributes && !self.events {
            return captured;
        }
        let contents = [
            (SYSTEM_INSTRUCTIONS, request.system_instructions.iter().map(Part::to_json).collect::<Vec<_>>()),
            (INPUT_MESSAGES, request.input_messages.iter().map(Message::to_json).collect()),
            (OUTPUT_MESSAGES, output.iter().map(OutputMessage::to_json).collect()),
            (TOOL_DEFINITIONS, request.tool_definitions.iter().map(super::ToolDefinition::to_json).collect()),
        ];
        for (key, content) in contents {
            if content.is_empty() {
                continue;
            }
            let content = Value::Array(content);
            if self.span_attributes {
                captured.span_attributes.push(KeyValue::new(key, content.to_string()));
            }
            if self.events {
                captured.event_attributes.push((Key::from_static_str(key), any_value(content)));
            }
        }
        captured
    }

    fn upload(&self, request: &RequestContent, output: &[OutputMessage]) -> Option<String> {
        let upload = self.upload.as_ref()?;
        if request.is_empty() && output.is_empty() {
            return None;
        }
        let content = UploadedContent { request, output };
        call_hook(|| upload(&content), None)
    }
}

fn all_parts<'a>(
    request: &'a mut RequestContent,
    output: &'a mut [OutputMessage],
) -> impl Iterator<Item = &'a mut Vec<Part>> {
    let inputs = request.input_messages.iter_mut().map(|message| &mut message.parts);
    let outputs = output.iter_mut().map(|choice| &mut choice.message.parts);
    inputs.chain(outputs).chain(std::iter::once(&mut request.system_instructions))
}

/// Whoever has a presigned URL has what is there. Those that were cut are gone by now.
fn redact_urls(request: &mut RequestContent, output: &mut [OutputMessage]) {
    let secrets = UrlSecrets::default();
    for part in all_parts(request, output).flatten() {
        if let Part::Uri { uri, .. } = part {
            *uri = secrets.redact_url(uri);
        }
    }
}

fn refer(captured: &mut CapturedContent, reference: &str, input: bool, output: bool) {
    let references = [("gen_ai.input.messages_ref", input), ("gen_ai.output.messages_ref", output)];
    for (key, _) in references.into_iter().filter(|(_, is_there)| *is_there) {
        captured.span_attributes.push(KeyValue::new(key, reference.to_owned()));
        captured.event_attributes.push((Key::from_static_str(key), AnyValue::from(reference.to_owned())));
    }
}

/// The history of a chat grows at its end, and what came before was in the spans before.
fn keep_newest(messages: &mut Vec<Message>, total: usize) {
    let mut left = total;
    let kept = messages.iter().rev().take_while(|message| fits(message.length(), &mut left)).count();
    messages.drain(..messages.len() - kept);
}

fn keep_first(parts: &mut Vec<Part>, left: &mut usize) {
    let kept = parts.iter().take_while(|part| fits(part.length(), left)).count();
    parts.truncate(kept);
}

fn fits(length: usize, left: &mut usize) -> bool {
    match left.checked_sub(length) {
        Some(rest) => *left = rest,
        None => return false,
    }
    true
}

/// JSON as the value of an event's attribute. A null has no equal there, and is left out.
fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Null => AnyValue::from(""),
        Value::Bool(flag) => AnyValue::Boolean(flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => AnyValue::Int(integer),
            None => AnyValue::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => AnyValue::from(text),
        Value::Array(items) => AnyValue::ListAny(Box::new(items.into_iter().map(any_value).collect())),
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, field)| !field.is_null());
            let fields: HashMap<_, _> =
                fields.map(|(key, field)| (Key::from(key), any_value(field))).collect();
            AnyValue::Map(Box::new(fields))
        }
    }
}
