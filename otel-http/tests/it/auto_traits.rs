//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use std::convert::Infallible;
use std::future::Ready;

use http::Response;
use otel_http::reqwest::{
    Client, ClientBuilder, InstrumentBuilder, Middleware, MiddlewareBuilder, RequestBuilder,
};
use otel_http::{
    BodyCapture, DestinationPolicy, HttpClient, HttpClientLayer, HttpClientLayerBuilder,
    HttpClientResponseFuture, HttpResponseBody, HttpRoute, HttpServer, HttpServerLayer,
    HttpServerLayerBuilder, HttpServerResponseFuture, HttpUpgrade, RequestAttributes, ResendCountLayer,
    TrustedProxies, UrlTemplate,
};

type Answer = Ready<Result<Response<String>, Infallible>>;

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<BodyCapture>();
    is_thread_safe::<Client>();
    is_thread_safe::<ClientBuilder>();
    is_thread_safe::<DestinationPolicy>();
    is_thread_safe::<HttpClient<()>>();
    is_thread_safe::<HttpClientLayer>();
    is_thread_safe::<HttpClientLayerBuilder>();
    is_thread_safe::<HttpRoute>();
    is_thread_safe::<HttpServer<()>>();
    is_thread_safe::<HttpServerLayer>();
    is_thread_safe::<HttpServerLayerBuilder>();
    is_thread_safe::<HttpUpgrade>();
    is_thread_safe::<InstrumentBuilder>();
    is_thread_safe::<Middleware>();
    is_thread_safe::<MiddlewareBuilder>();
    is_thread_safe::<RequestAttributes>();
    is_thread_safe::<RequestBuilder>();
    is_thread_safe::<ResendCountLayer>();
    is_thread_safe::<HttpResponseBody<String>>();
    is_thread_safe::<HttpClientResponseFuture<Answer>>();
    is_thread_safe::<HttpServerResponseFuture<Answer>>();
    is_thread_safe::<TrustedProxies>();
    is_thread_safe::<UrlTemplate>();
}
