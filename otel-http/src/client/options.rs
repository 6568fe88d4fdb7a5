//! The options that all kinds of clients have, and their setters, written once.

use std::fmt;
use std::sync::Arc;

use http::header::HeaderName;
use opentelemetry::propagation::TextMapPropagator;
use otel_core::{EventLog, HeaderCapture, Instrumenter, Providers};

use super::convention::ClientConvention;
use super::destination::DestinationPolicy;
use super::host::HostPattern;
use super::settings::{ClientSettings, ErrorTypeOf, PeerOf};
use super::template::UrlTemplates;
use crate::hooks::{AddFromRequest, Filter, SpanNameOf};
use crate::scope;
use crate::url::SecretKeys;

#[derive(Clone, Default)]
pub(crate) struct ClientOptions {
    pub(crate) providers: Providers,
    pub(crate) propagator_fields: Option<Vec<HeaderName>>,
    pub(crate) filter: Option<Filter>,
    pub(crate) templates: UrlTemplates,
    pub(crate) peer: Option<PeerOf>,
    pub(crate) service_names: Vec<(HostPattern, String)>,
    pub(crate) error_types: Vec<ErrorTypeOf>,
    pub(crate) destinations: Option<DestinationPolicy>,
    pub(crate) active_requests: bool,
    pub(crate) body_sizes: bool,
    pub(crate) end_at_body: bool,
    pub(crate) exceptions: Option<EventLog>,
    pub(crate) request_headers: HeaderCapture,
    pub(crate) response_headers: HeaderCapture,
    pub(crate) secret_keys: SecretKeys,
    pub(crate) span_name: Option<SpanNameOf>,
    pub(crate) add_request: Option<AddFromRequest>,
}

impl ClientOptions {
    pub(crate) fn set_propagator(&mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) {
        let fields = propagator.fields().filter_map(|field| HeaderName::from_bytes(field.as_bytes()).ok());
        self.propagator_fields = Some(fields.collect());
        self.providers.set_propagator(propagator);
    }

    pub(crate) fn build(self) -> Arc<ClientSettings> {
        let convention = ClientConvention {
            with_active_requests: self.active_requests,
            with_body_sizes: self.body_sizes,
            service_names: self.service_names,
            exceptions: self.exceptions,
            request_headers: self.request_headers,
            response_headers: self.response_headers,
            secret_keys: self.secret_keys,
            span_name: self.span_name,
            add_request: self.add_request,
            ..ClientConvention::default()
        };
        Arc::new(ClientSettings {
            instrumenter: Instrumenter::new(scope(), self.providers, convention),
            filter: self.filter,
            templates: self.templates,
            peer: self.peer,
            error_types: self.error_types,
            destinations: self.destinations,
            propagator_fields: self.propagator_fields,
            end_at_body: self.end_at_body,
        })
    }
}

/// The setters of a builder that has `options: ClientOptions`.
macro_rules! client_setters {
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
            self
        }

        /// Writes the context into the request with this propagator. Default: the global one.
        pub fn with_propagator(
            mut self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            self.options.set_propagator(propagator);
            self
        }

        /// Observes only requests for which `wanted` says yes; others pass without span and metrics. Default: all.
        pub fn with_filter(
            mut self,
            wanted: impl Fn(&crate::HttpRequest<'_>) -> bool + Send + Sync + 'static,
        ) -> Self {
            self.options.filter = Some(std::sync::Arc::new(wanted));
            self
        }

        /// Names the span; `None` leaves `{method} {template}`. A name must have few different values.
        pub fn with_span_name(
            mut self,
            name: impl Fn(&crate::HttpRequest<'_>) -> Option<std::borrow::Cow<'static, str>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.options.span_name = Some(std::sync::Arc::new(name));
            self
        }

        /// Adds attributes from the request, before sampling. A second call replaces the first. Names that the client
        /// gives itself, and all but the first of one name, are left out.
        pub fn with_attributes(
            mut self,
            add: impl Fn(&crate::HttpRequest<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.options.add_request = Some(std::sync::Arc::new(add));
            self
        }

        /// Records these request headers as `http.request.header.*`: names in any case, with `*` and `?`; a name that
        /// begins with `!` is left out. Names that sound like a secret and values marked sensitive are recorded as
        /// `REDACTED`, at most 32 headers. What a connector adds later is not seen. Default: none.
        pub fn with_captured_request_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.options.request_headers.add(names);
            self
        }

        /// Records these response headers as `http.response.header.*`, in the way of
        /// [`with_captured_request_headers`](Self::with_captured_request_headers). Default: none.
        pub fn with_captured_response_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.options.response_headers.add(names);
            self
        }

        /// Replaces the values of these headers too by `REDACTED`, in both directions.
        pub fn with_sensitive_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String> + Clone>,
        ) -> Self {
            for name in names {
                self.options.request_headers.add_sensitive([name.clone()]);
                self.options.response_headers.add_sensitive([name]);
            }
            self
        }

        /// Replaces the values of these keys in `url.full`, and in captured headers that hold a URL, in place of those of the
        /// convention, which are the signatures and credentials of presigned URLs. Case counts; of an empty list no key is
        /// replaced. Default: `X-Amz-Signature`, `X-Amz-Credential`, `X-Amz-Security-Token`, `AWSAccessKeyId`, `Signature`,
        /// `sig`, `X-Goog-Signature`.
        pub fn with_redacted_query_keys(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.options.secret_keys = crate::url::SecretKeys::new(keys);
            self
        }

        /// Writes a log event `http.client.request.exception` (stability: development), severity WARN, for each error that
        /// came instead of a response or broke a body off: `exception.type`, in the span's context, and not the error's
        /// text, which may hold a secret. A status is not an exception. Default: none.
        pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
        where
            P: opentelemetry::logs::LoggerProvider,
            P::Logger: Send + Sync + 'static,
        {
            self.options.exceptions = Some(otel_core::EventLog::new(logger_provider, crate::scope()));
            self
        }

        /// Ends span and duration when the response's body has passed instead of at its head. Default: `false`, since a
        /// client may keep a body for as long as it likes.
        pub fn with_end_at_body(mut self, end_at_body: bool) -> Self {
            self.options.end_at_body = end_at_body;
            self
        }

        /// Templates of the paths that this client asks for, with `{name}` for one segment and `{*name}` for all that
        /// is left. The most exact one that fits names the span (`{method} {template}`), and is recorded as
        /// `url.template` (stability: development) on span and metrics. Default: none; a template given with the
        /// request wins.
        pub fn with_url_templates(mut self, templates: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.options.templates = crate::client::UrlTemplates::new(templates);
            self
        }

        /// Names the services behind hosts: pairs of a host, as in [`DestinationPolicy`](crate::DestinationPolicy), and
        /// the service's name, recorded on the span as `server.service.name` (stability: development). The first host
        /// that fits counts. Default: none.
        pub fn with_service_names<H: AsRef<str>, N: Into<String>>(
            mut self,
            names: impl IntoIterator<Item = (H, N)>,
        ) -> Self {
            let names = names.into_iter();
            let names =
                names.map(|(host, name)| (crate::client::HostPattern::new(host.as_ref()), name.into()));
            self.options.service_names = names.collect();
            self
        }

        /// Records the metric `http.client.active_requests` (stability: development). Default: `false`.
        pub fn with_active_requests(mut self, record: bool) -> Self {
            self.options.active_requests = record;
            self
        }

        /// Records the metrics `http.client.request.body.size` and `http.client.response.body.size` in bytes
        /// (stability: development). A size that is not known is not recorded. Default: `false`.
        pub fn with_body_sizes(mut self, record: bool) -> Self {
            self.options.body_sizes = record;
            self
        }
    };
}

pub(crate) use client_setters;

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("providers", &self.providers)
            .field("destinations", &self.destinations)
            .field("active_requests", &self.active_requests)
            .field("body_sizes", &self.body_sizes)
            .field("end_at_body", &self.end_at_body)
            .finish_non_exhaustive()
    }
}
