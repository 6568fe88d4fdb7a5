use serde_json::{Map, Value};

use super::limits;

/// One message of the history: an element of `gen_ai.input.messages`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, or the provider's own
    pub role: String,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// The name of the participant, if it has one.
    pub name: Option<String>,
}

/// One choice of a response: an element of `gen_ai.output.messages`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct OutputMessage {
    /// The message.
    pub message: Message,
    /// `stop`, `length`, `content_filter`, `tool_call`, `error`, or the provider's own
    pub finish_reason: String,
}

/// A part of a message, as the conventions' JSON schemas have it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
    /// The model's reasoning.
    Reasoning(String),
    /// A tool that the model wants called.
    ToolCall {
        /// The call's id
        id: Option<String>,
        /// The tool
        name: String,
        /// Its arguments, structured where they are valid JSON
        arguments: Option<Value>,
    },
    /// What a tool answered.
    ToolCallResponse {
        /// The call's id
        id: Option<String>,
        /// The answer
        response: Value,
    },
    /// Data in the message itself, in base64.
    Blob {
        /// The type of the data
        mime_type: Option<String>,
        /// `image`, `video`, `audio`, `document`
        modality: String,
        /// Base64
        content: String,
    },
    /// A file that the provider keeps.
    File {
        /// The type of the data
        mime_type: Option<String>,
        /// `image`, `video`, `audio`, `document`
        modality: String,
        /// The provider's id of it
        file_id: String,
    },
    /// Data elsewhere.
    Uri {
        /// The type of the data
        mime_type: Option<String>,
        /// `image`, `video`, `audio`, `document`
        modality: String,
        /// Where it is
        uri: String,
    },
    /// Something else: `type` and the fields of the provider.
    Other {
        /// The value of `type`
        kind: String,
        /// The other fields
        fields: Map<String, Value>,
    },
}

/// A tool that the model is offered: an element of `gen_ai.tool.definitions`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ToolDefinition {
    /// `function`, or the provider's own kind
    pub kind: String,
    /// Its name
    pub name: String,
    /// What the model is told about it; captured only if asked for
    pub description: Option<String>,
    /// The JSON schema of its arguments; captured only if asked for
    pub parameters: Option<Value>,
}

/// The content of a request.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RequestContent {
    /// `gen_ai.input.messages`
    pub input_messages: Vec<Message>,
    /// `gen_ai.system_instructions`: only where the API takes them apart from the messages
    pub system_instructions: Vec<Part>,
    /// `gen_ai.tool.definitions`
    pub tool_definitions: Vec<ToolDefinition>,
    /// Some of it was left out because it was larger than the policy allows.
    pub truncated: bool,
}

impl RequestContent {
    /// Nothing was captured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.input_messages.is_empty()
            && self.system_instructions.is_empty()
            && self.tool_definitions.is_empty()
    }
}

impl Message {
    /// A message with one text.
    #[must_use]
    pub fn text(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self { role: role.into(), parts: vec![Part::Text(text.into())], name: None }
    }

    /// As the JSON schema of `gen_ai.input.messages` has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.fields())
    }

    /// Bytes of its texts, about.
    pub(super) fn length(&self) -> usize {
        self.role.len() + optional(&self.name) + self.parts.iter().map(Part::length).sum::<usize>()
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), Value::from(self.role.as_str()));
        fields.insert("parts".to_owned(), self.parts.iter().map(Part::to_json).collect());
        put(&mut fields, "name", self.name.as_deref());
        fields
    }
}

impl OutputMessage {
    /// As the JSON schema of `gen_ai.output.messages` has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = self.message.fields();
        fields.insert("finish_reason".to_owned(), Value::from(self.finish_reason.as_str()));
        Value::Object(fields)
    }
}

impl ToolDefinition {
    /// As the JSON schema of `gen_ai.tool.definitions` has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), Value::from(self.kind.as_str()));
        fields.insert("name".to_owned(), Value::from(self.name.as_str()));
        put(&mut fields, "description", self.description.as_deref());
        if let Some(parameters) = &self.parameters {
            fields.insert("parameters".to_owned(), parameters.clone());
        }
        Value::Object(fields)
    }
}

impl Part {
    /// As the JSON schemas have it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let kind = match self {
            Self::Text(content) | Self::Reasoning(content) => {
                put(&mut fields, "content", Some(content));
                if matches!(self, Self::Text(_)) { "text" } else { "reasoning" }
            }
            Self::ToolCall { id, name, arguments } => {
                put(&mut fields, "id", id.as_deref());
                put(&mut fields, "name", Some(name));
                if let Some(arguments) = arguments {
                    fields.insert("arguments".to_owned(), arguments.clone());
                }
                "tool_call"
            }
            Self::ToolCallResponse { id, response } => {
                put(&mut fields, "id", id.as_deref());
                fields.insert("response".to_owned(), response.clone());
                "tool_call_response"
            }
            Self::Blob { mime_type, modality, content } => {
                media(&mut fields, mime_type.as_deref(), modality, "content", content);
                "blob"
            }
            Self::File { mime_type, modality, file_id } => {
                media(&mut fields, mime_type.as_deref(), modality, "file_id", file_id);
                "file"
            }
            Self::Uri { mime_type, modality, uri } => {
                media(&mut fields, mime_type.as_deref(), modality, "uri", uri);
                "uri"
            }
            Self::Other { kind, fields: others } => {
                fields.clone_from(others);
                kind
            }
        };
        fields.insert("type".to_owned(), Value::from(kind));
        Value::Object(fields)
    }

    /// Every text of the part that somebody may have written, in turn. Ids, names and kinds are none.
    pub(super) fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Text(text)
            | Self::Reasoning(text)
            | Self::Blob { content: text, .. }
            | Self::Uri { uri: text, .. } => {
                change(text);
            }
            Self::ToolCall { arguments, .. } => {
                arguments.iter_mut().for_each(|value| each_string(value, change));
            }
            Self::ToolCallResponse { response, .. } => each_string(response, change),
            Self::File { .. } => {}
            Self::Other { fields, .. } => fields.values_mut().for_each(|value| each_string(value, change)),
        }
    }

    /// Bytes of its texts, about, with ids and names: a provider may send long ones too.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Text(text) | Self::Reasoning(text) => text.len(),
            Self::Blob { mime_type, content: text, .. }
            | Self::Uri { mime_type, uri: text, .. }
            | Self::File { mime_type, file_id: text, .. } => optional(mime_type) + text.len(),
            Self::ToolCall { id, name, arguments } => {
                optional(id) + name.len() + arguments.as_ref().map_or(0, json_length)
            }
            Self::ToolCallResponse { id, response } => optional(id) + json_length(response),
            Self::Other { kind, fields } => {
                kind.len() + fields.iter().map(|(key, value)| key.len() + json_length(value)).sum::<usize>()
            }
        }
    }

    /// Cuts each text that is longer than `limit` bytes.
    pub(super) fn cut(&mut self, limit: usize) -> bool {
        let mut any = false;
        self.each_text(&mut |text| any |= limits::cut(text, limit));
        any
    }
}

/// Every string and number in it, and the keys: an answer of a tool may have a field for each customer.
pub(super) fn each_string(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        // It may be a secret as well as a text may, and is one if that changes it.
        Value::Number(number) => {
            let whole = number.to_string();
            let mut text = whole.clone();
            change(&mut text);
            if text != whole {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_string(item, change)),
        Value::Object(fields) => {
            for (mut key, mut field) in std::mem::take(fields) {
                change(&mut key);
                each_string(&mut field, change);
                fields.insert(key, field);
            }
        }
        _ => {}
    }
}

/// About as many bytes as its JSON has.
pub(super) fn json_length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| json_length(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| key.len() + json_length(field) + 4).sum::<usize>() + 2
        }
        _ => 8,
    }
}

fn optional(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn put(fields: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        fields.insert(key.to_owned(), Value::from(text));
    }
}

fn media(fields: &mut Map<String, Value>, mime_type: Option<&str>, modality: &str, key: &str, content: &str) {
    put(fields, "mime_type", mime_type);
    put(fields, "modality", Some(modality));
    put(fields, key, Some(content));
}
