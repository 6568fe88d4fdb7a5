//! What all requests of one client share, whatever library sends them.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::HeaderName;
use http::{Extensions, HeaderMap};
use opentelemetry::Context;
use otel_core::carrier::HeaderExtractor;
use otel_core::{ErrorType, HttpFailure, Instrumenter, Operation, call_hook};

use super::body::ClientBody;
use super::body_sizes::BodySizes;
use super::convention::{ClientConvention, ClientRequest, ClientResponse};
use super::destination::{DestinationPolicy, Propagate, inject, propagate_to};
use super::host::Server;
use super::template::{UrlTemplate, UrlTemplates};
use crate::HttpRequest;
use crate::hooks::Filter;
use crate::method::MethodName;

pub(crate) type PeerOf = Arc<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>;
pub(crate) type ErrorTypeOf = Arc<dyn Fn(&dyn Any) -> Option<ErrorType> + Send + Sync>;

pub(crate) struct ClientSettings {
    pub(super) instrumenter: Instrumenter<ClientConvention>,
    pub(super) filter: Option<Filter>,
    pub(super) templates: UrlTemplates,
    pub(super) peer: Option<PeerOf>,
    pub(super) error_types: Vec<ErrorTypeOf>,
    pub(super) destinations: Option<DestinationPolicy>,
    /// The headers of a propagator of this client's own.
    pub(super) propagator_fields: Option<Vec<HeaderName>>,
    pub(crate) end_at_body: bool,
}

/// What is known of a request besides its head.
#[derive(Debug, Default)]
pub(crate) struct RequestFacts<'a> {
    pub(crate) template: Option<&'a UrlTemplate>,
    pub(crate) resend_count: u32,
}

/// A request that is on its way.
#[derive(Debug)]
pub(crate) struct Sending {
    /// `None` for a request that is not observed; it still belongs to its caller's trace.
    pub(crate) observed: Option<Observed>,
    propagate: Propagate,
}

#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) operation: Operation<ClientConvention>,
    sizes: Option<Box<BodySizes>>,
}

impl ClientSettings {
    /// Starts the request's operation, unless the filter says no.
    pub(crate) fn start(
        &self,
        parent: &Context,
        http: &HttpRequest<'_>,
        facts: &RequestFacts<'_>,
    ) -> Sending {
        let (server, propagate) = (Server::of(http), self.propagate_to(http));
        let wanted = self.filter.as_ref().is_none_or(|wanted| call_hook(|| wanted(http), true));
        let observed = wanted.then(|| {
            let names = self.instrumenter.convention().rules.names().map(Box::new);
            let mut observed = self.observe(&ClientRequest {
                http: *http,
                method: MethodName::of(http.method),
                server,
                template: self.templates.find(facts.template, http),
                resend_count: facts.resend_count,
                context: parent,
                names: names.as_deref(),
            });
            *observed.operation.tally() = names;
            observed
        });
        Sending { observed, propagate }
    }

    /// What the request's destination may have.
    pub(crate) fn propagate_to(&self, http: &HttpRequest<'_>) -> Propagate {
        match &self.destinations {
            None => Propagate::ALL,
            policy => propagate_to(policy.as_ref(), Server::of(http)),
        }
    }

    /// Takes out of the headers that another layer has written what the destination may not have.
    pub(crate) fn restrict(&self, propagate: &Propagate, headers: &mut HeaderMap) {
        if *propagate != Propagate::ALL {
            let (providers, fields) = (self.instrumenter.providers(), self.propagator_fields.as_deref());
            // Not the current context: with a buffer between the layers that is another one.
            let written = providers.extract(&Context::new(), &HeaderExtractor::new(headers));
            inject(providers, fields, &written, propagate, headers);
        }
    }

    fn observe(&self, request: &ClientRequest<'_>) -> Observed {
        let operation = self.instrumenter.start(request.context, request);
        let convention = self.instrumenter.convention();
        let counts_bytes = convention.with_body_sizes && !operation.is_inert();
        let metrics = counts_bytes.then(|| convention.sizes.load_full()).flatten();
        let sizes = metrics.map(|metrics| {
            let context = operation.context().clone();
            Box::new(BodySizes::new(metrics, request.metric_attributes(), context))
        });
        Observed { operation, sizes }
    }

    /// Writes the context of the request's span, or of its caller, into the headers.
    pub(crate) fn inject(&self, parent: &Context, sending: &Sending, headers: &mut HeaderMap) {
        let context = sending.observed.as_ref().map_or(parent, |observed| observed.operation.context());
        let fields = self.propagator_fields.as_deref();
        inject(self.instrumenter.providers(), fields, context, &sending.propagate, headers);
    }

    /// The socket's other end, as the response tells it.
    pub(super) fn peer_of(&self, response: &Extensions) -> Option<SocketAddr> {
        self.peer.as_ref().and_then(|peer| call_hook(|| peer(response), None))
    }

    /// The class of an error that came instead of a response.
    pub(crate) fn error_type<E: 'static>(&self, error: &E) -> ErrorType {
        let error_any: &dyn Any = error;
        let known = self.error_types.iter().find_map(|of| call_hook(|| of(error_any), None));
        known
            .or_else(|| HttpFailure::of_any(error_any).map(HttpFailure::error_type))
            .unwrap_or_else(ErrorType::of::<E>)
    }
}

impl Observed {
    /// Takes the response's head. What is left ends with the body.
    pub(crate) fn respond(
        mut self,
        response: &ClientResponse<'_>,
        request_bytes: Option<u64>,
        end_at_body: bool,
    ) -> ClientBody {
        let names = self.operation.tally().take();
        self.operation.on_response(&ClientResponse { names: names.as_deref(), ..*response });
        if let Some(sizes) = &mut self.sizes {
            sizes.on_response(response, request_bytes);
        }
        let operation = if end_at_body {
            Some(self.operation)
        } else {
            self.operation.end();
            None
        };
        ClientBody { operation, sizes: self.sizes }
    }

    /// Whether the size of the request's body is of use.
    pub(crate) fn counts_bytes(&self) -> bool {
        self.sizes.is_some()
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("instrumenter", &self.instrumenter)
            .field("destinations", &self.destinations)
            .field("end_at_body", &self.end_at_body)
            .finish_non_exhaustive()
    }
}
