//! What every service is wrapped in, and how it starts and stops.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use otel_http::HttpServerLayer;
use otel_init::Telemetry;
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::stop::Stop;
use crate::{Failure, telemetry};

/// How the first line of a service's standard output begins; its address follows.
pub(crate) const LISTENING: &str = "listening on ";
/// How the last line begins when not all telemetry was delivered; the reason follows.
pub(crate) const TELEMETRY_LOST: &str = "telemetry lost: ";

#[derive(clap::Args)]
pub(crate) struct ServerOptions {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "SHOP_LISTEN", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// Milliseconds that a request may take.
    #[arg(long, env = "SHOP_REQUEST_TIMEOUT_MS", default_value_t = 10_000)]
    pub(super) request_timeout_ms: u64,
    /// Milliseconds that the requests that are being answered may take when the service stops.
    #[arg(long, env = "SHOP_GRACE_MS", default_value_t = 5000)]
    pub(super) grace_ms: u64,
    #[command(flatten)]
    pub(crate) stop: StopOptions,
}

#[derive(clap::Args)]
pub(crate) struct StopOptions {
    /// Stop when standard input ends.
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl StopOptions {
    pub(crate) fn listen(&self) -> Stop {
        Stop::listen(self.stop_with_stdin)
    }
}

/// Serves until it is time to stop; then finishes what is being answered and delivers the telemetry.
pub(crate) async fn serve(
    options: ServerOptions,
    routes: Router,
    cors: Option<CorsLayer>,
    telemetry: Telemetry,
) -> Result<(), Failure> {
    serve_and_finish(options, routes, cors, std::future::ready(()), telemetry).await
}

/// Like [`serve`]; `finish` is what is left to do when the last request has been answered.
pub(crate) async fn serve_and_finish(
    options: ServerOptions,
    routes: Router,
    cors: Option<CorsLayer>,
    finish: impl Future<Output = ()>,
    telemetry: Telemetry,
) -> Result<(), Failure> {
    let app = layered(routes, cors, Duration::from_millis(options.request_timeout_ms));
    let stop = options.stop.listen();
    let listener = listen(options.listen).await?;
    say(&format!("{LISTENING}http://{}", listener.local_addr()?));

    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().requested());
    let finished = async {
        server.await?;
        finish.await;
        Ok::<_, Failure>(())
    };
    let too_long = async {
        stop.requested().await;
        tokio::time::sleep(Duration::from_millis(options.grace_ms)).await;
    };
    tokio::select! {
        ended = finished => ended?,
        () = too_long => tracing::warn!("requests were still being worked on when the service stopped"),
    }
    deliver(telemetry).await;
    Ok(())
}

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

/// The layers of a service, the outermost first. The order matters:
///
/// - The telemetry is outermost, so that what the others answer is seen as it leaves: a timeout is a 504, a panic a
///   500, a preflight a 200, and the span lasts until the compressed body is sent.
/// - The request id comes before the access log, which may then show it.
/// - The access log opens no span: there is one already, and its records belong to that one.
/// - CORS is outside the timeout and the panics, so that a browser may read those answers too.
/// - Compression is outside the timeout: it works on the body, which the timeout does not cover.
/// - Panics are caught inside of all that, so that nothing above has to survive one.
fn layered(routes: Router, cors: Option<CorsLayer>, timeout: Duration) -> Router {
    let access_log = TraceLayer::new_for_http().make_span_with(no_span).on_request(()).on_failure(());
    routes.layer(
        ServiceBuilder::new()
            .layer(HttpServerLayer::builder().with_active_requests(true).for_axum().build())
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(access_log)
            .layer(PropagateRequestIdLayer::x_request_id())
            .option_layer(cors)
            .layer(CompressionLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, timeout))
            .layer(CatchPanicLayer::new())
            .layer(middleware::from_fn(record_tier)),
    )
}

fn no_span(_: &Request) -> tracing::Span {
    tracing::Span::none()
}

/// The tier that came as baggage becomes an attribute of the server span.
async fn record_tier(request: Request, next: Next) -> Response {
    telemetry::record_current_tier();
    next.run(request).await
}

/// Sends what is still held, and tells a parent when that failed. It is no reason to fail the service.
pub(crate) async fn deliver(telemetry: Telemetry) {
    if let Err(error) = telemetry.shutdown().await {
        say(&format!("{TELEMETRY_LOST}{error}"));
    }
}

/// Says something to whoever started the service. A closed pipe is no reason to fail.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
