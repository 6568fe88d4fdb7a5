//! The options that all kinds of clients have, and their setters, written once.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::header::HeaderName;
use opentelemetry::propagation::TextMapPropagator;
use otel_core::Instrumenter;

use super::convention::ClientConvention;
use super::destination::DestinationPolicy;
use super::host::HostPattern;
use super::settings::{ClientSettings, ErrorTypeOf, PeerOf};
use super::template::UrlTemplates;
use crate::options::Options;
use crate::scope;

#[derive(Clone, Default)]
pub(crate) struct ClientOptions {
    pub(crate) common: Options,
    pub(crate) propagator_fields: Option<Vec<HeaderName>>,
    pub(crate) templates: UrlTemplates,
    pub(crate) peer: Option<PeerOf>,
    pub(crate) service_names: Vec<(HostPattern, String)>,
    pub(crate) error_types: Vec<ErrorTypeOf>,
    pub(crate) destinations: Option<DestinationPolicy>,
    pub(crate) active_requests: bool,
    pub(crate) body_sizes: bool,
    pub(crate) end_at_body: bool,
}

impl ClientOptions {
    pub(crate) fn set_propagator(&mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) {
        let fields = propagator.fields().filter_map(|field| HeaderName::from_bytes(field.as_bytes()).ok());
        self.propagator_fields = Some(fields.collect());
        self.common.providers.set_propagator(propagator);
    }

    pub(crate) fn build(self) -> Arc<ClientSettings> {
        let Options { providers, filter, rules } = self.common;
        let convention = ClientConvention {
            rules,
            with_active_requests: self.active_requests,
            with_body_sizes: self.body_sizes,
            service_names: self.service_names,
            sizes: ArcSwapOption::empty(),
        };
        Arc::new(ClientSettings {
            instrumenter: Instrumenter::new(scope(), providers, convention),
            filter,
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
        crate::options::http_setters!(options.common);

        /// Writes the context into the request with this propagator. Default: the global one.
        pub fn with_propagator(
            mut self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            self.options.set_propagator(propagator);
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
            .field("common", &self.common)
            .field("destinations", &self.destinations)
            .field("active_requests", &self.active_requests)
            .field("body_sizes", &self.body_sizes)
            .field("end_at_body", &self.end_at_body)
            .finish_non_exhaustive()
    }
}
