//! What a layer could cost: written by hand for one purpose, without options, hooks or care for what may go wrong.
//!
//! It uses the SDK's own tracer and a bound histogram, reads `traceparent` itself, and ends with the body.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Instant, SystemTime};

use axum::extract::MatchedPath;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::metrics::{BoundHistogram, Histogram, MeterProvider};
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
    TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::telemetry::Installed;

#[derive(Clone)]
pub struct FloorLayer {
    tracer: Option<SdkTracer>,
    duration: Histogram<f64>,
}

impl FloorLayer {
    pub fn new(installed: &Installed, traces: bool) -> Self {
        let meter = installed.meter_provider.meter("floor");
        let duration = meter.f64_histogram("http.server.request.duration");
        let tracer = traces.then(|| installed.tracer_provider.tracer("floor"));
        Self { tracer, duration: duration.with_unit("s").build() }
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

thread_local! {
    static BOUND: RefCell<HashMap<(usize, u16), BoundHistogram<f64>>> = RefCell::default();
    static NAMES: RefCell<HashMap<Box<str>, &'static str>> = RefCell::default();
}

fn leaked(route: &str, prefix: &str) -> &'static str {
    NAMES.with_borrow_mut(|names| match names.get(route) {
        Some(name) => name,
        None => {
            let name: &'static str = Box::leak(format!("{prefix}{route}").into_boxed_str());
            names.insert(route.into(), name);
            name
        }
    })
}

/// What `traceparent` says, of a caller that samples.
pub fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    let trace_id = TraceId::from_hex(header.get(3..35)?).ok()?;
    let span_id = SpanId::from_hex(header.get(36..52)?).ok()?;
    Some(SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE))
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

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let name = leaked(route, "GET ");
        let started = Instant::now();
        let context = Context::current();
        let context = match &self.layer.tracer {
            None => context,
            Some(tracer) => {
                let context = match parent(request.headers()) {
                    Some(parent) => context.with_remote_span_context(parent),
                    None => context,
                };
                let header = |name| {
                    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
                };
                let mut attributes = Vec::with_capacity(12);
                attributes.push(KeyValue::new("http.request.method", "GET"));
                attributes.push(KeyValue::new("url.scheme", "http"));
                attributes.push(KeyValue::new("http.route", &name[4..]));
                attributes.push(KeyValue::new("network.protocol.version", "1.1"));
                attributes.push(KeyValue::new("url.path", request.uri().path().to_owned()));
                attributes.push(KeyValue::new("server.address", header("host").to_owned()));
                attributes.push(KeyValue::new("server.port", 8080));
                attributes.push(KeyValue::new("user_agent.original", header("user-agent").to_owned()));
                let mut builder = SpanBuilder::from_name(name)
                    .with_kind(SpanKind::Server)
                    .with_start_time(SystemTime::now());
                builder.attributes = Some(attributes);
                let span = tracer.build_with_context(builder, &context);
                context.with_span(span)
            }
        };
        let operation =
            Operation { context, started, name, status: 0, duration: self.layer.duration.clone() };
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
    name: &'static str,
    status: u16,
    duration: Histogram<f64>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        let elapsed = self.started.elapsed();
        BOUND.with_borrow_mut(|bound| {
            let key = (self.name.as_ptr() as usize, self.status);
            let bound = bound.entry(key).or_insert_with(|| {
                self.duration.bind(&[
                    KeyValue::new("http.request.method", "GET"),
                    KeyValue::new("url.scheme", "http"),
                    KeyValue::new("http.route", &self.name[4..]),
                    KeyValue::new("network.protocol.version", "1.1"),
                    KeyValue::new("http.response.status_code", i64::from(self.status)),
                ])
            });
            bound.record(elapsed.as_secs_f64());
        });
        self.context.span().end();
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
        let mut operation = this.operation.take();
        Poll::Ready(result.map(|response| {
            let status = response.status().as_u16();
            if let Some(operation) = &mut operation {
                operation.status = status;
                let span = operation.context.span();
                span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            }
            response.map(|body| FloorBody { body, operation })
        }))
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
        if let Poll::Ready(None | Some(Err(_))) = polled {
            *this.operation = None;
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
