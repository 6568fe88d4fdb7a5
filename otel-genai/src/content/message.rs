use serde_json::Value;

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
        fields: serde_json::Map<String, Value>,
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
