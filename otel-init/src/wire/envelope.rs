//! What stands around entries in a request, encoded once: the resource, and the instrumentation scope.

use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope as ProtoScope;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use prost::Message as _;

use super::protobuf::{bytes, present_bytes};

/// The first field of a request, of its resource, and of a scope.
pub(super) const FIRST: u32 = 1;
const SCHEMA_URL: u32 = 3;

/// An encoded scope: what stands before its entries, and what behind them.
#[derive(Debug)]
pub(super) struct EncodedScope {
    scope: InstrumentationScope,
    target: Option<Box<str>>,
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

/// What tells whether an entry belongs to a scope. The target of a log record takes the place of the scope's name.
pub(super) type ScopeKey<'a> = (&'a InstrumentationScope, Option<&'a str>);

impl EncodedScope {
    pub(super) fn is(&self, (scope, target): ScopeKey<'_>) -> bool {
        self.target.as_deref() == target && (is_copy(&self.scope, scope) || self.scope == *scope)
    }

    pub(super) fn new((scope, target): ScopeKey<'_>) -> Self {
        let proto = ProtoScope::from((scope, target.map(|target| target.to_owned().into())));
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        present_bytes(&mut head, FIRST, &proto.encode_to_vec());
        bytes(&mut tail, SCHEMA_URL, scope.schema_url().unwrap_or_default().as_bytes());
        Self { scope: scope.clone(), target: target.map(Into::into), head, tail }
    }

    /// How many bytes it takes besides the entries.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// Whether one is a copy of the other, as those of a tracer are: their texts stand in the same place. That is seen at once;
/// comparing all of them is not.
fn is_copy(scope: &InstrumentationScope, other: &InstrumentationScope) -> bool {
    let is_same = |a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    std::ptr::eq(scope.name(), other.name())
        && is_same(scope.version(), other.version())
        && is_same(scope.schema_url(), other.schema_url())
        && scope.attributes().next().is_none()
        && other.attributes().next().is_none()
}

/// An encoded resource: what stands before its scopes, and what behind them.
#[derive(Debug)]
pub(super) struct EncodedResource {
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
}

impl EncodedResource {
    pub(super) fn new(resource: &Resource) -> Self {
        let ResourceAttributesWithSchema { attributes, schema_url } = resource.into();
        let resource = ProtoResource { attributes: attributes.0, ..ProtoResource::default() };
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        present_bytes(&mut head, FIRST, &resource.encode_to_vec());
        bytes(&mut tail, SCHEMA_URL, schema_url.unwrap_or_default().as_bytes());
        Self { head, tail }
    }
}
