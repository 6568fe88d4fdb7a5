//! The options that servers and clients have, and their setters, written once.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::Severity;
use opentelemetry::{Context, Key};
use otel_core::{
    AttributeNames, Attributes, ErrorType, EventLog, HeaderCapture, HttpHeaders, Providers, UrlSecrets,
    call_hook,
};

use crate::header::shown;
use crate::hooks::{AddFromRequest, AddFromResponse, Filter, SpanNameOf};
use crate::{HttpRequest, HttpResponse};

#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) providers: Providers,
    pub(crate) filter: Option<Filter>,
    pub(crate) rules: Rules,
}

/// What spans say besides what they always do.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    pub(crate) request_headers: HeaderCapture,
    pub(crate) response_headers: HeaderCapture,
    pub(crate) url_secrets: UrlSecrets,
    pub(crate) baggage_keys: Vec<String>,
    pub(crate) span_name: Option<SpanNameOf>,
    pub(crate) add_request: Option<AddFromRequest>,
    pub(crate) add_response: Option<AddFromResponse>,
    pub(crate) exceptions: Option<EventLog>,
}

impl Rules {
    pub(crate) fn own_name(&self, request: &HttpRequest<'_>) -> Option<Cow<'static, str>> {
        self.span_name.as_ref().and_then(|name| call_hook(|| name(request), None))
    }

    /// Where functions of the user's, or callers, add attributes: the names that they give.
    pub(crate) fn names(&self) -> Option<AttributeNames> {
        let has_own =
            self.add_request.is_some() || self.add_response.is_some() || !self.baggage_keys.is_empty();
        has_own.then(AttributeNames::default)
    }

    pub(crate) fn capture_request(
        &self,
        of: HttpHeaders,
        headers: &HeaderMap,
        attributes: &mut Attributes<'_>,
    ) {
        let shown = shown(&self.url_secrets);
        self.request_headers.capture_with_installed(of, "http.request.header.", headers, attributes, shown);
    }

    pub(crate) fn capture_response(
        &self,
        of: HttpHeaders,
        headers: &HeaderMap,
        attributes: &mut Attributes<'_>,
    ) {
        let shown = shown(&self.url_secrets);
        self.response_headers.capture_with_installed(of, "http.response.header.", headers, attributes, shown);
    }

    /// Lets the user's function, and the baggage, say what `reserved` leaves to them.
    pub(crate) fn add_from_request(
        &self,
        request: &HttpRequest<'_>,
        context: &Context,
        names: &AttributeNames,
        reserved: &'static [&'static str],
        attributes: &mut Attributes<'_>,
    ) {
        attributes.checked(names, reserved, |attributes| {
            if let Some(add) = &self.add_request {
                call_hook(|| add(request, attributes), ());
            }
            for key in &self.baggage_keys {
                if let Some(value) = context.baggage().get(key) {
                    attributes.span(Key::from(key.clone()), value.clone());
                }
            }
        });
    }

    pub(crate) fn add_from_response(
        &self,
        response: &HttpResponse<'_>,
        names: &AttributeNames,
        reserved: &'static [&'static str],
        attributes: &mut Attributes<'_>,
    ) {
        if let Some(add) = &self.add_response {
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(response, attributes), ());
            attributes.checked(names, reserved, add);
        }
    }

    pub(crate) fn on_exception(
        &self,
        event: &'static str,
        severity: Severity,
        error_type: &ErrorType,
        context: &Context,
    ) {
        if let Some(log) = &self.exceptions {
            log.exception(event, severity, error_type, context);
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("providers", &self.providers)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .field("baggage_keys", &self.baggage_keys)
            .finish_non_exhaustive()
    }
}

/// The setters of a builder that has [`Options`] in this field.
macro_rules! http_setters {
    ($($options:ident).+) => {
        /// Spans from this provider. Default: the global one, also if it is set later.
        pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
        where
            P: opentelemetry::trace::TracerProvider + Send + Sync + 'static,
            P::Tracer: Send + Sync + 'static,
            <P::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
        {
            self.$($options).+.providers.set_tracer_provider(provider);
            self
        }

        /// Instruments from this provider. Default: the global one, also if it is set later.
        pub fn with_meter_provider(
            mut self,
            provider: impl opentelemetry::metrics::MeterProvider + Send + Sync + 'static,
        ) -> Self {
            self.$($options).+.providers.set_meter_provider(provider);
            self
        }

        /// Observes only requests for which `wanted` says yes; others pass without span and metrics, in their caller's
        /// context. Default: all.
        pub fn with_filter(
            mut self,
            wanted: impl Fn(&crate::HttpRequest<'_>) -> bool + Send + Sync + 'static,
        ) -> Self {
            self.$($options).+.filter = Some(std::sync::Arc::new(wanted));
            self
        }

        /// Names the span of a request; `None` keeps the convention's name: `{method} {route}` of a server,
        /// `{method} {template}` of a client. A name must have few different values.
        pub fn with_span_name(
            mut self,
            name: impl Fn(&crate::HttpRequest<'_>) -> Option<std::borrow::Cow<'static, str>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.$($options).+.rules.span_name = Some(std::sync::Arc::new(name));
            self
        }

        /// Adds attributes from the request, before sampling. What the request has without them stays, and what it may get
        /// later (`error.type`, `http.response.*`) is left out; of one name the first counts. A second call replaces the first.
        pub fn with_attributes(
            mut self,
            add: impl Fn(&crate::HttpRequest<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.$($options).+.rules.add_request = Some(std::sync::Arc::new(add));
            self
        }

        /// Adds attributes from the response's head. Names under [What is emitted](crate#what-is-emitted), and those that
        /// [`with_attributes`](Self::with_attributes) has given, are left out. A second call replaces the first.
        pub fn with_response_attributes(
            mut self,
            add: impl Fn(&crate::HttpResponse<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.$($options).+.rules.add_response = Some(std::sync::Arc::new(add));
            self
        }

        /// Records these request headers as `http.request.header.*`. Names in any case, with `*` and `?`; a name that
        /// begins with `!` is left out. Names that sound like a secret (`authorization`, `cookie`, tokens, keys, sessions) and
        /// values marked sensitive are recorded as `REDACTED`, at most 32 headers. Prefer names to stars: with a star the
        /// other end chooses attribute keys. What a client's connector adds later is not seen. Those of
        /// [`Install::with_captured_headers`](otel_core::Install::with_captured_headers) (variables, with `otel-init`) come
        /// besides. Default: none.
        pub fn with_captured_request_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.$($options).+.rules.request_headers.add(names);
            self
        }

        /// Records these response headers as `http.response.header.*`, in the way of
        /// [`with_captured_request_headers`](Self::with_captured_request_headers). Default: none.
        pub fn with_captured_response_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String>>,
        ) -> Self {
            self.$($options).+.rules.response_headers.add(names);
            self
        }

        /// Replaces the values of these headers too by `REDACTED`, in both directions.
        pub fn with_sensitive_headers(
            mut self,
            names: impl IntoIterator<Item = impl Into<String> + Clone>,
        ) -> Self {
            let rules = &mut self.$($options).+.rules;
            for name in names {
                rules.request_headers.add_sensitive([name.clone()]);
                rules.response_headers.add_sensitive([name]);
            }
            self
        }

        /// Replaces the values of these keys in the recorded URL (`url.query` of a server, `url.full` of a client), and in
        /// captured headers that hold a URL, in place of those of the convention, which are the signatures and credentials of
        /// presigned URLs. Case counts; of an empty list no key is replaced. Default: `X-Amz-Signature`, `X-Amz-Credential`,
        /// `X-Amz-Security-Token`, `AWSAccessKeyId`, `Signature`, `sig`, `X-Goog-Signature`.
        pub fn with_redacted_query_keys(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.$($options).+.rules.url_secrets = otel_core::UrlSecrets::of_keys(keys);
            self
        }

        /// Copies these entries of the baggage to the span, under their own names. Default: none.
        pub fn with_baggage_attributes(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
            self.$($options).+.rules.baggage_keys.extend(keys.into_iter().map(Into::into));
            self
        }

        /// Writes a log event `http.server.request.exception` (severity ERROR) or `http.client.request.exception` (WARN;
        /// stability of both: development) for each error or panic that ends a request: `exception.type`, in the span's
        /// context, and not the error's text, which may hold a secret. A status is not an exception. Default: none.
        pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
        where
            P: opentelemetry::logs::LoggerProvider,
            P::Logger: Send + Sync + 'static,
        {
            let events = otel_core::EventLog::new(logger_provider, crate::scope());
            self.$($options).+.rules.exceptions = Some(events);
            self
        }
    };
}

pub(crate) use http_setters;
