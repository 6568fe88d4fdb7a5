//! A response that is being read while it passes.

use otel_core::ErrorType;

use crate::operation::{Exit, GenAiInference};
use crate::provider::ResponseReader;
use otel_core::call_hook;

/// Holds the operation while its response passes; dropped before [`end`](Self::end), it ends with what was read.
#[derive(Debug)]
pub(crate) struct Reading {
    inference: GenAiInference,
    /// `None` when there is nothing to read, or nothing more.
    reader: Option<ResponseReader>,
    failure: Option<Failure>,
}

/// The head of a response that says that the call has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// The class of the error, where a header has it. What the body says counts more.
    pub(crate) class: Option<String>,
}

impl Reading {
    pub(crate) fn new(
        inference: GenAiInference,
        reader: Option<ResponseReader>,
        failure: Option<Failure>,
    ) -> Self {
        let reader = reader.filter(|_| !inference.guard.is_inert());
        Self { inference, reader, failure }
    }

    pub(crate) fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.inference.run(f)
    }

    pub(crate) fn run_outside<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.inference.guard.run_outside(f)
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let Some(reader) = &mut self.reader else { return };
        let before = reader.output_chunks();
        // Whatever a stranger sends: the application gets its bytes.
        let mut read = || {
            reader.read(bytes);
            reader.output_chunks() - before
        };
        let Some(chunks) = call_hook(|| Some(read()), None) else {
            self.reader = None;
            return;
        };
        // The body of an answer that came whole is no stream.
        if chunks > 0 && self.inference.guard.facts().request.stream {
            // It is on the times of chunks, too. Whatever else is known comes at the end.
            let model = &mut self.inference.guard.response.model;
            if model.is_none() {
                *model = reader.model().map(str::to_owned);
            }
            self.inference.chunks(chunks);
        }
    }

    /// Reads no more: some of the bytes are missing.
    pub(crate) fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.inference.guard.response = reader.finish();
        }
    }

    pub(crate) fn end(mut self) {
        self.settle();
        self.inference.guard.finish(Exit::End);
    }

    pub(crate) fn fail(mut self, error_type: ErrorType) {
        self.settle();
        let guard = &mut self.inference.guard;
        // What the provider has said says more than that the connection broke behind it.
        guard.finish(if guard.failure().is_some() { Exit::End } else { Exit::Fail(error_type) });
    }

    /// Hands over what was read.
    fn settle(&mut self) {
        self.stop();
        let guard = &mut self.inference.guard;
        if let Some(Failure { status, class }) = self.failure.take() {
            let mut error = guard.response.error.clone().unwrap_or_default();
            error.kind = error.kind.or(class);
            let error_type = guard.genai().error_type(&error, Some(status));
            guard.set_failure(error_type);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Of what is not read nobody knows whether it was all.
        self.inference.guard.is_waiting = self.reader.is_some();
        self.settle();
    }
}
