//! The convention of a gRPC call: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, Key, KeyValue, Value};
use otel_core::{
    AttributeNames, Attributes, Convention, ErrorType, EventLog, HeaderCapture, InFlight, binds_instruments,
    call_hook,
};
use tonic::Code;

use crate::address::{Authority, Target};
use crate::call::CallParts;
use crate::code;
use crate::method::{Method, SYSTEM};
use crate::metrics::{GrpcTally, Metrics};
use crate::names::{LATER, OURS};
use crate::side::Side;
use crate::text::{address_text, shown};
use crate::{GrpcRequest, GrpcResponse};

pub(crate) type SpanNameOf = Arc<dyn Fn(&GrpcRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync>;
pub(crate) type PeerOf = Arc<dyn Fn(&GrpcRequest<'_>) -> Option<SocketAddr> + Send + Sync>;
pub(crate) type AddFromRequest = Arc<dyn Fn(&GrpcRequest<'_>, &mut Attributes<'_>) + Send + Sync>;
pub(crate) type AddFromResponse = Arc<dyn Fn(&GrpcResponse<'_>, &mut Attributes<'_>) + Send + Sync>;

/// What all calls of a layer share.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    /// Nothing is known of what a provider that was given by hand can do.
    pub(crate) has_own_meter_provider: bool,
    pub(crate) active_requests: bool,
    pub(crate) remote_contexts: bool,
    pub(crate) grpc_metrics: bool,
    pub(crate) deadlines: bool,
    pub(crate) request_headers: HeaderCapture,
    pub(crate) response_trailers: HeaderCapture,
    pub(crate) baggage_keys: Vec<String>,
    pub(crate) span_name: Option<SpanNameOf>,
    pub(crate) add_request: Option<AddFromRequest>,
    pub(crate) add_response: Option<AddFromResponse>,
    pub(crate) target: Option<Target>,
    pub(crate) exceptions: Option<EventLog>,
    /// An attempt layer was made: on one of the layer's channels, or on all, it measures the attempts.
    pub(crate) attempts_apart: Arc<AtomicBool>,
    #[cfg(feature = "rich-errors")]
    pub(crate) rich_errors: bool,
}

/// A call with what the layer has found out about it.
pub(crate) struct CallStart<'a> {
    pub(crate) grpc: GrpcRequest<'a>,
    pub(crate) method: Method<'a>,
    /// What the user's hook calls the span.
    pub(crate) name: Option<Cow<'static, str>>,
    /// Finds the socket's other end, where that is known at the start.
    pub(crate) peer: Option<&'a PeerOf>,
    /// The parent's context, with the caller's baggage.
    pub(crate) context: &'a Context,
    /// Where functions of the user's, or callers, add attributes.
    pub(crate) names: Option<&'a AttributeNames>,
    /// Whether gRPC's own metrics count it at its start, as a call of its method. Else they do so at its end.
    pub(crate) is_counted: bool,
}

/// What a call carries besides its attributes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) parts: CallParts,
    /// The method as metrics may carry it, and the status.
    pub(crate) end: Option<(&'static str, Code)>,
    /// What gRPC's own metrics want, when they are on.
    pub(crate) grpc: Option<Box<GrpcTally>>,
}

/// The convention as it is on one side.
pub(crate) struct GrpcConvention<S> {
    pub(crate) rules: Rules,
    side: PhantomData<fn() -> S>,
}

impl<S> GrpcConvention<S> {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, side: PhantomData }
    }
}

impl<S: Side> Convention for GrpcConvention<S> {
    const SPAN_KIND: SpanKind = S::KIND;
    type Request<'a> = CallStart<'a>;
    type Response<'a> = GrpcResponse<'a>;
    type Metrics = Metrics;
    type Tally = Tally;

    fn metrics(&self, meter: &Meter) -> Metrics {
        let binds = binds_instruments() && !self.rules.has_own_meter_provider;
        Metrics::new::<S>(meter, &self.rules, self.shared_attributes(), binds)
    }

    fn span_name(&self, call: &CallStart<'_>) -> Cow<'static, str> {
        call.name.clone().unwrap_or_else(|| call.method.span_name())
    }

    fn on_start(&self, call: &CallStart<'_>, attributes: &mut Attributes<'_>) {
        if S::IS_ATTEMPT {
            return;
        }
        if attributes.wants_span() {
            // The metrics know these from the series.
            attributes.span("rpc.system.name", SYSTEM);
            call.method.write(attributes);
        }
        self.server_attributes(call, attributes);
        if attributes.wants_span() {
            self.on_start_of_span(call, attributes);
        }
        if let Some(names) = call.names {
            attributes.checked(names, &LATER, |attributes| {
                if let Some(add) = &self.rules.add_request {
                    call_hook(|| add(&call.grpc, attributes), ());
                }
                self.rules.baggage_attributes(call.context, attributes);
            });
        }
    }

    fn in_flight(&self, metrics: &Metrics, call: &CallStart<'_>) -> Option<InFlight> {
        if let Some(grpc) = metrics.grpc.as_ref().filter(|_| call.is_counted) {
            grpc.start(call.method.bounded_name(), self.rules.grpc_target());
        }
        let active = metrics.active.as_ref()?;
        let attributes = vec![
            KeyValue::new("rpc.system.name", SYSTEM),
            KeyValue::new("rpc.method", call.method.bounded_name()),
        ];
        Some(InFlight::start(active.clone(), attributes))
    }

    fn on_response(
        &self,
        response: &GrpcResponse<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        if S::IS_ATTEMPT {
            return Ok(());
        }
        attributes.span("rpc.status_code", code::name(response.code));
        if let Some(trailers) = response.trailers {
            self.rules.response_trailers.capture("rpc.response.trailer.", trailers, attributes, shown);
        }
        let class = self.class_of_error(response, attributes);
        if let (Some(add), Some(names)) = (&self.rules.add_response, response.names) {
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(response, attributes), ());
            attributes.checked(names, &OURS, add);
        }
        if S::is_error(response.code) { Err(class) } else { Ok(()) }
    }

    fn on_exception(&self, error_type: &ErrorType, context: &Context) {
        if let Some(log) = &self.rules.exceptions {
            let (name, severity) = S::EXCEPTION;
            log.exception(name, severity, error_type, context);
        }
    }

    fn record(
        &self,
        metrics: &Metrics,
        elapsed: Duration,
        tally: &Tally,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        let Some((method, code)) = tally.end else { return };
        if let Some(duration) = &metrics.duration {
            duration.record(elapsed.as_secs_f64(), method, code, S::is_error(code), attributes);
        }
        if let (Some(grpc), Some(of_call)) = (&metrics.grpc, &tally.grpc) {
            grpc.record(elapsed, method, code, of_call);
        }
    }
}

/// The other end of the socket.
pub(crate) fn write_peer(peer: SocketAddr, attributes: &mut Attributes<'_>) {
    attributes.span("network.peer.address", address_text(peer.ip()));
    attributes.span("network.peer.port", i64::from(peer.port()));
}

impl<S: Side> GrpcConvention<S> {
    /// On a server the caller chooses the name it asks for: "`server.address` [...] opt-in" on the metric. A client's
    /// application chooses whom it calls; of a target the metrics know from the start.
    fn server_attributes(&self, call: &CallStart<'_>, attributes: &mut Attributes<'_>) {
        if let Some(Target { server, .. }) = &self.rules.target {
            attributes.span("server.address", server.address());
            if let Some(port) = server.port {
                attributes.span("server.port", i64::from(port));
            }
            return;
        }
        if S::IS_SERVER && !attributes.wants_span() {
            return;
        }
        let Some(server) = Authority::of(call.grpc.uri, call.grpc.headers) else { return };
        if S::IS_SERVER {
            attributes.span("server.address", server.address());
            if let Some(port) = server.port() {
                attributes.span("server.port", i64::from(port));
            }
        } else {
            attributes.both("server.address", server.address());
            if let Some(port) = server.with_port_of(call.grpc.uri).port() {
                attributes.both("server.port", i64::from(port));
            }
        }
    }

    /// What all series of the duration carry.
    fn shared_attributes(&self) -> Vec<KeyValue> {
        let Some(target) = self.rules.target.as_ref().filter(|_| !S::IS_SERVER) else { return Vec::new() };
        let mut attributes = vec![KeyValue::new("server.address", target.server.address())];
        attributes.extend(target.server.port.map(|port| KeyValue::new("server.port", i64::from(port))));
        attributes
    }

    fn on_start_of_span(&self, call: &CallStart<'_>, attributes: &mut Attributes<'_>) {
        if let Some(peer) = call.peer.and_then(|peer| call_hook(|| peer(&call.grpc), None)) {
            write_peer(peer, attributes);
        }
        self.rules.request_headers.capture("rpc.request.header.", call.grpc.headers, attributes, shown);
        if self.rules.deadlines
            && let Some(timeout) = call.grpc.timeout()
        {
            attributes.span("grpc.timeout", timeout.as_secs_f64());
        }
    }

    #[cfg(feature = "rich-errors")]
    fn class_of_error(&self, response: &GrpcResponse<'_>, attributes: &mut Attributes<'_>) -> ErrorType {
        let details = response.trailers.filter(|_| self.rules.rich_errors && response.code != Code::Ok);
        let details = details.and_then(crate::rich_error::RichError::of);
        let Some(details) = details else { return code::error_type(response.code) };
        details.write(attributes);
        // A reason is remembered as a class, of which there are few: not where it is none of an error's.
        let class = if S::is_error(response.code) { details.error_type() } else { None };
        class.unwrap_or_else(|| code::error_type(response.code))
    }

    #[cfg(not(feature = "rich-errors"))]
    fn class_of_error(&self, response: &GrpcResponse<'_>, _: &mut Attributes<'_>) -> ErrorType {
        code::error_type(response.code)
    }
}

impl Rules {
    pub(crate) fn own_name(&self, grpc: &GrpcRequest<'_>) -> Option<Cow<'static, str>> {
        self.span_name.as_ref().and_then(|name| call_hook(|| name(grpc), None))
    }

    /// Where functions of the user's, or callers, add attributes: the names that they give.
    pub(crate) fn names(&self) -> Option<AttributeNames> {
        let has_own =
            self.add_request.is_some() || self.add_response.is_some() || !self.baggage_keys.is_empty();
        has_own.then(AttributeNames::default)
    }

    fn baggage_attributes(&self, context: &Context, attributes: &mut Attributes<'_>) {
        for key in &self.baggage_keys {
            if let Some(value) = context.baggage().get(key) {
                attributes.span(Key::from(key.clone()), value.clone());
            }
        }
    }

    pub(crate) fn has_attempts_apart(&self) -> bool {
        self.attempts_apart.load(Ordering::Relaxed)
    }

    pub(crate) fn grpc_target(&self) -> Option<Value> {
        let target = self.target.as_ref()?;
        Some(Value::String(Arc::clone(&target.canonical).into()))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("active_requests", &self.active_requests)
            .field("grpc_metrics", &self.grpc_metrics)
            .field("deadlines", &self.deadlines)
            .field("request_headers", &self.request_headers)
            .field("response_trailers", &self.response_trailers)
            .field("baggage_keys", &self.baggage_keys)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
