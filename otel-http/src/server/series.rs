//! What the metrics say of a request, in a form that is cheap to make and to compare.

use opentelemetry::{Key, KeyValue, Value};
use otel_core::Attributes;

use crate::cached::CachedRoute;
use crate::method::MethodName;

/// The facts that every metric of a request carries; each takes few values, so few series come of them. The span carries
/// them too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    pub(super) method: MethodName,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    pub(super) version: Option<&'static str>,
    /// Of a route that is not cached the operation's own attributes know.
    pub(super) route: Option<&'static CachedRoute>,
    pub(super) status: Option<u16>,
    pub(super) synthetic: Option<&'static str>,
}

impl Series {
    /// As attributes.
    pub(super) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let pair = |key: &'static str, value: Value| KeyValue::new(Key::from_static_str(key), value);
        let method = pair("http.request.method", Value::from(self.method.attribute));
        let scheme = pair("url.scheme", Value::from(self.scheme));
        let route = self.route.map(|route| pair("http.route", Value::from(route.template)));
        let version = self.version.map(|version| pair("network.protocol.version", Value::from(version)));
        let status =
            self.status.map(|status| pair("http.response.status_code", Value::from(i64::from(status))));
        let synthetic = self.synthetic.map(|kind| pair("user_agent.synthetic.type", Value::from(kind)));
        [Some(method), Some(scheme), route, version, status, synthetic].into_iter().flatten()
    }

    /// Writes to the span what is known at the start. `scheme` is the client's, where that is none of the known ones.
    pub(super) fn write_start(&self, scheme: Option<&str>, attributes: &mut Attributes<'_>) {
        attributes.span("http.request.method", self.method.attribute);
        match scheme {
            Some(other) => attributes.span("url.scheme", other.to_owned()),
            None => attributes.span("url.scheme", self.scheme),
        }
        if let Some(route) = self.route {
            attributes.span("http.route", route.template);
        }
        if let Some(version) = self.version {
            attributes.span("network.protocol.version", version);
        }
        if let Some(kind) = self.synthetic {
            attributes.span("user_agent.synthetic.type", kind);
        }
    }
}

/// A route is one of the process's, so its address tells it; the texts are of few kinds, which a byte of each tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeriesKey(u64, usize);

impl Series {
    /// What tells it from others.
    pub(super) fn key(&self) -> SeriesKey {
        let version = self.version.and_then(|version| version.as_bytes().last().copied()).unwrap_or(0);
        let synthetic = self.synthetic.map_or(0, str::len) as u64;
        let few = (self.scheme.len() as u64) | (u64::from(version) << 8) | (synthetic << 16);
        let status = u64::from(self.status.unwrap_or(0));
        SeriesKey(few | (status << 24) | ((self.method.index as u64) << 40), address(self.route))
    }
}

fn address(route: Option<&'static CachedRoute>) -> usize {
    route.map_or(0, |route| std::ptr::from_ref(route).addr())
}
