//! A service with one unary method and one stream, written as tonic's generator would write it.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Ready, ready};
use http::uri::PathAndQuery;
use http_body::Body as HttpBody;
use prost::Message;
use tokio_stream::Iter;
use tonic::body::Body;
use tonic::codegen::{Service, StdError};
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::{GrpcMethod, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, Eq, Message)]
pub struct Number {
    #[prost(uint64, tag = "1")]
    pub value: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct HelloServer;

impl NamedService for HelloServer {
    const NAME: &'static str = "bench.Hello";
}

struct Say;

impl UnaryService<Number> for Say {
    type Response = Number;
    type Future = Ready<Result<Response<Number>, Status>>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

struct Count;

type Numbers = Iter<std::iter::Map<std::ops::Range<u64>, fn(u64) -> Result<Number, Status>>>;

impl ServerStreamingService<Number> for Count {
    type Response = Number;
    type ResponseStream = Numbers;
    type Future = Ready<Result<Response<Numbers>, Status>>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        let number: fn(u64) -> Result<Number, Status> = |value| Ok(Number { value });
        ready(Ok(Response::new(tokio_stream::iter((0..request.get_ref().value).map(number)))))
    }
}

impl<B> Service<http::Request<B>> for HelloServer
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Number, Number>::default());
        match request.uri().path() {
            "/bench.Hello/Say" => Box::pin(async move { Ok(grpc.unary(Say, request).await) }),
            _ => Box::pin(async move { Ok(grpc.server_streaming(Count, request).await) }),
        }
    }
}

pub struct HelloClient<T>(tonic::client::Grpc<T>);

impl<T> HelloClient<T>
where
    T: tonic::client::GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: HttpBody<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    pub fn new(channel: T) -> Self {
        Self(tonic::client::Grpc::new(channel))
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unknown(error.into().to_string()))
    }

    pub async fn say(&mut self, value: u64) -> Result<Number, Status> {
        self.ready().await?;
        let mut request = Request::new(Number { value });
        request.extensions_mut().insert(GrpcMethod::new("bench.Hello", "Say"));
        let path = PathAndQuery::from_static("/bench.Hello/Say");
        Ok(self.0.unary(request, path, ProstCodec::default()).await?.into_inner())
    }

    pub async fn count(&mut self, up_to: u64) -> Result<Streaming<Number>, Status> {
        self.ready().await?;
        let mut request = Request::new(Number { value: up_to });
        request.extensions_mut().insert(GrpcMethod::new("bench.Hello", "Count"));
        let path = PathAndQuery::from_static("/bench.Hello/Count");
        Ok(self.0.server_streaming(request, path, ProstCodec::default()).await?.into_inner())
    }
}
