//! Requests of the traces and the logs service: a resource, and below it entries by scope.
//!
//! `ExportTraceServiceRequest` and `ExportLogsServiceRequest` have the same shape and the same field numbers.

use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope as ProtoScope;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use prost::Message as _;

use super::buffers::{Chunk, Scope};
use super::protobuf::{bytes, present_bytes, varint, varint_len};
use crate::sync::Arc;

/// The first field of a request, of its resource, and of a scope.
const FIRST: u32 = 1;
/// `ResourceSpans.scope_spans`, `ResourceLogs.scope_logs`.
const SCOPES: u8 = 2 << 3 | 2;
const SCHEMA_URL: u32 = 3;

/// An encoded scope: what stands before its entries, and what behind them.
#[derive(Debug)]
pub(crate) struct EncodedScope {
    scope: InstrumentationScope,
    target: Option<Box<str>>,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Scope for EncodedScope {
    /// The target of a log record takes the place of the scope's name.
    type Key<'a> = (&'a InstrumentationScope, Option<&'a str>);

    fn is(&self, (scope, target): Self::Key<'_>) -> bool {
        self.target.as_deref() == target && (is_copy(&self.scope, scope) || self.scope == *scope)
    }

    fn new((scope, target): Self::Key<'_>) -> Self {
        let proto = ProtoScope::from((scope, target.map(|target| target.to_owned().into())));
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        present_bytes(&mut head, FIRST, &proto.encode_to_vec());
        bytes(&mut tail, SCHEMA_URL, scope.schema_url().unwrap_or_default().as_bytes());
        Self { scope: scope.clone(), target: target.map(Into::into), head, tail }
    }

    fn len(&self) -> usize {
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
    head: Vec<u8>,
    tail: Vec<u8>,
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

/// Entries of one scope that go into one request.
struct Part {
    scope: Arc<EncodedScope>,
    bytes: std::ops::Range<usize>,
    chunk: usize,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) entries: usize,
}

/// How large a request may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    /// Of all entries and scopes. One entry that is larger makes a request of its own.
    pub(super) bytes: usize,
}

/// What goes into one request.
#[derive(Default)]
pub(super) struct Planned {
    parts: Vec<Part>,
    entries: usize,
    bytes: usize,
}

/// Everything in `chunks` as requests within the bounds, in their order. They are framed one after the other: all at once,
/// they would take as much memory as the chunks again.
pub(super) fn planned(chunks: &[Chunk<EncodedScope>], bounds: Bounds) -> Vec<Planned> {
    let mut planning = Planning { bounds, next: Planned::default(), requests: Vec::new() };
    for (index, chunk) in chunks.iter().enumerate() {
        planning.add(index, chunk);
    }
    planning.end();
    planning.requests
}

struct Planning {
    bounds: Bounds,
    next: Planned,
    requests: Vec<Planned>,
}

impl Planning {
    fn add(&mut self, index: usize, chunk: &Chunk<EncodedScope>) {
        let mut start = 0;
        let mut left = chunk.entries;
        while start < chunk.bytes.len() {
            let room = Bounds {
                entries: self.bounds.entries.saturating_sub(self.next.entries),
                bytes: self.bounds.bytes.saturating_sub(self.next.bytes + chunk.scope.len()),
            };
            let (end, entries) = fitting(&chunk.bytes, start, left, room);
            if entries == 0 {
                if self.next.entries > 0 {
                    self.end();
                    continue;
                }
                // Alone it is too large as well: it goes as it is, and the sender says so.
                let end = end_of_entry(&chunk.bytes, start);
                self.next.add(index, chunk, start..end, 1);
                (start, left) = (end, left.saturating_sub(1));
                self.end();
                continue;
            }
            self.next.add(index, chunk, start..end, entries);
            (start, left) = (end, left - entries);
        }
    }

    fn end(&mut self) {
        if self.next.entries > 0 {
            self.requests.push(std::mem::take(&mut self.next));
        }
    }
}

impl Planned {
    fn add(&mut self, chunk: usize, of: &Chunk<EncodedScope>, bytes: std::ops::Range<usize>, entries: usize) {
        self.entries += entries;
        self.bytes += bytes.len() + of.scope.len();
        self.parts.push(Part { scope: Arc::clone(&of.scope), bytes, chunk });
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The request, of the chunks that it was planned for.
    pub(super) fn framed(&self, chunks: &[Chunk<EncodedScope>], resource: &EncodedResource) -> Request {
        let Self { parts, entries, .. } = self;
        let scope_len = |part: &Part| part.scope.len() + part.bytes.len();
        let scopes: usize = parts.iter().map(|part| 1 + prefixed(scope_len(part))).sum();
        let resource_len = resource.head.len() + scopes + resource.tail.len();
        let mut body = Vec::with_capacity(1 + prefixed(resource_len));
        body.push((FIRST << 3 | 2) as u8);
        varint(&mut body, resource_len as u64);
        body.extend_from_slice(&resource.head);
        for part in parts {
            body.push(SCOPES);
            varint(&mut body, scope_len(part) as u64);
            body.extend_from_slice(&part.scope.head);
            body.extend_from_slice(&chunks[part.chunk].bytes[part.bytes.clone()]);
            body.extend_from_slice(&part.scope.tail);
        }
        body.extend_from_slice(&resource.tail);
        Request { body, entries: *entries }
    }
}

fn prefixed(len: usize) -> usize {
    varint_len(len as u64) + len
}

/// Where the entries end that fit, from `start` on, and how many they are.
fn fitting(bytes: &[u8], start: usize, left: usize, room: Bounds) -> (usize, usize) {
    if left <= room.entries && bytes.len() - start <= room.bytes {
        return (bytes.len(), left);
    }
    let (mut end, mut entries) = (start, 0);
    while entries < room.entries && end < bytes.len() {
        let next = end_of_entry(bytes, end);
        if next - start > room.bytes {
            break;
        }
        (end, entries) = (next, entries + 1);
    }
    (end, entries)
}

/// Each entry is a key of one byte, a length, and as many bytes.
fn end_of_entry(bytes: &[u8], start: usize) -> usize {
    let mut rest = &bytes[start + 1..];
    // What was written here is well-formed; if it were not, all the rest would be one entry.
    let len = prost::encoding::decode_varint(&mut rest).unwrap_or(u64::MAX);
    let body = bytes.len() - rest.len();
    usize::try_from(len)
        .ok()
        .and_then(|len| body.checked_add(len))
        .map_or(bytes.len(), |end| end.min(bytes.len()))
}
