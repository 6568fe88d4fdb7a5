//! The options that both ends have, and their setters, written once.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use otel_core::Providers;

use crate::GrpcRequest;
use crate::call::HeadRules;
use crate::convention::Rules;
use crate::messages::MessageReport;
use crate::method::listed;

pub(crate) type Filter = Arc<dyn Fn(&GrpcRequest<'_>) -> bool + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) providers: Providers,
    pub(crate) filter: Option<Filter>,
    pub(crate) methods: Option<HashSet<&'static str>>,
    pub(crate) trace_bin: bool,
    pub(crate) report: MessageReport,
    pub(crate) head: Option<HeadRules>,
    pub(crate) rules: Rules,
}

impl Options {
    pub(crate) fn add_methods(&mut self, methods: impl IntoIterator<Item = impl AsRef<str>>) {
        let methods = methods.into_iter().map(|name| listed(name.as_ref().trim_start_matches('/')));
        self.methods.get_or_insert_default().extend(methods);
    }

    pub(crate) fn head(&mut self) -> &mut HeadRules {
        self.head.get_or_insert_default()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("providers", &self.providers)
            .field("methods", &self.methods)
            .field("trace_bin", &self.trace_bin)
            .field("report", &self.report)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The setters of a builder that has `options: Options`.
macro_rules! grpc_setters {
    () => {
        /// Spans from this provider. Default: the global one, also if it is set later.
        pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
        where
            P: opentelemetry::trace::TracerProvider + Send + Sync + 'static,
            P::Tracer: Send + Sync + 'static,
            <P::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
        {
            self.options.providers.set_tracer_provider(provider);
            self
        }

        /// Instruments from this provider. Default: the global one, also if it is set later.
        pub fn with_meter_provider(
            mut self,
            provider: impl opentelemetry::metrics::MeterProvider + Send + Sync + 'static,
        ) -> Self {
            self.options.providers.set_meter_provider(provider);
            self.options.rules.has_own_meter_provider = true;
            self
        }

        /// Reads and writes the context of other processes with this propagator. Default: the global one.
        pub fn with_propagator(
            mut self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            self.options.providers.set_propagator(propagator);
            self
        }

        /// Hands the trace on in `grpc-trace-bin` as well, for peers that know nothing newer. Where both come, the
        /// propagator's counts. Default: `false`.
        pub fn with_grpc_trace_bin(mut self, also: bool) -> Self {
            self.options.trace_bin = also;
            self
        }

        /// Observes only calls for which `wanted` says yes; others pass without span and metrics, in their caller's
        /// context. Default: all. [`not_health_or_reflection`](crate::not_health_or_reflection) is such a function.
        pub fn with_filter(
            mut self,
            wanted: impl Fn(&crate::GrpcRequest<'_>) -> bool + Send + Sync + 'static,
        ) -> Self {
            self.options.filter = Some(std::sync::Arc::new(wanted));
            self
        }

        /// The methods that there are, as `package.Service/Method`; calls of others are `_OTHER`, also those of health checks
        /// and reflection where they are not named. May be called again.
        ///
        /// Default: no list. Then a call that ends `UNIMPLEMENTED` is `_OTHER` in the span's name and on the metrics,
        /// and every other call counts as one of a method that is there, up to 1000 in a process.
        pub fn with_known_methods(mut self, methods: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
            self.options.add_methods(methods);
            self
        }

        /// The methods that there are: those of an encoded `google.protobuf.FileDescriptorSet`, as the compiler writes
        /// it for reflection. In the way of [`with_known_methods`](Self::with_known_methods): the set of tonic's health service,
        /// for example, is another one (`tonic_health::pb::FILE_DESCRIPTOR_SET`). What is no such set changes nothing.
        #[cfg(feature = "descriptors")]
        pub fn with_descriptor_set(mut self, encoded: &[u8]) -> Self {
            if let Some(methods) = crate::descriptors::methods_in(encoded) {
                self.options.add_methods(methods);
            }
            self
        }

        /// Names the span of a call; `None` keeps the convention's name. A name must have few different values.
        pub fn with_span_name(
            mut self,
            name: impl Fn(&crate::GrpcRequest<'_>) -> Option<std::borrow::Cow<'static, str>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.options.rules.span_name = Some(std::sync::Arc::new(name));
            self
        }

        /// Adds attributes from the request, before sampling. What the call has without them stays, and what it may get later
        /// (`error.type`, `rpc.status_code`) is left out; of one name the first counts. A second call replaces the first.
        pub fn with_attributes(
            mut self,
            add: impl Fn(&crate::GrpcRequest<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.options.rules.add_request = Some(std::sync::Arc::new(add));
            self
        }

        /// Adds attributes from how the call ended. Names under [What is emitted](crate#what-is-emitted), and those that
        /// [`with_attributes`](Self::with_attributes) has given, are left out. A second call replaces the first.
        pub fn with_response_attributes(
            mut self,
            add: impl Fn(&crate::GrpcResponse<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.options.rules.add_response = Some(std::sync::Arc::new(add));
            self
        }

        /// Records this metadata of requests as `rpc.request.header.*`. Keys in any case, with `*` and `?`; a key that
        /// begins with `!` is left out. Keys that sound like a secret (`authorization`, `cookie`, tokens, sessions) and
        /// values marked sensitive are recorded as `REDACTED`, at most 32 keys; binary metadata as base64, URLs without
        /// credentials and signatures. Prefer names to stars: with a star the peer chooses attribute keys. Default: none.
        pub fn with_captured_request_headers(
            mut self,
            keys: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.options.rules.request_headers.add(keys);
            self
        }

        /// Records this metadata that comes before the first message as `rpc.response.header.*`, in the way of
        /// [`with_captured_request_headers`](Self::with_captured_request_headers). Default: none.
        pub fn with_captured_response_headers(
            mut self,
            keys: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.options.head().headers.add(keys);
            self
        }

        /// Records this metadata that comes with the status as `rpc.response.trailer.*`, in the way of
        /// [`with_captured_request_headers`](Self::with_captured_request_headers). Default: none.
        pub fn with_captured_response_trailers(
            mut self,
            keys: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.options.rules.response_trailers.add(keys);
            self
        }

        /// Replaces the values of these keys too by `REDACTED`, in both directions.
        pub fn with_sensitive_headers(
            mut self,
            keys: impl IntoIterator<Item = impl Into<String> + Clone>,
        ) -> Self {
            for key in keys {
                self.options.rules.request_headers.add_sensitive([key.clone()]);
                self.options.rules.response_trailers.add_sensitive([key.clone()]);
                self.options.head().headers.add_sensitive([key]);
            }
            self
        }

        /// Copies these entries of the baggage to the span, under their own names. Default: none.
        pub fn with_baggage_attributes(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.options.rules.baggage_keys.extend(keys.into_iter().map(Into::into));
            self
        }

        /// Writes a log event `rpc.server.call.exception` (severity ERROR) or `rpc.client.call.exception` (WARN; stability of
        /// both: development) for each panic, and for each error that came in place of a status or broke a stream off and makes
        /// the call fail: `exception.type` in the span's context, the same as the span's `error.type`, and not the error's text,
        /// which may hold a secret. A status is not an exception. Default: none.
        pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
        where
            P: opentelemetry::logs::LoggerProvider,
            P::Logger: Send + Sync + 'static,
        {
            let events = otel_core::EventLog::new(logger_provider, crate::scope());
            self.options.rules.exceptions = Some(events);
            self
        }

        /// Records the caller's deadline as `grpc.timeout`, in seconds. Default: `false`.
        pub fn with_deadlines(mut self, record: bool) -> Self {
            self.options.rules.deadlines = record;
            self
        }

        /// Reads `google.rpc.Status` of calls that fail: `error.type` is the reason of its `ErrorInfo`, and
        /// `grpc.error.reason`, `grpc.error.domain` and `grpc.error.details` are recorded on the span. Texts of the error
        /// are not. Default: `false`.
        ///
        /// Reasons are constants; whoever calls services of strangers leaves this off, because they come from there.
        #[cfg(feature = "rich-errors")]
        pub fn with_rich_errors(mut self, read: bool) -> Self {
            self.options.rules.rich_errors = read;
            self
        }

        /// Records how many messages passed in each direction, and their compressed size, on the span, as
        /// `grpc.sent_messages`, `grpc.rcvd_messages`, `grpc.sent_total_compressed_message_size` and
        /// `grpc.rcvd_total_compressed_message_size`. Default: `false`.
        pub fn with_message_counts(mut self, record: bool) -> Self {
            self.options.report.summary = record;
            self
        }

        /// Records each message as an event of the span, `Outbound message` or `Inbound message`, with
        /// `sequence-number` and `message-size` (or `message-size-compressed`). Default: `false`: a stream may have more
        /// messages than a span has room for.
        pub fn with_message_events(mut self, record: bool) -> Self {
            self.options.report.events = record;
            self
        }

        /// Records gRPC's own metrics (proposals A66, A72 and A96) besides the convention's: `grpc.server.call.*`,
        /// `grpc.client.call.*` and `grpc.client.attempt.*`. Default: `false`.
        pub fn with_grpc_metrics(mut self, record: bool) -> Self {
            self.options.rules.grpc_metrics = record;
            self
        }
    };
}

pub(crate) use grpc_setters;
