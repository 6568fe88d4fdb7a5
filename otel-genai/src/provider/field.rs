//! What a path in a body means. One table for each API maps paths to these; what is not in a table is walked over.

/// A scalar of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ResponseField {
    Id,
    Model,
    Status,
    ServiceTier,
    SystemFingerprint,
    ConversationId,
    /// The kind of an event.
    Event,
    /// The model is done.
    Done,
    /// Of the only choice there is.
    FinishReason,
    /// Of the choice that is open.
    ChoiceFinishReason,
    /// Beside a reason to finish it says what has stopped the model, and alone it is the reason.
    ChoiceStopReason,
    ChoiceIndex,
    /// Some output: only whether there is any.
    Output,
    OutputItem,
    ToolId,
    /// The id of a tool's call that has no other.
    ItemId,
    ToolName,
    PromptFiltered,
    /// Why the prompt was refused: if there is a reason, it was.
    PromptBlocked,
    OutputFiltered,
    ErrorKind,
    ErrorCode,
    ErrorMessage,
    /// At the root, where they mean that only beside a message.
    RootErrorKind,
    RootErrorCode,
    /// At the root, where it means that unless a code says that all is well.
    RootErrorMessage,
    /// A text that is an embedding in base64.
    EncodedEmbedding,
    Modality,
    ModalityTokens,
    Tokens(Tokens),
}

/// Which tokens a number counts, as the provider counts them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tokens {
    /// All of the input.
    Input,
    /// Of the input a part: all of them are the whole.
    InputPart,
    /// The input but for what was read from and written to a cache.
    UncachedInput,
    /// Beside the input: results of tools that the provider ran.
    ToolInput,
    /// All of the output.
    Output,
    /// The output but for the reasoning.
    VisibleOutput,
    /// Of input and output.
    Total,
    CacheRead,
    CacheWrite,
    Reasoning,
    /// Beside the output, where it is more than that.
    SeparateReasoning,
    TextInput,
    ImageInput,
    AudioInput,
    TextOutput,
    ImageOutput,
    AudioOutput,
    BilledInput,
    BilledOutput,
    BilledSearchUnits,
    /// What counts only if nothing else was said.
    FallbackInput,
    FallbackOutput,
}

/// An object or an array of a response whose end means something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ResponseScope {
    Choice,
    ToolCall,
    /// A list of output items. A later one replaces an earlier one.
    OutputItems,
    /// An array of numbers, one embedding.
    Embedding(&'static str),
    InputModality,
    OutputModality,
}

/// A scalar of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RequestField {
    Model,
    Stream,
    MaxTokens,
    Temperature,
    TopP,
    TopK,
    FrequencyPenalty,
    PresencePenalty,
    StopSequence,
    Seed,
    ChoiceCount,
    EncodingFormat,
    Dimensions,
    /// `json_schema`, `application/json`, `image`: a format, mime type or modality
    OutputType,
    ServiceTier,
    ConversationId,
    PreviousResponseId,
    ReasoningLevel,
}
