//! Who is told which trace a request belongs to, and what else the context carries.

use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, global};
use otel_core::Providers;
use otel_core::propagation::TRACE_CONTEXT_HEADERS;

use super::host::{HostPattern, Server};

/// Which hosts are handed the trace context and the baggage; all others get neither.
///
/// Trace ids let a stranger correlate requests, and baggage may hold whatever the services of a trace agreed on, so a
/// client that also calls third parties names those it trusts. What the caller of the client has put into these headers
/// by hand is removed too where the host is not trusted with it.
///
/// A host is a name or an address, in any case, with `*` for any text and perhaps a port: `users.internal`,
/// `*.internal` (not `internal` itself), `localhost:8080`, `[::1]:80`. An international name is written as it is sent,
/// `xn--bcher-kva.example`. The first rule that fits a host decides.
///
/// ```
/// use otel_http::{DestinationPolicy, HttpClientLayer};
///
/// let destinations = DestinationPolicy::new()
///     .deny("partner.internal")
///     .allow("*.internal")
///     .allow_trace_context("api.example.com")
///     .allow_baggage_keys("partner.example.com", ["tenant"]);
/// let layer = HttpClientLayer::builder().with_destinations(destinations).build();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct DestinationPolicy {
    rules: Vec<(HostPattern, Propagate)>,
}

/// What a destination is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Propagate {
    trace_context: bool,
    baggage: Entries,
}

/// Which entries of the baggage.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entries {
    All,
    Of(Arc<[String]>),
    None,
}

impl Propagate {
    pub(super) const ALL: Self = Self { trace_context: true, baggage: Entries::All };
    const NOTHING: Self = Self { trace_context: false, baggage: Entries::None };
}

impl DestinationPolicy {
    /// A policy that trusts nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands trace context and baggage to `host`.
    pub fn allow(self, host: &str) -> Self {
        self.rule(host, Propagate::ALL)
    }

    /// Hands the trace context to `host`, without the baggage.
    pub fn allow_trace_context(self, host: &str) -> Self {
        self.rule(host, Propagate { trace_context: true, baggage: Entries::None })
    }

    /// Hands the baggage to `host`, without the trace context.
    pub fn allow_baggage(self, host: &str) -> Self {
        self.rule(host, Propagate { trace_context: false, baggage: Entries::All })
    }

    /// Hands the trace context to `host`, and the entries of the baggage that have these keys.
    pub fn allow_baggage_keys<K: Into<String>>(self, host: &str, keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        self.rule(host, Propagate { trace_context: true, baggage: Entries::Of(keys) })
    }

    /// Hands nothing to `host`: an exception from a wider rule that follows.
    pub fn deny(self, host: &str) -> Self {
        self.rule(host, Propagate::NOTHING)
    }

    fn rule(mut self, host: &str, propagate: Propagate) -> Self {
        self.rules.push((HostPattern::new(host), propagate));
        self
    }

    /// A request without a host goes to nobody we know.
    fn for_server(&self, server: Option<Server<'_>>) -> Propagate {
        let rule = server.and_then(|server| self.rules.iter().find(|(host, _)| host.matches(server)));
        rule.map_or(Propagate::NOTHING, |(_, propagate)| propagate.clone())
    }
}

/// What a server is handed: everything, unless a policy says otherwise.
pub(crate) fn propagate_to(policy: Option<&DestinationPolicy>, server: Option<Server<'_>>) -> Propagate {
    policy.map_or(Propagate::ALL, |policy| policy.for_server(server))
}

/// Writes what is allowed of `context` into the headers, and removes what is not allowed.
pub(crate) fn inject(
    providers: &Providers,
    own_fields: Option<&[HeaderName]>,
    context: &Context,
    propagate: &Propagate,
    headers: &mut HeaderMap,
) {
    if *propagate == Propagate::ALL {
        providers.inject_headers(context, headers);
        return;
    }
    remove(own_fields, propagate, headers);
    if *propagate == Propagate::NOTHING {
        return;
    }
    // A propagator writes nothing of what the context does not hold.
    let mut allowed = match &propagate.baggage {
        Entries::All => context.clone(),
        Entries::Of(keys) => with_entries(context, keys),
        Entries::None => context.with_cleared_baggage(),
    };
    if !propagate.trace_context {
        allowed = allowed.with_remote_span_context(SpanContext::NONE);
    }
    providers.inject_headers(&allowed, headers);
}

/// The context with these entries of its baggage alone.
fn with_entries(context: &Context, keys: &[String]) -> Context {
    let mut kept = Baggage::new();
    for (key, (value, metadata)) in context.baggage() {
        if keys.iter().any(|wanted| wanted == key.as_str()) {
            kept.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
        }
    }
    context.with_cleared_baggage().with_baggage(kept)
}

const BAGGAGE: &str = "baggage";

/// Headers that carry baggage in formats that are in use: W3C and what came before it, Jaeger's by hand, SkyWalking's.
const ALL_BAGGAGE: [&str; 4] = [BAGGAGE, "correlation-context", "jaeger-baggage", "sw8-correlation"];

/// How the names of headers with one entry of baggage each begin: Jaeger's and OpenTracing's.
const BAGGAGE_ENTRIES: [&str; 2] = ["uberctx-", "ot-baggage-"];

fn remove(own_fields: Option<&[HeaderName]>, propagate: &Propagate, headers: &mut HeaderMap) {
    if propagate.baggage != Entries::All {
        remove_baggage(headers);
    }
    if propagate.trace_context {
        return;
    }
    for name in TRACE_CONTEXT_HEADERS {
        headers.remove(name);
    }
    match own_fields {
        Some(fields) => fields.iter().filter(|field| *field != BAGGAGE).for_each(|field| {
            headers.remove(field);
        }),
        None => global::get_text_map_propagator(|propagator| {
            propagator.fields().filter(|field| !field.eq_ignore_ascii_case(BAGGAGE)).for_each(|field| {
                headers.remove(field);
            });
        }),
    }
}

fn remove_baggage(headers: &mut HeaderMap) {
    for name in ALL_BAGGAGE {
        headers.remove(name);
    }
    let is_entry = |name: &&HeaderName| BAGGAGE_ENTRIES.iter().any(|start| name.as_str().starts_with(start));
    let entries: Vec<_> = headers.keys().filter(is_entry).cloned().collect();
    for name in entries {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides_and_nobody_else_is_trusted() {
        let policy = DestinationPolicy::new()
            .deny("partner.internal")
            .allow("*.internal")
            .allow_trace_context("api.example")
            .allow_baggage("bags.example:8080");
        for (host, port, trace_context, baggage) in [
            ("users.internal", 80, true, true),
            ("partner.internal", 80, false, false),
            ("API.example", 443, true, false),
            ("bags.example", 8080, false, true),
            ("bags.example", 80, false, false),
            ("evil.example", 80, false, false),
            ("internal", 80, false, false),
        ] {
            let server = Some(Server { host, port: Some(port) });
            let baggage = if baggage { Entries::All } else { Entries::None };
            let expected = Propagate { trace_context, baggage };
            assert_eq!(propagate_to(Some(&policy), server), expected, "{host}:{port}");
        }
        assert_eq!(propagate_to(Some(&policy), None), Propagate::NOTHING);
        assert_eq!(propagate_to(None, None), Propagate::ALL);
    }

    /// A proxy passes on what it was sent, by services with whatever agent.
    #[test]
    fn what_agents_of_other_makers_write_does_not_reach_strangers() {
        let mut headers = HeaderMap::new();
        for name in [
            "elastic-apm-traceparent",
            "newrelic",
            "sw8",
            "sw8-x",
            "sw8-correlation",
            "x-dynatrace",
            "x-instana-t",
            "x-instana-s",
            "x-instana-l",
            "x-ot-span-context",
            "X-B3-TraceId",
            "uberctx-role",
        ] {
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), "1".parse().unwrap());
        }
        headers.insert("x-own", "1".parse().unwrap());
        remove(Some(&[]), &Propagate::NOTHING, &mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-own"]);
    }
}
