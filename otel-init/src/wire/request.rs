//! Requests of the traces and the logs service: a resource, and below it entries by scope.
//!
//! `ExportTraceServiceRequest` and `ExportLogsServiceRequest` have the same shape and the same field numbers.

use super::buffers::Chunk;
use super::envelope::{EncodedResource, EncodedScope, FIRST};
use super::protobuf::{varint, varint_len};
use crate::sync::Arc;

/// `ResourceSpans.scope_spans`, `ResourceLogs.scope_logs`.
const SCOPES: u8 = 2 << 3 | 2;

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
pub(super) fn planned(chunks: &[Chunk], bounds: Bounds) -> Vec<Planned> {
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
    fn add(&mut self, index: usize, chunk: &Chunk) {
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
    fn add(&mut self, chunk: usize, of: &Chunk, bytes: std::ops::Range<usize>, entries: usize) {
        self.entries += entries;
        self.bytes += bytes.len() + of.scope.len();
        self.parts.push(Part { scope: Arc::clone(&of.scope), bytes, chunk });
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The request, of the chunks that it was planned for.
    pub(super) fn framed(&self, chunks: &[Chunk], resource: &EncodedResource) -> Request {
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
