//! The options that all kinds of clients have, and their setters, written once.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use otel_core::{Attributes, EventLog, Instrumenter, Providers};

use super::convention::{DbConvention, ServerName};
#[cfg(feature = "sqlx")]
use super::pool::MeasuredPool;
use super::series::next_id;
use super::{DbClient, Shared};
use crate::query_text::QueryRules;
use crate::{DbRequest, DbSystem, SqlComments, scope};

pub(crate) type Filter = Arc<dyn Fn(&DbRequest<'_>) -> bool + Send + Sync>;
pub(crate) type NameOf = Arc<dyn Fn(&DbRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync>;
pub(crate) type AddAttributes = Arc<dyn Fn(&DbRequest<'_>, &mut Attributes<'_>) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct DbOptions {
    pub(crate) system: DbSystem,
    pub(crate) providers: Providers,
    pub(crate) has_own_meter: bool,
    #[cfg(feature = "sqlx")]
    pub(crate) pool: Option<Arc<MeasuredPool>>,
    pub(crate) filter: Option<Filter>,
    pub(crate) span_name: Option<NameOf>,
    pub(crate) attributes: Option<AddAttributes>,
    pub(crate) server_address: Option<String>,
    pub(crate) server_port: Option<u16>,
    pub(crate) namespace: Option<String>,
    pub(crate) query_text: bool,
    pub(crate) verbatim: bool,
    pub(crate) parameters: bool,
    pub(crate) returned_rows: bool,
    pub(crate) slow_after: Option<Duration>,
    pub(crate) sql_comments: Option<SqlComments>,
    pub(crate) exceptions: Option<EventLog>,
}

impl DbOptions {
    pub(crate) fn new(system: DbSystem) -> Self {
        Self {
            system,
            providers: Providers::default(),
            has_own_meter: false,
            #[cfg(feature = "sqlx")]
            pool: None,
            filter: None,
            span_name: None,
            attributes: None,
            server_address: None,
            server_port: None,
            namespace: None,
            query_text: true,
            verbatim: false,
            parameters: false,
            returned_rows: false,
            slow_after: None,
            sql_comments: None,
            exceptions: None,
        }
    }

    pub(crate) fn build(self) -> DbClient {
        let rules = QueryRules::new(self.system.dialect()).with_parameterized_text_verbatim(self.verbatim);
        let convention = DbConvention {
            id: next_id(),
            system: self.system,
            rules,
            server: self
                .server_address
                .map(|address| ServerName::new(self.system, address, self.server_port)),
            namespace: self.namespace.map(Arc::from),
            has_own_meter: self.has_own_meter,
            query_text: self.query_text,
            returned_rows: self.returned_rows,
            slow_after: self.slow_after,
            sql_comments: self.sql_comments,
            exceptions: self.exceptions,
            span_name: self.span_name,
            attributes: self.attributes,
            #[cfg(feature = "sqlx")]
            pool: self.pool,
        };
        let shared = Shared {
            instrumenter: Instrumenter::new(scope(), self.providers, convention),
            filter: self.filter,
            capture_parameters: self.parameters,
        };
        DbClient { shared: Arc::new(shared) }
    }
}

/// The setters of a builder that has `options: DbOptions`.
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
            self.options.has_own_meter = true;
            self
        }

        /// Writes a log event `db.client.operation.exception` (stability: development), severity WARN, for each call that
        /// fails: `exception.type` in the span's context, the same as the span's `error.type`, and not the error's text, in
        /// which databases quote values. Default: none.
        pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
        where
            P: opentelemetry::logs::LoggerProvider,
            P::Logger: Send + Sync + 'static,
        {
            let events = otel_core::EventLog::new(logger_provider, crate::scope());
            self.options.exceptions = Some(events);
            self
        }

        /// Writes the context into comments of statements with this propagator, where they are asked for. Default: the
        /// global one.
        pub fn with_propagator(
            mut self,
            propagator: impl opentelemetry::propagation::TextMapPropagator + Send + Sync + 'static,
        ) -> Self {
            self.options.providers.set_propagator(propagator);
            self
        }

        /// Observes only calls for which `wanted` says yes; others pass without span and metrics. Default: all.
        pub fn with_filter(
            mut self,
            wanted: impl Fn(&$crate::DbRequest<'_>) -> bool + Send + Sync + 'static,
        ) -> Self {
            self.options.filter = Some(std::sync::Arc::new(wanted));
            self
        }

        /// Names the span of a call; `None` keeps the convention's name. A name must have few different values.
        pub fn with_span_name(
            mut self,
            name: impl Fn(&$crate::DbRequest<'_>) -> Option<std::borrow::Cow<'static, str>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            self.options.span_name = Some(std::sync::Arc::new(name));
            self
        }

        /// Adds attributes to a call, before sampling; those that it has already, or may get later, are left out. A second
        /// call replaces the first.
        pub fn with_attributes(
            mut self,
            add: impl Fn(&$crate::DbRequest<'_>, &mut otel_core::Attributes<'_>) + Send + Sync + 'static,
        ) -> Self {
            self.options.attributes = Some(std::sync::Arc::new(add));
            self
        }

        /// The database's host as the application names it, or the path of its socket: `server.address`.
        /// Default: what the driver says, else none.
        pub fn with_server_address(mut self, address: impl Into<String>) -> Self {
            self.options.server_address = Some(address.into());
            self
        }

        /// The database's port. It is recorded as `server.port` when it is not the system's own and the address is known.
        pub fn with_server_port(mut self, port: u16) -> Self {
            self.options.server_port = Some(port);
            self
        }

        /// The database's name, `{database}|{schema}` for PostgreSQL: `db.namespace`. It is that of the time of connecting.
        /// Default: what the driver says, else none.
        pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
            self.options.namespace = Some(namespace.into());
            self
        }

        /// Whether `db.query.text` is recorded, with its literals replaced by `?`. Default: `true`.
        pub fn with_query_text(mut self, record: bool) -> Self {
            self.options.query_text = record;
            self
        }

        /// Whether the text of a query with placeholders keeps its literals, as the conventions allow. A query may well have
        /// both, and then this records what you wrote into it. Default: `false`.
        pub fn with_parameterized_text_verbatim(mut self, verbatim: bool) -> Self {
            self.options.verbatim = verbatim;
            self
        }

        /// Counts the rows that come back: `db.response.returned_rows` on the span and the histogram
        /// `db.client.response.returned_rows` (stability: development). Default: `false`.
        pub fn with_returned_rows(mut self, record: bool) -> Self {
            self.options.returned_rows = record;
            self
        }

        /// Marks the span of a call that took this long or longer with `otel_db.slow`, so that whoever keeps or drops
        /// spans at their end may keep it. Default: none.
        pub fn with_slow_threshold(mut self, threshold: std::time::Duration) -> Self {
            self.options.slow_after = Some(threshold);
            self
        }
    };
}

pub(crate) use client_setters;

impl fmt::Debug for DbOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbOptions")
            .field("system", &self.system)
            .field("providers", &self.providers)
            .field("server_address", &self.server_address)
            .field("server_port", &self.server_port)
            .field("namespace", &self.namespace)
            .field("query_text", &self.query_text)
            .field("verbatim", &self.verbatim)
            .field("parameters", &self.parameters)
            .field("returned_rows", &self.returned_rows)
            .field("slow_after", &self.slow_after)
            .finish_non_exhaustive()
    }
}
