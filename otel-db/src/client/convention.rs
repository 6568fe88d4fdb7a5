//! The convention of a database client span: <https://opentelemetry.io/docs/specs/semconv/database/database-spans/>

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::Severity;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue, StringValue, Value};
use otel_core::{AttributeNames, Attributes, Convention, ErrorType, EventLog};

use super::metrics::DbMetrics;
use super::options::{AddAttributes, NameOf};
#[cfg(feature = "sqlx")]
use super::pool::MeasuredPool;
use super::series::{Series, Source};
use crate::query_text::QueryRules;
use crate::{DbFailure, DbRequest, DbSystem, SqlComments};
use otel_core::call_hook;

/// On the span of a call that its caller dropped before its end.
pub(super) const ENDED_EARLY: &str = "otel_db.ended_early";
/// On the span of a call that took longer than the threshold.
pub(super) const SLOW: &str = "otel_db.slow";

/// What is said of a call after its start.
const LATER: [&str; 3] = ["db.response.", "error.type", "otel_db."];

pub(crate) struct DbConvention {
    /// Tells the client from others, see [`Series`].
    pub(crate) id: u64,
    pub(crate) system: DbSystem,
    pub(crate) rules: QueryRules,
    pub(crate) server: Option<ServerName>,
    pub(crate) namespace: Option<Arc<str>>,
    /// Of which it is not known whether its instruments can be bound.
    pub(crate) has_own_meter: bool,
    pub(crate) query_text: bool,
    pub(crate) returned_rows: bool,
    pub(crate) slow_after: Option<Duration>,
    pub(crate) sql_comments: Option<SqlComments>,
    pub(crate) exceptions: Option<EventLog>,
    pub(crate) span_name: Option<NameOf>,
    pub(crate) attributes: Option<AddAttributes>,
    #[cfg(feature = "sqlx")]
    pub(crate) pool: Option<Arc<MeasuredPool>>,
}

/// Where the database listens.
#[derive(Clone, Debug)]
pub(crate) struct ServerName {
    pub(crate) address: Arc<str>,
    /// Unless it is the system's own.
    pub(crate) port: Option<u16>,
    /// Address and port as they stand in a name.
    pub(crate) full: Arc<str>,
}

impl ServerName {
    pub(crate) fn new(system: DbSystem, address: String, port: Option<u16>) -> Self {
        // "If applicable for this database system": a socket's path has no port.
        let is_path = address.starts_with('/') || address.starts_with('@');
        let port = port.filter(|_| !is_path);
        let known = port.or_else(|| system.default_port().filter(|_| !is_path));
        let full = match known {
            Some(port) if address.contains(':') => format!("[{address}]:{port}").into(),
            Some(port) => format!("{address}:{port}").into(),
            None => Arc::from(&*address),
        };
        let port = port.filter(|port| Some(*port) != system.default_port());
        Self { address: address.into(), port, full }
    }
}

/// Numbers that are known at the end.
#[derive(Debug, Default)]
pub(crate) struct DbTally {
    pub(crate) returned_rows: Option<u64>,
    pub(crate) source: Source,
}

impl Convention for DbConvention {
    const SPAN_KIND: SpanKind = SpanKind::Client;
    type Request<'a> = DbRequest<'a>;
    type Response<'a> = Result<(), DbFailure>;
    type Metrics = DbMetrics;
    type Tally = DbTally;

    fn metrics(&self, meter: &Meter) -> DbMetrics {
        DbMetrics::new(meter, self)
    }

    fn span_name(&self, request: &DbRequest<'_>) -> Cow<'static, str> {
        let own = self.span_name.as_ref().and_then(|name| call_hook(|| name(request), None));
        own.unwrap_or_else(|| self.conventional_name(request))
    }

    fn on_start(&self, request: &DbRequest<'_>, attributes: &mut Attributes<'_>) {
        if let Some(series) = self.series(request) {
            series.write_span(attributes);
            return;
        }
        self.on_start_of_both(request, attributes);
        if attributes.wants_span() {
            self.on_start_of_span(request, attributes);
        }
        if let Some(add) = &self.attributes {
            let add = |attributes: &mut Attributes<'_>| call_hook(|| add(request, attributes), ());
            attributes.checked(&AttributeNames::default(), &LATER, add);
        }
    }

    fn on_response(
        &self,
        response: &Result<(), DbFailure>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        let Err(failure) = response else { return Ok(()) };
        if let Some(code) = &failure.status_code {
            attributes.both("db.response.status_code", code.clone());
        }
        Err(failure.error_type.clone())
    }

    /// Whoever drops a call does not wait for it any more: a timeout of the application, a `select!`, a stream of which the
    /// first rows were enough. That is no error of the database.
    fn on_cancel(&self, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        attributes.span(ENDED_EARLY, true);
        Ok(())
    }

    fn on_exception(&self, error_type: &ErrorType, context: &Context) {
        if let Some(events) = &self.exceptions {
            // The caller is expected to handle it.
            events.exception("db.client.operation.exception", Severity::Warn, error_type, context);
        }
    }

    fn record(
        &self,
        metrics: &DbMetrics,
        elapsed: Duration,
        tally: &DbTally,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.duration.record(elapsed.as_secs_f64(), &tally.source, attributes);
        if let (Some(histogram), Some(rows)) = (&metrics.returned_rows, tally.returned_rows) {
            tally.source.with(attributes, |all| histogram.record(rows, all));
        }
    }
}

impl DbConvention {
    pub(super) fn lookup_attributes(&self, result: &'static str) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("db.system.name", self.system.name()),
            KeyValue::new("otel_db.cache.result", result),
        ];
        attributes.extend(self.namespace.as_ref().map(|name| KeyValue::new("db.namespace", shared(name))));
        let server = self.server.as_ref();
        attributes.extend(server.map(|server| KeyValue::new("server.address", shared(&server.address))));
        attributes
    }

    /// The first that applies: `{summary}`, `{operation} {target}`, `{target}`, `{system}`.
    /// <https://opentelemetry.io/docs/specs/semconv/database/database-spans/#name>
    fn conventional_name(&self, request: &DbRequest<'_>) -> Cow<'static, str> {
        if let Some(name) = request.series().and_then(Series::name) {
            return name.into();
        }
        if let Some(summary) = request.summary() {
            return request.batched(summary).into_owned().into();
        }
        let operation = request.operation().map(|operation| request.batched(operation));
        match (operation, self.target(request)) {
            (Some(operation), Some(target)) => format!("{operation} {target}").into(),
            (Some(operation), None) => operation.into_owned().into(),
            (None, Some(target)) => target.to_owned().into(),
            (None, None) => self.system.name().into(),
        }
    }

    fn target<'r>(&'r self, request: &'r DbRequest<'_>) -> Option<&'r str> {
        // "`db.namespace` SHOULD NOT be used in the span name since it is a numeric value that ends up looking confusing"
        let namespace = || request.namespace.as_deref().or(self.namespace.as_deref());
        let namespace = || if self.system == DbSystem::REDIS { None } else { namespace() };
        let stored_procedure = request.stored_procedure.as_deref();
        let server = || self.server.as_ref().map(|server| &*server.full);
        request.collection.as_deref().or(stored_procedure).or_else(namespace).or_else(server)
    }

    /// Only where the attributes are what follows from the statement.
    fn series<'r>(&self, request: &'r DbRequest<'_>) -> Option<&'r Series> {
        if self.attributes.is_none() { request.series() } else { None }
    }

    fn on_start_of_both(&self, request: &DbRequest<'_>, attributes: &mut Attributes<'_>) {
        attributes.both("db.system.name", self.system.name());
        if let Some(namespace) = &request.namespace {
            attributes.both("db.namespace", namespace.clone().into_owned());
        } else if let Some(namespace) = &self.namespace {
            attributes.both("db.namespace", shared(namespace));
        }
        if let Some(summary) = request.summary_value() {
            attributes.both("db.query.summary", summary);
        }
        if let Some(operation) = &request.operation {
            attributes.both("db.operation.name", request.batched(operation).into_owned());
        }
        if let Some(collection) = &request.collection {
            attributes.both("db.collection.name", collection.clone().into_owned());
        }
        if let Some(procedure) = request.stored_procedure_value() {
            attributes.both("db.stored_procedure.name", procedure);
        }
        if let Some(server) = &self.server {
            attributes.both("server.address", shared(&server.address));
            if let Some(port) = server.port {
                attributes.both("server.port", i64::from(port));
            }
        }
    }

    fn on_start_of_span(&self, request: &DbRequest<'_>, attributes: &mut Attributes<'_>) {
        if self.query_text
            && let Some(text) = request.text_value()
        {
            attributes.span("db.query.text", text);
        }
        match request.batch_size {
            Some(size) => attributes.span("db.operation.batch.size", i64::try_from(size).unwrap_or(i64::MAX)),
            None => {
                for (key, value) in &request.parameters {
                    attributes.span(format!("db.query.parameter.{key}"), value.clone());
                }
            }
        }
    }
}

impl fmt::Debug for DbConvention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbConvention")
            .field("system", &self.system)
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

fn shared(text: &Arc<str>) -> Value {
    Value::String(StringValue::from(Arc::clone(text)))
}
