//! What a layer was told, and how a call starts under it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::Request;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use otel_core::carrier::HeaderInjector;
use otel_core::{AlreadyObserved, Instrumenter, ServerLayer, call_hook, current_context};
use tonic::GrpcMethod;

use super::attempt::{AttemptCount, AttemptSettings, Attempts};
use crate::call::{Call, CallParts, HeadRules};
use crate::convention::{CallStart, GrpcConvention};
use crate::deadline::Deadline;
use crate::messages::{MessageReport, Messages};
use crate::method::Method;
use crate::options::Filter;
use crate::side::ClientSide;
use crate::{GrpcRequest, GrpcTraceBinPropagator};

/// What the services of one layer share.
pub(super) struct Settings {
    pub(super) instrumenter: Instrumenter<GrpcConvention<ClientSide>>,
    pub(super) filter: Option<Filter>,
    pub(super) methods: Option<HashSet<&'static str>>,
    pub(super) trace_bin: bool,
    pub(super) report: MessageReport,
    pub(super) head: Option<Arc<HeadRules>>,
    pub(super) attempt: Arc<AttemptSettings>,
}

impl Settings {
    /// Starts the call's operation, unless the filter says no or a layer further out has it already, and writes its
    /// context into the request.
    pub(super) fn begin<A>(
        &self,
        request: &mut Request<A>,
        has_attempts_apart: &Arc<AtomicBool>,
    ) -> Option<Call<ClientSide>> {
        if self.instrumenter.is_idle() {
            return None;
        }
        // Whether or not it is wanted, nobody wants it as plain HTTP.
        if !AlreadyObserved::mark(request.extensions_mut()) {
            return None;
        }
        let parent = current_context();
        ServerLayer::unmark(request.extensions_mut());
        let grpc = GrpcRequest::new(request);
        let wanted = self.filter.as_ref().is_none_or(|wanted| call_hook(|| wanted(&grpc), true));
        let call = wanted.then(|| self.start(&parent, &grpc, has_attempts_apart));
        self.inject(call.as_ref().map_or(&parent, |(call, _)| call.context_of(&parent)), request);
        let (call, attempts) = call?;
        if let Some(attempts) = attempts {
            request.extensions_mut().insert(attempts);
        }
        Some(call)
    }

    fn start(
        &self,
        parent: &Context,
        grpc: &GrpcRequest<'_>,
        has_attempts_apart: &Arc<AtomicBool>,
    ) -> (Call<ClientSide>, Option<Attempts>) {
        let method = method_of(grpc, self.methods.as_ref());
        let rules = &self.instrumenter.convention().rules;
        let (name, names) = (rules.own_name(grpc), rules.names());
        let has_own_name = name.is_some();
        // A layer that has made an attempt layer may have it on this channel or on another one.
        let counts_attempts = rules.grpc_metrics && rules.has_attempts_apart();
        let is_counted = method.is_known() && !counts_attempts;
        let (peer, context) = (None, parent);
        let start = CallStart { grpc: *grpc, method, name, peer, context, names: names.as_ref(), is_counted };
        let operation = self.instrumenter.start(parent, &start);
        if operation.is_inert() {
            return (Call::inert(operation), None);
        }
        let deadline = Deadline::start(grpc.headers);
        let attempts = counts_attempts.then(|| {
            let count = AttemptCount::new(Arc::clone(has_attempts_apart));
            Attempts { count: Arc::new(count), deadline }
        });
        let count = attempts.as_ref().map(|attempts| Arc::clone(&attempts.count));
        let parts = CallParts {
            deadline,
            standing: method.standing(),
            has_own_name,
            names,
            head: self.head.clone(),
            messages: Messages::wanted(self.report, rules, is_counted, count),
            ..CallParts::default()
        };
        (Call::new(operation, parts), attempts)
    }

    fn inject<A>(&self, context: &Context, request: &mut Request<A>) {
        self.instrumenter.providers().inject_headers(context, request.headers_mut());
        if self.trace_bin {
            let mut injector = HeaderInjector::new(request.headers_mut());
            GrpcTraceBinPropagator::new().inject_context(context, &mut injector);
        }
    }
}

/// A generated client has its methods as constants; others pass on what they were given.
pub(super) fn method_of<'a>(grpc: &GrpcRequest<'a>, listed: Option<&HashSet<&'static str>>) -> Method<'a> {
    let constant = grpc.extensions.get::<GrpcMethod<'static>>();
    match (constant.and_then(|constant| own_path(constant, grpc.path())), listed) {
        (Some(path), None) => Method::compiled_in(path),
        (Some(path), listed) => Method::new(path, listed),
        (None, listed) => Method::new(grpc.path(), listed),
    }
}

/// The path of the constant's method, without the one of the client's origin that stands before it. `None` where it is another
/// method: a client of one's own may give all calls the same constant.
fn own_path<'a>(constant: &GrpcMethod<'_>, path: &'a str) -> Option<&'a str> {
    let length = constant.service().len() + constant.method().len() + "//".len();
    let own = path.get(path.len().checked_sub(length)?..)?;
    let service = own.strip_prefix('/')?.strip_suffix(constant.method())?.strip_suffix('/')?;
    (service == constant.service()).then_some(own)
}
