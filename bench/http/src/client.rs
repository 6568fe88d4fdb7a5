//! Clients: around a service that answers at once, and around reqwest on loopback.

use std::convert::Infallible;
use std::hint::black_box;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use opentelemetry::global;
use otel_http::HttpClientLayer;
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt, service_fn};

type Client = BoxCloneService<Request<Empty<Bytes>>, Response<()>, Infallible>;

async fn answer(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"Ada"))))
}

fn boxed<S, B>(service: S) -> Client
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + 'static,
{
    let read = |response: Response<B>| {
        response.map(|body| {
            black_box(Box::pin(body.collect()).now_or_never().map(|read| read.is_ok()));
        })
    };
    BoxCloneService::new(service.map_response(read))
}

pub fn bare() -> Client {
    boxed(service_fn(answer))
}

pub fn ours() -> Client {
    boxed(HttpClientLayer::new().layer(service_fn(answer)))
}

/// Traces and metrics.
pub fn tower_otel() -> Client {
    let traced = tower_otel::trace::HttpLayer::client(tracing::Level::INFO).layer(service_fn(answer));
    boxed(tower_otel::metrics::HttpLayer::client(&global::meter("bench")).layer(traced))
}

pub fn call(client: &mut Client) {
    let request = Request::get("http://users.example:8080/users/42")
        .header("user-agent", "bench/1.0")
        .body(Empty::new())
        .expect("a valid request");
    black_box(client.ready().now_or_never().expect("ready").expect("infallible"));
    black_box(client.call(request).now_or_never().expect("ready").expect("infallible"));
}

/// Serves on loopback, on the runtime of the caller.
pub async fn serve() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let app = Router::new().route("/users/{id}", get(|| async { "Ada" }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
