//! [`TestTelemetry`], and what it is asked.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, ContextGuard};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use tracing_subscriber::registry::LookupSpan;

use super::{ShowOnFailure, TestTelemetryBuilder};
use crate::assert::{fail, first_lines, nearest_name};
use crate::recorder::{LogRecorder, MetricRecorder, SpanRecorder};
use crate::subscriber::subscriber;
use crate::{Captured, Log, globals};

/// Telemetry of one test: providers of its own, and everything that was made with them.
///
/// Nothing here is global, so any number of tests run in parallel in one process and none sees another's telemetry. Give
/// the providers to what you test. Clones share the records. The records stay after the providers are shut down.
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use otel_testing::{SpanDataExt, TestTelemetry};
///
/// let telemetry = TestTelemetry::new();
/// let tracer = telemetry.tracer_provider().tracer("checkout");
/// tracer.in_span("charge", |context| {
///     use opentelemetry::{KeyValue, trace::TraceContextExt};
///     context.span().set_attribute(KeyValue::new("card.brand", "visa"));
/// });
///
/// assert!(telemetry.span("charge").has("card.brand", "visa"));
/// assert!(telemetry.open_spans().is_empty());
/// ```
#[derive(Clone)]
pub struct TestTelemetry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) resource: Resource,
    /// Instruments of code that uses the global meter provider, by their number.
    pub(crate) instruments: Mutex<HashMap<usize, Box<dyn Any + Send + Sync>>>,
    pub(crate) tracer_provider: SdkTracerProvider,
    pub(crate) meter_provider: SdkMeterProvider,
    pub(crate) logger_provider: SdkLoggerProvider,
    pub(crate) spans: SpanRecorder,
    pub(crate) metrics: MetricRecorder,
    pub(crate) logs: LogRecorder,
}

impl TestTelemetry {
    /// Everything sampled, an empty resource.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// With a sampler, a resource or views.
    pub fn builder() -> TestTelemetryBuilder {
        TestTelemetryBuilder::new()
    }

    /// The tracer provider to give to what is tested.
    #[must_use]
    pub fn tracer_provider(&self) -> SdkTracerProvider {
        self.inner.tracer_provider.clone()
    }

    /// The meter provider to give to what is tested.
    #[must_use]
    pub fn meter_provider(&self) -> SdkMeterProvider {
        self.inner.meter_provider.clone()
    }

    /// The logger provider to give to what is tested.
    #[must_use]
    pub fn logger_provider(&self) -> SdkLoggerProvider {
        self.inner.logger_provider.clone()
    }

    /// W3C trace context and baggage, as services have them. Give it to the builders of a client and of a server
    /// (`with_propagator`): what a test runs of both is one trace only if both have one.
    ///
    /// ```
    /// use opentelemetry::Context;
    /// use opentelemetry::propagation::TextMapPropagator;
    /// use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
    /// use otel_testing::TestTelemetry;
    ///
    /// let telemetry = TestTelemetry::new();
    /// let span = telemetry.tracer_provider().tracer("shop").start("checkout");
    /// let mut headers = std::collections::HashMap::new();
    /// telemetry.propagator().inject_context(&Context::new().with_span(span), &mut headers);
    /// assert!(headers.contains_key("traceparent"));
    /// ```
    #[must_use]
    pub fn propagator(&self) -> TextMapCompositePropagator {
        globals::propagator()
    }

    /// A context in which code that uses the global tracer and meter providers is captured here. Attach it, or run a future
    /// in it with [`FutureExt::with_context`](opentelemetry::trace::FutureExt::with_context); tasks that carry the context
    /// on are captured too, and tests in parallel do not see each other.
    ///
    /// The first call sets the global providers of the process, and [`propagator`](Self::propagator) if it has none. What they
    /// cannot find by the context needs explicit providers: observable instruments, whose callbacks run in no context,
    /// tracers and meters that were taken from the global providers before, and code that starts from an empty [`Context`].
    /// A test of code that sets global providers itself belongs in a process of its own.
    ///
    /// ```
    /// use opentelemetry::{global, trace::Tracer};
    /// use otel_testing::TestTelemetry;
    ///
    /// let telemetry = TestTelemetry::new();
    /// let _attached = telemetry.context().attach();
    /// global::tracer("shop").in_span("checkout", |_| global::meter("shop").u64_counter("orders").build().add(1, &[]));
    /// assert_eq!(telemetry.span("checkout").name, "checkout");
    /// assert_eq!(telemetry.sum("orders"), 1.0);
    /// ```
    #[must_use]
    pub fn context(&self) -> Context {
        globals::context(self)
    }

    /// Attaches [`TestTelemetry::context`] to this thread, until the guard is dropped.
    #[must_use = "it is detached when the guard is dropped"]
    pub fn attach(&self) -> ContextGuard {
        self.context().attach()
    }

    /// Prints the tree of all spans if the test fails while the value is there.
    ///
    /// ```
    /// let telemetry = otel_testing::TestTelemetry::new();
    /// let _shown = telemetry.show_on_failure();
    /// ```
    pub fn show_on_failure(&self) -> ShowOnFailure {
        ShowOnFailure::new(self.clone())
    }

    /// A `tracing` subscriber bound to these providers: spans of `tracing` become spans here, and nest under native ones
    /// and these under them; events become logs. Give it to `tracing::subscriber::with_default` or `set_default`.
    ///
    /// All levels count, where a service exports from `INFO` up: `.with(LevelFilter::INFO)` of `tracing_subscriber` makes it so
    /// here. Only the crates a client or a server is made of (`h2`, `hyper`, `reqwest`, `rustls`, `tonic`,
    /// `tower`) speak from `WARN` on in any case, and OpenTelemetry's own events not at all.
    /// A record has what otel-init exports besides the event's own fields: those of the spans around it, and for an error with
    /// causes `exception.stacktrace`, the chain of them.
    ///
    /// Source location, thread and busy time are left out of the spans, to keep what a test compares small.
    ///
    /// ```
    /// let telemetry = otel_testing::TestTelemetry::new();
    /// tracing::subscriber::with_default(telemetry.subscriber(), || {
    ///     let _entered = tracing::info_span!("checkout").entered();
    ///     tracing::info!(items = 3, "order placed");
    /// });
    /// let log = &telemetry.logs()[0];
    /// assert_eq!(log.message(), "order placed");
    /// assert_eq!(log.span_id, Some(telemetry.span("checkout").span_context.span_id()));
    /// ```
    #[must_use]
    pub fn subscriber(&self) -> impl tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static {
        subscriber(self.inner.tracer_provider.tracer("tracing"), &self.inner.logger_provider)
    }

    /// Makes `tracing` find the test by the context too, as the global providers do, on every thread: the first call sets the
    /// global subscriber of the process, which is [`subscriber`](Self::subscriber)'s like. A subscriber that is set for a thread or
    /// a future takes its place there. Code that sets a global subscriber itself belongs in a process of its own.
    ///
    /// ```
    /// use opentelemetry::trace::FutureExt;
    /// use otel_testing::TestTelemetry;
    ///
    /// TestTelemetry::route_tracing();
    /// let telemetry = TestTelemetry::new();
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    /// let job = async { tracing::info!("order placed") };
    /// runtime.block_on(runtime.spawn(job.with_context(telemetry.context()))).unwrap();
    /// assert_eq!(telemetry.logs()[0].message(), "order placed");
    /// ```
    ///
    /// # Panics
    ///
    /// When the process has another global subscriber.
    #[track_caller]
    pub fn route_tracing() {
        if !globals::route_tracing() {
            fail("the process has another global subscriber of tracing: set none where this one is wanted");
        }
    }

    /// All finished and sampled spans, in the order in which they ended.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.inner.spans.finished()
    }

    /// The finished spans of this name, in the order in which they ended.
    #[must_use]
    pub fn spans_named(&self, name: &str) -> Vec<SpanData> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    /// The one finished span of this name.
    ///
    /// # Panics
    ///
    /// When there is none or more than one; the message shows the tree of all spans.
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> SpanData {
        let mut found = self.spans_named(name);
        match (found.pop(), found.is_empty()) {
            (Some(span), true) => span,
            (None, _) => fail(&self.missing(name)),
            (Some(_), false) => {
                let count = found.len() + 1;
                fail(&format!(
                    "expected one span named {name:?}, there are {count}\nall spans:\n{}",
                    first_lines(&self.tree())
                ))
            }
        }
    }

    fn missing(&self, name: &str) -> String {
        let (spans, open) = (self.spans(), self.open_spans());
        let nearest = match open.iter().any(|open| open == name) {
            true => "one was started and has not ended\n".to_owned(),
            false => nearest_name(spans.iter().map(|span| span.name.as_ref()), name)
                .map(|nearest| format!("the closest is {nearest:?}\n"))
                .unwrap_or_default(),
        };
        format!(
            "expected one span named {name:?}, there is none\n{nearest}all spans:\n{}",
            first_lines(&self.tree())
        )
    }

    /// How many recorded spans were started, ended or not.
    #[must_use]
    pub fn started_spans(&self) -> usize {
        self.inner.spans.started()
    }

    /// Names of the spans that were started and have not ended, in the order of their start.
    #[must_use]
    pub fn open_spans(&self) -> Vec<String> {
        self.inner.spans.open()
    }

    /// All spans as a tree: name, kind, status, attributes, events, links. It holds no ids and no times, so it is the same
    /// on every run; siblings stand in the order of their start.
    #[must_use]
    pub fn tree(&self) -> String {
        Captured::spans_of(self).tree()
    }

    /// All log records, in the order in which they were emitted.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.inner.logs.records()
    }

    /// Forgets finished spans and logs. Metrics go on: they are cumulative.
    pub fn clear(&self) {
        self.inner.spans.clear();
        self.inner.logs.clear();
    }
}

impl Default for TestTelemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestTelemetry")
            .field("spans", &self.spans().len())
            .field("open_spans", &self.open_spans())
            .field("logs", &self.logs().len())
            .finish_non_exhaustive()
    }
}
