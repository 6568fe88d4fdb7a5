//! The names that mean something to some provider.

/// A longer name is none of ours.
pub(super) const KEY_LENGTH: usize = 40;

const SLOTS: usize = 1024;

macro_rules! keys {
    ($($key:ident $name:literal),+ $(,)?) => {
        /// A name in JSON, without case, `_` and `-`: `inputTokens` and `input_tokens` are one.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub(super) enum Key {
            /// An element of an array.
            Item,
            /// A name that means nothing to us.
            Other,
            $($key),+
        }

        const NAMES: &[(&[u8], Key)] = &[$(($name.as_bytes(), Key::$key)),+];
    };
}

keys! {
    AmazonBedrockInvocationMetrics "amazonbedrockinvocationmetrics", Args "args", Arguments "arguments", Audio "audio",
    AudioTokens "audiotokens", Base64 "base64", BilledUnits "billedunits", Binary "binary", BlockReason "blockreason",
    Blocked "blocked", Bytes "bytes", CacheCreationInputTokens "cachecreationinputtokens",
    CacheReadInputTokens "cachereadinputtokens", CacheWriteInputTokens "cachewriteinputtokens",
    CacheReadInputTokenCount "cachereadinputtokencount", CacheWriteInputTokenCount "cachewriteinputtokencount",
    CacheWriteTokens "cachewritetokens",
    CachedContentTokenCount "cachedcontenttokencount", CachedTokens "cachedtokens", CallId "callid",
    CandidateCount "candidatecount", Candidates "candidates", CandidatesTokenCount "candidatestokencount",
    CandidatesTokensDetails "candidatestokensdetails", Choices "choices", Code "code", Completion "completion",
    CompletionReason "completionreason", CompletionTokens "completiontokens",
    CompletionTokensDetails "completiontokensdetails", Content "content", ContentBlock "contentblock",
    ContentBlockDelta "contentblockdelta", ContentBlockStart "contentblockstart",
    ContentFilterResult "contentfilterresult", ContentFilterResults "contentfilterresults", Contents "contents",
    Conversation "conversation", Custom "custom", Data "data", Delta "delta", Detail "detail", Dimensions "dimensions",
    Documents "documents", Done "done", DoneReason "donereason", Effort "effort", Embedding "embedding",
    EmbeddingTypes "embeddingtypes", Embeddings "embeddings", EncodingFormat "encodingformat", Error "error",
    EvalCount "evalcount", ExecutableCode "executablecode", Filtered "filtered", FinishReason "finishreason",
    Float "float", Format "format", FrequencyPenalty "frequencypenalty", Function "function",
    FunctionCall "functioncall", FunctionDeclarations "functiondeclarations", Functions "functions",
    GenerateContentConfig "generatecontentconfig", Generation "generation", GenerationConfig "generationconfig",
    GenerationId "generationid", GenerationTokenCount "generationtokencount", Generations "generations", Id "id",
    ImageTokens "imagetokens", IncompleteDetails "incompletedetails", Index "index",
    InferenceConfig "inferenceconfig", InlineData "inlinedata", Innererror "innererror", Input "input",
    InputTextTokenCount "inputtexttokencount", InputTokenCount "inputtokencount", InputTokens "inputtokens",
    InputTokensDetails "inputtokensdetails", Int8 "int8", InvokedModelId "invokedmodelid",
    IsFinished "isfinished", K "k",
    MaxCompletionTokens "maxcompletiontokens", MaxGenLen "maxgenlen", MaxNewTokens "maxnewtokens",
    MaxOutputTokens "maxoutputtokens", MaxTokenCount "maxtokencount", MaxTokens "maxtokens",
    MaxTokensToSample "maxtokenstosample", Message "message", MessageStart "messagestart", MessageStop "messagestop",
    Messages "messages", Meta "meta", Metadata "metadata", Modalities "modalities", Modality "modality",
    Model "model", ModelVersion "modelversion", N "n", Name "name", NumCachedTokens "numcachedtokens",
    NumCtx "numctx", NumPredict "numpredict", Object "object", Options "options", Output "output",
    OutputConfig "outputconfig", OutputDimension "outputdimension", OutputDimensionality "outputdimensionality",
    OutputDtype "outputdtype", OutputFormat "outputformat", OutputItem "item", OutputText "outputtext",
    OutputTokenCount "outputtokencount", OutputTokens "outputtokens", OutputTokensDetails "outputtokensdetails",
    Outputs "outputs", P "p", PartialJson "partialjson", Parts "parts", Predictions "predictions",
    PresencePenalty "presencepenalty", PreviousResponseId "previousresponseid", Prompt "prompt",
    PromptAnnotations "promptannotations", PromptCacheHitTokens "promptcachehittokens",
    PromptEvalCount "promptevalcount", PromptFeedback "promptfeedback", PromptFilterResults "promptfilterresults",
    PromptRouter "promptrouter", PromptTokenCount "prompttokencount", PromptTokens "prompttokens",
    PromptTokensDetails "prompttokensdetails", RandomSeed "randomseed", Reason "reason", Reasoning "reasoning",
    ReasoningContent "reasoningcontent", ReasoningEffort "reasoningeffort", ReasoningTokens "reasoningtokens",
    Refusal "refusal", Response "response", ResponseFormat "responseformat", ResponseId "responseid",
    ResponseMimeType "responsemimetype", ResponseModalities "responsemodalities", Results "results",
    SafetyRatings "safetyratings", SearchUnits "searchunits", Seed "seed", ServiceTier "servicetier",
    Start "start", Statistics "statistics", Status "status", Stop "stop", StopReason "stopreason",
    StopSequences "stopsequences", Stream "stream", SystemFingerprint "systemfingerprint",
    Temperature "temperature", Text "text", TextGenerationConfig "textgenerationconfig", TextTokens "texttokens",
    Texts "texts", Thinking "thinking", ThinkingConfig "thinkingconfig", ThinkingLevel "thinkinglevel",
    ThoughtsTokenCount "thoughtstokencount", TokenCount "tokencount", Tokens "tokens", ToolCalls "toolcalls",
    ToolConfig "toolconfig", ToolPlan "toolplan", ToolUse "tooluse", ToolUseId "tooluseid",
    ToolUsePromptTokenCount "tooluseprompttokencount", Tools "tools", TopK "topk", TopN "topn", TopP "topp",
    TotalOutputTextTokenCount "totaloutputtexttokencount", TotalTokens "totaltokens", Trace "trace", Transcript "transcript", Type "type",
    Ubinary "ubinary", Uint8 "uint8", Usage "usage", UsageMetadata "usagemetadata", Values "values", XGroq "xgroq",
}

impl Key {
    pub(super) fn named(name: &[u8]) -> Self {
        let mut buffer = [0_u8; KEY_LENGTH];
        let mut length = 0;
        for byte in name.iter().filter(|byte| !matches!(byte, b'_' | b'-')) {
            let Some(slot) = buffer.get_mut(length) else { return Self::Other };
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
        let name = buffer.get(..length).unwrap_or_default();
        let mut slot = hash(name);
        while let Some((known, key)) = TABLE.get(slot).copied().flatten() {
            if known == name {
                return key;
            }
            slot = (slot + 1) % SLOTS;
        }
        Self::Other
    }
}

/// Open addressing, filled when this is compiled. It is less than a quarter full.
static TABLE: [Option<(&[u8], Key)>; SLOTS] = {
    let mut table = [None; SLOTS];
    let mut index = 0;
    while index < NAMES.len() {
        let mut slot = hash(NAMES[index].0);
        while table[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = Some(NAMES[index]);
        index += 1;
    }
    table
};

const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut index = 0;
    while index < name.len() {
        hash = (hash ^ name[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    (hash ^ (hash >> 16)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_spelling() {
        for (name, key) in NAMES {
            assert_eq!(Key::named(name), *key);
        }
        assert_eq!(Key::named(b"input_tokens"), Key::InputTokens);
        assert_eq!(Key::named(b"inputTokens"), Key::InputTokens);
        assert_eq!(Key::named(b"amazon-bedrock-invocationMetrics"), Key::AmazonBedrockInvocationMetrics);
        assert_eq!(Key::named(b"__type"), Key::Type);
    }

    #[test]
    fn no_other_name_is_taken_for_one() {
        for name in [&b""[..], b"idx", b"created", b"\xff\xfe", &[b'a'; 4096]] {
            assert_eq!(Key::named(name), Key::Other);
        }
    }

    #[test]
    fn names_are_spelt_as_they_are_looked_up() {
        for (name, _) in NAMES {
            assert!(name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name:?}");
            assert!(name.len() <= KEY_LENGTH);
        }
    }
}
