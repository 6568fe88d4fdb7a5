//! Metrics that wait to be fetched: the text format of Prometheus, over HTTP.
//!
//! <https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/prometheus/>

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Registry, TextEncoder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::runtime::RuntimeEntry;
use crate::Signal;
use crate::config::PrometheusConfig;
use crate::control::Live;
use crate::diagnostics;
use crate::metrics::AttributeGuard;
use crate::safety::Redactor;

/// Who scrapes comes with one connection, or two.
const MOST_CONNECTIONS: usize = 16;
/// They say whose a metric is, as the instrumentation scope does elsewhere, and what came after its limit.
const NO_ATTRIBUTES: [&str; 4] =
    ["otel_scope_name", "otel_scope_version", "otel_scope_schema_url", "otel_metric_overflow"];
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Who has said nothing for so long gives way to who comes.
const SILENCE: Duration = Duration::from_secs(1);
/// For one scrape, of which Prometheus itself waits 10 seconds unless it is told otherwise. Who asks and does not read would keep
/// others out.
const LONGEST: Duration = Duration::from_secs(20);

/// What answers a scrape.
#[derive(Debug)]
struct Page {
    registry: Registry,
    redactor: Arc<Redactor>,
    guard: Arc<AttributeGuard>,
    live: Arc<Live>,
    /// One collection at a time, however many ask.
    turn: Arc<Mutex<()>>,
}

/// The reader for the meter provider, and the address that it can be fetched from. No address is no reason for a service
/// not to start, so that is a warning.
pub(crate) fn start(
    config: &PrometheusConfig,
    runtime: &RuntimeEntry,
    redactor: &Arc<Redactor>,
    guard: &Arc<AttributeGuard>,
    live: &Arc<Live>,
) -> Result<(PrometheusExporter, SocketAddr), String> {
    let failed = |reason: String| {
        let address = config.address();
        format!(
            "metrics cannot be fetched by Prometheus from {address}: {reason}; the service runs without: free the address, \
             or name another one by OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT (`host` and `port` in a \
             configuration file)"
        )
    };
    let registry = Registry::new();
    let mut exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(config.has_scope_labels);
    if !config.has_target_info {
        exporter = exporter.without_target_info();
    }
    let exporter = exporter.build().map_err(|error| failed(error.to_string()))?;
    let listener =
        StdListener::bind((config.bare_host(), config.port)).map_err(|error| failed(error.to_string()))?;
    listener.set_nonblocking(true).map_err(|error| failed(error.to_string()))?;
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let page = Page {
        registry,
        redactor: Arc::clone(redactor),
        guard: Arc::clone(guard),
        live: Arc::clone(live),
        turn: Arc::default(),
    };
    let until_cut = runtime.clone();
    // A page that stays after the shutdown would show the last values as if they were new.
    runtime.spawn(async move {
        let _ = until_cut.run(listen(listener, Arc::new(page))).await;
    });
    Ok((exporter, address))
}

async fn listen(listener: StdListener, page: Arc<Page>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return diagnostics::warn(&format!("metrics cannot be fetched: {error}")),
    };
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut silent = Vec::new();
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            // Too many open files, most likely: not in a circle.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(permit) = room_for_one(&room, &mut silent).await else { return };
        let (page, has_asked) = (Arc::clone(&page), Arc::new(AtomicBool::new(false)));
        let asks = Arc::clone(&has_asked);
        let task = tokio::spawn(async move {
            serve(connection, page, &asks).await;
            drop(permit);
        });
        silent.push(Visitor { task: task.abort_handle(), has_asked, since: Instant::now() });
    }
}

/// A connection that asks, or does not.
struct Visitor {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
    since: Instant,
}

impl Visitor {
    fn is_silent(&self) -> bool {
        !self.task.is_finished() && !self.has_asked.load(Ordering::Relaxed)
    }
}

/// Connections without a word keep nobody out: where there is no room, the oldest gives way.
async fn room_for_one(room: &Arc<Semaphore>, silent: &mut Vec<Visitor>) -> Option<OwnedSemaphorePermit> {
    loop {
        silent.retain(Visitor::is_silent);
        let mut free = pin!(Arc::clone(room).acquire_owned());
        let Some(oldest) = silent.first() else { return free.await.ok() };
        if let Ok(permit) = timeout_at(oldest.since + SILENCE, free.as_mut()).await {
            return permit.ok();
        }
        let oldest = silent.remove(0);
        if oldest.is_silent() {
            oldest.task.abort();
            // Its permit is free once its task was polled again: going round before that would cut off the next one too.
            return free.await.ok();
        }
    }
}

async fn serve(connection: TcpStream, page: Arc<Page>, has_asked: &AtomicBool) {
    let service = service_fn(move |request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let page = Arc::clone(&page);
        async move { Ok::<_, Infallible>(answer(&request, page).await) }
    });
    // Whoever hangs up has what it wanted.
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service);
    let _ = tokio::time::timeout(LONGEST, serving).await;
}

async fn answer(request: &Request<Incoming>, page: Arc<Page>) -> Response<Full<Bytes>> {
    if !["/metrics", "/"].contains(&request.uri().path()) {
        return status(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    // Who is cut off while others are served no longer waits for a turn.
    let turn = Arc::clone(&page.turn).lock_owned().await;
    // Callbacks of the service run while metrics are collected: not on the thread that exports.
    let collected = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        page.text()
    });
    match collected.await {
        Ok(Ok(text)) => {
            let mut answer = Response::new(Full::new(Bytes::from(text)));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            answer
        }
        // A callback panicked, or the text cannot be written.
        _ => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

impl Page {
    fn text(&self) -> Result<String, prometheus::Error> {
        if self.live.is_off(Signal::Metrics) {
            return Ok(String::new());
        }
        let mut families = self.registry.gather();
        for family in &mut families {
            let name = family.name().to_owned();
            // Its labels are the resource, which was protected by its own keys.
            let is_target = name == "target_info";
            for metric in family.mut_metric() {
                for label in metric.mut_label() {
                    self.guard.judge_label(&name, label.name(), label.value());
                    if is_target || NO_ATTRIBUTES.contains(&label.name()) {
                        continue;
                    }
                    match self.redactor.label(label.name(), label.value()) {
                        Ok(None) => {}
                        Ok(Some(redacted)) => label.set_value(redacted),
                        // An empty label is the same as none.
                        Err(_removed) => label.set_value(String::new()),
                    }
                }
            }
        }
        TextEncoder::new().encode_to_string(&families)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_comes_takes_the_place_of_one_alone() {
        let room = Arc::new(Semaphore::new(3));
        let since = Instant::now().checked_sub(SILENCE * 2).unwrap();
        let mut silent = Vec::new();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let permit = Arc::clone(&room).try_acquire_owned().unwrap();
            let task = tokio::spawn(async move {
                let _permit = permit;
                std::future::pending::<()>().await;
            });
            silent.push(Visitor { task: task.abort_handle(), has_asked: Arc::default(), since });
            tasks.push(task);
        }
        let _permit = room_for_one(&room, &mut silent).await.unwrap();
        // Whatever was cut off has ended with this.
        tokio::task::yield_now().await;
        assert_eq!(tasks.iter().map(|task| task.is_finished()).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!((silent.len(), room.available_permits()), (2, 0));
    }
}
