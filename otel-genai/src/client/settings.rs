//! What all requests through one layer share, whatever library sends them.

use std::any::Any;
use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use opentelemetry::Context;
use otel_core::HttpFailure;

use super::endpoints::{Endpoints, Target};
use crate::GenAi;
use crate::operation::{GenAiInference, Scope, Server};
use crate::provider::{Api, Endpoint, Provider, RequestReader, ResponseReader};
use crate::reading::{Failure, Reading};

#[derive(Clone, Debug)]
pub(crate) struct LayerSettings {
    pub(super) genai: GenAi,
    pub(super) endpoints: Endpoints,
    pub(super) client_errors: Arc<[ClientError]>,
}

/// Looks into errors of one type.
pub(super) type ClientError = fn(&dyn Any) -> Option<HttpFailure>;

/// A request that is a call of a model.
pub(crate) struct Recognised {
    endpoint: Endpoint,
    server: Server,
}

/// A call whose request has been read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) inference: GenAiInference,
    pub(super) client_errors: Arc<[ClientError]>,
    api: Api,
}

impl LayerSettings {
    /// `None` for whatever is no call of a model, and for one that is observed already.
    pub(crate) fn recognise(
        &self,
        parent: &Context,
        host: &str,
        port: Option<u16>,
        is_https: bool,
        path: &str,
    ) -> Option<Recognised> {
        if Scope::of(parent).is_model_call || parent.is_telemetry_suppressed() {
            return None;
        }
        let default_port = if is_https { 443 } else { 80 };
        let with_port = port.map(|port| format!("{host}:{port}"));
        let authority = with_port.as_deref().unwrap_or(host);
        let endpoint = self.endpoints.find(&Target { authority, default_port, path })?;
        let address = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = Some(port.unwrap_or(default_port));
        Some(Recognised { endpoint, server: Server { address: address.into(), port } })
    }

    pub(crate) fn request_reader(
        &self,
        recognised: &Recognised,
        headers: &HeaderMap,
    ) -> Option<RequestReader> {
        let reader =
            || RequestReader::new(recognised.endpoint.api()).with_capture(self.genai.content_policy());
        is_plain(headers).then(reader)
    }

    /// Starts the call, with what its request says.
    pub(crate) fn start(
        &self,
        parent: &Context,
        recognised: Recognised,
        reader: Option<RequestReader>,
    ) -> Call {
        let Recognised { endpoint, server } = recognised;
        let mut request = reader.map(RequestReader::finish).unwrap_or_default();
        if request.model.is_none() {
            request.model = endpoint.model().map(str::to_owned);
        }
        request.stream = endpoint.streaming().unwrap_or(request.stream);
        let mut call = self.genai.call_of(endpoint.api(), endpoint.provider().clone(), request);
        call.facts.server = Some(server);
        let mut inference = call.start_in(parent);
        inference.guard.is_waiting = true;
        Call { inference, client_errors: Arc::clone(&self.client_errors), api: endpoint.api() }
    }
}

impl Call {
    /// Reads the response as it passes.
    pub(crate) fn respond(self, status: StatusCode, headers: &HeaderMap) -> Reading {
        let is_stream = self.inference.guard.facts().request.stream;
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let reader = || {
            let reader = ResponseReader::new(self.api, is_stream).with_content_type(content_type);
            let reader = match self.is_aws() {
                true => reader.with_counts(count(headers, INPUT_TOKENS), count(headers, OUTPUT_TOKENS)),
                false => reader,
            };
            reader.with_capture(self.inference.guard.genai().content_policy())
        };
        let reader = is_plain(headers).then(reader);
        let failure = (status.as_u16() >= 400)
            .then(|| Failure { status: status.as_u16(), class: self.error_class(headers) });
        Reading::new(self.inference, reader, failure)
    }

    fn is_aws(&self) -> bool {
        self.api.is_bedrock() || self.inference.guard.facts().provider == Some(Provider::AwsBedrock)
    }

    /// AWS says the class in a header, perhaps behind a namespace and a `#`, and before a `:` and more; the body may have no
    /// more than a text.
    /// <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>
    fn error_class(&self, headers: &HeaderMap) -> Option<String> {
        let header = headers.get("x-amzn-errortype").filter(|_| self.is_aws())?;
        let name = header.to_str().ok()?.split(':').next()?;
        Some(name.rsplit('#').next().unwrap_or(name).trim().to_owned())
    }
}

/// What Bedrock says beside the bodies of models that count nothing themselves, such as Cohere's embeddings.
const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";
const OUTPUT_TOKENS: &str = "x-amzn-bedrock-output-token-count";

fn count(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok().filter(|count| *count >= 0)
}

/// What is compressed cannot be read: this layer belongs outside of what decompresses.
fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
