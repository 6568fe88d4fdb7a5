//! What layers could cost: written by hand for both ends of one kind of call, without options, hooks or care for what may go
//! wrong.
//!
//! They use the SDK's own tracer and a bound histogram, write and read `traceparent` themselves, and end with the trailers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Instant, SystemTime};

use bench_http::floor::parent;
use bench_http::telemetry::Installed;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::metrics::{BoundHistogram, Histogram, MeterProvider};
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

#[derive(Clone)]
pub struct FloorLayer {
    kind: SpanKind,
    tracer: SdkTracer,
    duration: Histogram<f64>,
}

impl FloorLayer {
    pub fn client(installed: &Installed) -> Self {
        Self::new(installed, SpanKind::Client, "rpc.client.call.duration")
    }

    pub fn server(installed: &Installed) -> Self {
        Self::new(installed, SpanKind::Server, "rpc.server.call.duration")
    }

    fn new(installed: &Installed, kind: SpanKind, duration: &'static str) -> Self {
        let duration = installed.meter_provider.meter("floor").f64_histogram(duration).with_unit("s").build();
        Self { kind, tracer: installed.tracer_provider.tracer("floor"), duration }
    }
}

impl<S> Layer<S> for FloorLayer {
    type Service = Floor<S>;
    fn layer(&self, inner: S) -> Floor<S> {
        Floor { inner, layer: self.clone() }
    }
}

#[derive(Clone)]
pub struct Floor<S> {
    inner: S,
    layer: FloorLayer,
}

/// By the method's address, the end and the status.
type Key = (usize, bool, u8);

thread_local! {
    static BOUND: RefCell<HashMap<Key, BoundHistogram<f64>>> = RefCell::default();
    static METHODS: RefCell<HashMap<Box<str>, &'static str>> = RefCell::default();
}

fn leaked(path: &str) -> &'static str {
    METHODS.with_borrow_mut(|methods| match methods.get(path) {
        Some(method) => method,
        None => {
            let method: &'static str = Box::leak(path[1..].to_owned().into_boxed_str());
            methods.insert(path.into(), method);
            method
        }
    })
}

fn inject(span: &SpanContext, headers: &mut HeaderMap) {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let mut write = |at: usize, bytes: &[u8]| {
        for (place, byte) in bytes.iter().enumerate() {
            text[at + 2 * place] = b"0123456789abcdef"[usize::from(byte >> 4)];
            text[at + 2 * place + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
    };
    write(3, &span.trace_id().to_bytes());
    write(36, &span.span_id().to_bytes());
    write(53, &[span.trace_flags().to_u8()]);
    headers.insert("traceparent", HeaderValue::from_bytes(&text).expect("hexadecimal digits"));
}

impl<S, A, B> Service<Request<A>> for Floor<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<FloorBody<B>>;
    type Error = S::Error;
    type Future = FloorFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let FloorLayer { kind, tracer, duration } = &self.layer;
        let method = leaked(request.uri().path());
        let started = Instant::now();
        let is_client = *kind == SpanKind::Client;
        let context = Context::current();
        let context = match parent(request.headers()) {
            Some(parent) if !is_client => context.with_remote_span_context(parent),
            _ => context,
        };
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new("rpc.system.name", "grpc"));
        attributes.push(KeyValue::new("rpc.method", method));
        attributes.push(KeyValue::new("server.address", "hello.internal"));
        attributes.push(KeyValue::new("server.port", 50051));
        let mut builder =
            SpanBuilder::from_name(method).with_kind(kind.clone()).with_start_time(SystemTime::now());
        builder.attributes = Some(attributes);
        let context = context.with_span(tracer.build_with_context(builder, &context));
        if is_client {
            inject(context.span().span_context(), request.headers_mut());
        }
        let operation =
            Operation { context, started, method, is_client, duration: duration.clone(), code: 0 };
        let future = {
            let _attached = operation.context.clone().attach();
            self.inner.call(request)
        };
        FloorFuture { inner: future, operation: Some(operation) }
    }
}

pub struct Operation {
    context: Context,
    started: Instant,
    method: &'static str,
    is_client: bool,
    duration: Histogram<f64>,
    code: u8,
}

const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Operation {
    fn read(&mut self, trailers: &HeaderMap) {
        let code = trailers.get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
        self.code = code.unwrap_or(2).min(16);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        let code = CODES[usize::from(self.code)];
        let span = self.context.span();
        span.set_attribute(KeyValue::new("rpc.status_code", code));
        BOUND.with_borrow_mut(|bound| {
            let key = (self.method.as_ptr() as usize, self.is_client, self.code);
            let bound = bound.entry(key).or_insert_with(|| {
                self.duration.bind(&[
                    KeyValue::new("rpc.system.name", "grpc"),
                    KeyValue::new("rpc.method", self.method),
                    KeyValue::new("rpc.status_code", code),
                ])
            });
            bound.record(elapsed.as_secs_f64());
        });
        span.end();
    }
}

pin_project! {
    pub struct FloorFuture<F> {
        #[pin]
        inner: F,
        operation: Option<Operation>,
    }
}

impl<F, B, E> Future for FloorFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<FloorBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let attached = this.operation.as_ref().map(|operation| operation.context.clone().attach());
        let result = ready!(this.inner.poll(cx));
        drop(attached);
        let operation = this.operation.take();
        Poll::Ready(result.map(|response| response.map(|body| FloorBody { body, operation })))
    }
}

pin_project! {
    pub struct FloorBody<B> {
        #[pin]
        body: B,
        operation: Option<Operation>,
    }
}

impl<B: Body> Body for FloorBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let attached = this.operation.as_ref().map(|operation| operation.context.clone().attach());
        let polled = this.body.poll_frame(cx);
        drop(attached);
        if let Poll::Ready(ready) = &polled {
            let trailers = match ready {
                Some(Ok(frame)) if frame.is_data() => return polled,
                Some(Ok(frame)) => frame.trailers_ref(),
                None | Some(Err(_)) => None,
            };
            if let (Some(mut operation), Some(trailers)) = (this.operation.take(), trailers) {
                operation.read(trailers);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
