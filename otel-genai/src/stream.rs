//! Streams of chunks.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use otel_core::ErrorType;
use pin_project_lite::pin_project;

use crate::operation::{GenAiInference, error_type};
use crate::provider::{Api, ResponseFacts, ResponseReader};
use crate::reading::Reading;
use otel_core::call_hook;

pin_project! {
    /// A stream of a model's output, unchanged, that holds the operation: it ends with the stream, or when the stream is
    /// dropped before its end, with what was known by then. Made by [`GenAiInference::watch`].
    ///
    /// The inner stream is polled in the context of the operation's span.
    #[must_use = "a stream does nothing until it is polled"]
    pub struct GenAiStream<S, R> {
        #[pin]
        inner: S,
        read: R,
        inference: Option<GenAiInference>,
    }
}

/// What one item of a stream says about the response.
#[derive(Debug)]
pub struct GenAiChunk<'a> {
    /// What is known of the response so far.
    pub response: &'a mut ResponseFacts,
    output: u64,
    failure: Option<ErrorType>,
}

impl GenAiChunk<'_> {
    /// How many chunks of output the item holds, for the times between them. Default: one. An item that only opens or
    /// closes something, or keeps the connection alive, has none.
    pub fn set_output(&mut self, chunks: u64) {
        self.output = chunks;
    }

    /// The item is an error of this class: one of few, never a message. It is the operation's outcome.
    pub fn fail(&mut self, class: impl Into<Cow<'static, str>>) {
        self.fail_as(error_type(class.into()));
    }

    fn fail_as(&mut self, error_type: ErrorType) {
        (self.failure, self.output) = (Some(error_type), 0);
    }
}

impl GenAiInference {
    /// Watches `stream`; `read` takes from each item what it says of the response.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use otel_genai::{GenAi, provider::Provider};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let chat = GenAi::new().chat(Provider::OpenAi, "gpt-4o").with_stream(true).start();
    /// let tokens = stream::iter(["Hel", "lo", "[DONE]"]);
    /// let mut tokens = chat.watch(tokens, |item, chunk| {
    ///     if *item == "[DONE]" {
    ///         chunk.set_output(0);
    ///         chunk.response.finish_reasons = vec!["stop".into()];
    ///     }
    /// });
    /// while let Some(token) = tokens.next().await { /* ... */ }
    /// # });
    /// ```
    pub fn watch<S, R>(mut self, stream: S, read: R) -> GenAiStream<S, R>
    where
        S: Stream,
        R: FnMut(&S::Item, &mut GenAiChunk<'_>),
    {
        self.guard.is_waiting = true;
        GenAiStream { inner: stream, read, inference: Some(self) }
    }

    /// Watches a stream that may fail: an `Err` is the operation's outcome, by the name of the error's type.
    pub fn watch_results<S, T, E>(
        self,
        stream: S,
        mut read: impl FnMut(&T, &mut GenAiChunk<'_>),
    ) -> GenAiStream<S, impl FnMut(&Result<T, E>, &mut GenAiChunk<'_>)>
    where
        S: Stream<Item = Result<T, E>>,
    {
        self.watch(stream, move |item: &Result<T, E>, chunk: &mut GenAiChunk<'_>| match item {
            Ok(item) => read(item, chunk),
            Err(_) => chunk.fail_as(ErrorType::of::<E>()),
        })
    }

    /// Watches the bytes of a response of an API that this crate can read; they may be cut anywhere. `content_type` is the
    /// response's, empty if it has none.
    pub fn watch_bytes<S, B, E>(self, api: Api, content_type: &str, stream: S) -> GenAiByteStream<S>
    where
        S: Stream<Item = Result<B, E>>,
        B: AsRef<[u8]>,
    {
        let reader = ResponseReader::new(api, self.guard.facts().request.stream);
        let reader = reader.with_content_type(content_type).with_capture(self.guard.genai().content_policy());
        GenAiByteStream { inner: stream, reading: Some(Reading::new(self, Some(reader), None)) }
    }
}

impl<S, R> Stream for GenAiStream<S, R>
where
    S: Stream,
    R: FnMut(&S::Item, &mut GenAiChunk<'_>),
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        let Some(inference) = this.inference.as_mut() else { return this.inner.poll_next(cx) };
        let polled = inference.run(|| this.inner.as_mut().poll_next(cx));
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => {
                if let Some(inference) = this.inference.take() {
                    inference.end();
                }
            }
            Poll::Ready(Some(item)) => {
                let mut chunk = GenAiChunk { response: inference.response(), output: 1, failure: None };
                call_hook(|| (this.read)(item, &mut chunk), ());
                let GenAiChunk { output, failure, .. } = chunk;
                inference.chunks(output);
                if let Some(failure) = failure {
                    inference.guard.set_failure(failure);
                }
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S: fmt::Debug, R> fmt::Debug for GenAiStream<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiStream").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// A stream of a response's bytes, unchanged, that holds the operation and reads along. Made by
    /// [`GenAiInference::watch_bytes`].
    #[derive(Debug)]
    #[must_use = "a stream does nothing until it is polled"]
    pub struct GenAiByteStream<S> {
        #[pin]
        inner: S,
        reading: Option<Reading>,
    }
}

impl<S, B, E> Stream for GenAiByteStream<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    type Item = Result<B, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<B, E>>> {
        let mut this = self.project();
        let Some(reading) = this.reading.as_mut() else { return this.inner.poll_next(cx) };
        let polled = reading.run(|| this.inner.as_mut().poll_next(cx));
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(bytes))) => reading.read(bytes.as_ref()),
            Poll::Ready(Some(Err(_))) => {
                if let Some(reading) = this.reading.take() {
                    reading.fail(ErrorType::of::<E>());
                }
            }
            Poll::Ready(None) => {
                if let Some(reading) = this.reading.take() {
                    reading.end();
                }
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
