//! A collector that counts what it gets and keeps nothing, so that it costs next to nothing itself.
//!
//! It takes OTLP over gRPC and over HTTP on one port, and answers `GET /counts` with three numbers: the requests of the
//! traces service, the bytes of their bodies, and the spans in those that were not compressed.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;

/// What came over the wire since the start.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub requests: u64,
    /// Bodies, compressed as they came, with the five bytes before a gRPC message; without headers and frames.
    pub bytes: u64,
    pub spans: u64,
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static SPANS: AtomicU64 = AtomicU64::new(0);

/// Prints the address and serves until the process ends.
pub fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new());
                // As large as a batch, or it would wait for the sink to make room.
                builder.http2().initial_stream_window_size(1 << 24).initial_connection_window_size(1 << 26);
                let service = hyper::service::service_fn(answer);
                // A sender that is gone is no error here.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// What the sink at `address` has counted.
pub fn counts(address: SocketAddr) -> io::Result<Counts> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /counts HTTP/1.1\r\nhost: sink\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let line = answer.lines().last().unwrap_or_default();
    let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    match *numbers {
        [requests, bytes, spans] => Ok(Counts { requests, bytes, spans }),
        _ => Err(io::Error::other(format!("the sink says {answer:?}"))),
    }
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let text = if path == "/counts" {
        let [requests, bytes, spans] = [&REQUESTS, &BYTES, &SPANS].map(|count| count.load(Ordering::Relaxed));
        Bytes::from(format!("{requests} {bytes} {spans}"))
    } else {
        // A request that was cut off is not counted.
        if let Ok(body) = body.collect().await {
            count(&path, &head.headers, &body.to_bytes());
        }
        Bytes::new()
    };
    let is_grpc =
        head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    // An empty message, not compressed: nothing was rejected.
    let body = if is_grpc { Bytes::from_static(&[0; 5]) } else { text };
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let mut response =
        Response::new(Full::new(body).with_trailers(async move { is_grpc.then_some(Ok(trailers)) }));
    let kind = if is_grpc { "application/grpc" } else { "application/x-protobuf" };
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    Ok(response)
}

fn count(path: &str, headers: &HeaderMap, body: &[u8]) {
    let message = match path {
        "/v1/traces" if headers.contains_key("content-encoding") => None,
        "/v1/traces" => Some(body),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => match body.split_at_checked(5) {
            Some(([0, ..], message)) => Some(message),
            _ => None,
        },
        _ => return,
    };
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(body.len() as u64, Ordering::Relaxed);
    // ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans, ScopeSpans.spans
    SPANS.fetch_add(message.map_or(0, |message| fields(message, &[1, 2, 2])), Ordering::Relaxed);
}

/// How many messages there are at the end of this path of field numbers. All fields on the way are messages and texts.
fn fields(mut bytes: &[u8], path: &[u8]) -> u64 {
    let Some((field, rest)) = path.split_first() else { return 1 };
    let mut found = 0;
    while let [key, after @ ..] = bytes {
        let (mut len, mut used) = (0, 0);
        for byte in after {
            len |= usize::from(byte & 0x7f) << (7 * used);
            used += 1;
            if byte & 0x80 == 0 || used == 5 {
                break;
            }
        }
        let Some((content, next)) = after.get(used..).and_then(|rest| rest.split_at_checked(len)) else {
            break;
        };
        if *key == field << 3 | 2 {
            found += fields(content, rest);
        }
        bytes = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn spans_are_counted_in_all_scopes_of_all_resources() {
        let scope = [0x0a, 1, 7, 0x12, 2, 8, 8, 0x12, 0];
        let mut resource = vec![0x0a, 0];
        for _ in 0..2 {
            resource.extend([0x12, scope.len() as u8]);
            resource.extend(scope);
        }
        let mut request = Vec::new();
        for _ in 0..3 {
            request.extend([0x0a, resource.len() as u8]);
            request.extend(&resource);
        }
        assert_eq!(fields(&request, &[1, 2, 2]), 3 * 2 * 2);
        assert_eq!(fields(&[], &[1, 2, 2]), 0);
        assert_eq!(fields(&[0x0a, 100], &[1, 2, 2]), 0);
    }
}
