//! Keeps the content of bodies while they pass, if a policy wants it.

use serde_json::Value;

use super::limits::{Copier, Limits};
use super::message::{OutputMessage, RequestContent};
use super::output::Output;
use super::read;
use crate::provider::Api;

/// The content of a request: the body is kept, but for what is too long, and read at its end.
#[derive(Debug)]
pub(crate) struct RequestCapture {
    api: Api,
    copier: Copier,
}

impl RequestCapture {
    pub(crate) fn new(api: Api, limits: Limits) -> Self {
        Self { api, copier: Copier::new(limits) }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.copier.push(bytes);
    }

    pub(crate) fn finish(mut self) -> RequestContent {
        let (body, truncated) = self.copier.take();
        let body: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let mut content = body.map(|body| read::request(self.api, &body)).unwrap_or_default();
        content.truncated |= truncated;
        content
    }
}

/// The content of a response: an event is kept until its end, and then what it adds to the output.
#[derive(Debug)]
pub(crate) struct ResponseCapture {
    api: Api,
    copier: Copier,
    output: Output,
    truncated: bool,
}

impl ResponseCapture {
    pub(crate) fn new(api: Api, limits: Limits) -> Self {
        Self { api, copier: Copier::new(limits), output: Output::new(limits), truncated: false }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.copier.push(bytes);
    }

    pub(crate) fn end_event(&mut self) {
        let (event, truncated) = self.copier.take();
        let event: Option<Value> = event.and_then(|event| serde_json::from_slice(event).ok());
        if let Some(event) = event {
            read::event(self.api, &event, &mut self.output);
        }
        self.truncated |= truncated;
        self.copier.clear();
    }

    /// The output, and whether some of it is missing.
    pub(crate) fn finish(mut self, failed: bool) -> (Vec<OutputMessage>, bool) {
        self.end_event();
        let truncated = self.truncated || self.output.truncated();
        (self.output.finish(failed), truncated)
    }
}
