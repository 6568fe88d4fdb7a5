//! A service with all four kinds of calls, written as tonic's generator would write it. What a call does is told by its
//! metadata: `x-code` is the status it ends with, `x-end` how.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::uri::PathAndQuery;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::{Service, StdError};
use tonic::metadata::MetadataMap;
use tonic::server::{
    ClientStreamingService, NamedService, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Code, GrpcMethod, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

pub(crate) const SERVICE: &str = "test.v1.Echo";

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Words {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

pub(crate) fn words(text: &str) -> Words {
    Words { text: text.to_owned() }
}

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unary,
    ClientStream,
    ServerStream,
    Bidi,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Unary, Self::ClientStream, Self::ServerStream, Self::Bidi];

    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Unary => "test.v1.Echo/Unary",
            Self::ClientStream => "test.v1.Echo/ClientStream",
            Self::ServerStream => "test.v1.Echo/ServerStream",
            Self::Bidi => "test.v1.Echo/Bidi",
        }
    }
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A message, then the status in the trailers.
    Trailers,
    /// The status in the headers, and nothing else.
    TrailersOnly,
    /// Never: no headers.
    Hang,
    /// Never: headers and a message, and then nothing.
    HangInStream,
    Panic,
    PanicInStream,
    /// The stream ends without a status.
    Truncate,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Trailers => "trailers",
            Self::TrailersOnly => "trailers-only",
            Self::Hang => "hang",
            Self::HangInStream => "hang-in-stream",
            Self::Panic => "panic",
            Self::PanicInStream => "panic-in-stream",
            Self::Truncate => "truncate",
        }
    }

    fn of(word: Option<&str>) -> Self {
        let all = [
            Self::TrailersOnly,
            Self::Hang,
            Self::HangInStream,
            Self::Panic,
            Self::PanicInStream,
            Self::Truncate,
        ];
        all.into_iter().find(|end| Some(end.word()) == word).unwrap_or(Self::Trailers)
    }
}

/// What the metadata asks for.
#[derive(Clone, Copy, Debug)]
struct Plan {
    code: Code,
    end: End,
}

impl Plan {
    fn of(metadata: &MetadataMap) -> Self {
        let text = |key: &str| metadata.get(key).and_then(|value| value.to_str().ok());
        let code = text("x-code").and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { code: Code::from_i32(code), end: End::of(text("x-end")) }
    }

    fn status(self) -> Status {
        let mut status = Status::new(self.code, "as asked");
        status.metadata_mut().insert("x-trailer", "t".parse().unwrap());
        status.metadata_mut().insert("set-cookie", "s3cr3t-trailer".parse().unwrap());
        status
    }

    async fn before(self) -> Result<(), Status> {
        match self.end {
            End::Panic => panic!("a test panics here"),
            End::Hang => std::future::pending().await,
            End::TrailersOnly if self.code != Code::Ok => Err(self.status()),
            _ => Ok(()),
        }
    }

    /// What follows the first message.
    fn rest(self) -> BoxStream<'static, Result<Words, Status>> {
        match self.end {
            End::HangInStream => stream::pending().boxed(),
            End::PanicInStream => stream::once(async { panic!("a test panics here") }).boxed(),
            _ if self.code == Code::Ok => stream::empty().boxed(),
            _ => stream::iter([Err(self.status())]).boxed(),
        }
    }
}

/// The handlers.
#[derive(Clone, Copy, Debug)]
struct Handler;

type Answers = BoxStream<'static, Result<Words, Status>>;

fn answer<T>(body: T) -> Response<T> {
    let mut response = Response::new(body);
    response.metadata_mut().insert("x-header", "h".parse().unwrap());
    response.metadata_mut().insert("x-session-id", "s3cr3t-header".parse().unwrap());
    response
}

impl UnaryService<Words> for Handler {
    type Response = Words;
    type Future = BoxFuture<'static, Result<Response<Words>, Status>>;

    fn call(&mut self, request: Request<Words>) -> Self::Future {
        Box::pin(async move {
            Plan::of(request.metadata()).before().await?;
            tracing::info!("in the handler");
            Ok(answer(request.into_inner()))
        })
    }
}

impl ClientStreamingService<Words> for Handler {
    type Response = Words;
    type Future = BoxFuture<'static, Result<Response<Words>, Status>>;

    fn call(&mut self, request: Request<Streaming<Words>>) -> Self::Future {
        Box::pin(async move {
            Plan::of(request.metadata()).before().await?;
            let mut heard = Vec::new();
            let mut messages = request.into_inner();
            while let Some(message) = messages.message().await? {
                heard.push(message.text);
            }
            Ok(answer(words(&heard.join(" "))))
        })
    }
}

impl ServerStreamingService<Words> for Handler {
    type Response = Words;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Words>) -> Self::Future {
        Box::pin(async move {
            let plan = Plan::of(request.metadata());
            plan.before().await?;
            let said: Vec<_> =
                request.get_ref().text.split(' ').map(|word| Ok(Words { text: word.to_owned() })).collect();
            Ok(answer(stream::iter(said).chain(plan.rest()).boxed()))
        })
    }
}

impl StreamingService<Words> for Handler {
    type Response = Words;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Words>>) -> Self::Future {
        Box::pin(async move {
            let plan = Plan::of(request.metadata());
            plan.before().await?;
            let echo = request.into_inner();
            Ok(answer(echo.chain(plan.rest()).boxed()))
        })
    }
}

/// The server, as tonic routes to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = SERVICE;
}

impl<B> Service<http::Request<B>> for EchoServer
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(async move {
            let plan = Plan::of(&MetadataMap::from_headers(request.headers().clone()));
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Words, Words>::default())
                .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
                .send_compressed(tonic::codec::CompressionEncoding::Gzip);
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            // What a generated handler of one message cannot do: a message, and then a status that is no OK.
            let streams = match plan.end {
                End::HangInStream | End::PanicInStream | End::Truncate => true,
                End::Trailers => plan.code != Code::Ok,
                _ => false,
            };
            Ok(match method.as_str() {
                _ if plan.end == End::TrailersOnly && plan.code == Code::Ok => Status::ok("").into_http(),
                "Unary" if !streams => grpc.unary(Handler, request).await,
                "ClientStream" if !streams => grpc.client_streaming(Handler, request).await,
                "Unary" | "ServerStream" => truncated(plan, grpc.server_streaming(Handler, request).await),
                "ClientStream" | "Bidi" => truncated(plan, grpc.streaming(Handler, request).await),
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// A body that loses its trailers.
fn truncated(plan: Plan, response: http::Response<Body>) -> http::Response<Body> {
    if plan.end != End::Truncate {
        return response;
    }
    response.map(|body| {
        let frames = http_body_util::BodyStream::new(body);
        let data =
            frames.filter(|frame| std::future::ready(frame.as_ref().is_ok_and(|frame| frame.is_data())));
        Body::new(http_body_util::StreamBody::new(data))
    })
}

/// The client, as tonic generates it.
#[derive(Clone, Debug)]
pub(crate) struct EchoClient<T> {
    inner: tonic::client::Grpc<T>,
}

impl<T> EchoClient<T>
where
    T: tonic::client::GrpcService<Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(channel: T) -> Self {
        Self { inner: tonic::client::Grpc::new(channel) }
    }

    pub(crate) fn with_origin(channel: T, origin: http::Uri) -> Self {
        Self { inner: tonic::client::Grpc::with_origin(channel, origin) }
    }

    pub(crate) fn compressed(self) -> Self {
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        Self { inner: self.inner.send_compressed(gzip).accept_compressed(gzip) }
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.inner.ready().await.map_err(|error| Status::unknown(format!("not ready: {}", error.into())))
    }

    pub(crate) async fn unary(&mut self, mut request: Request<Words>) -> Result<Response<Words>, Status> {
        self.ready().await?;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "Unary"));
        let path = PathAndQuery::from_static("/test.v1.Echo/Unary");
        self.inner.unary(request, path, ProstCodec::default()).await
    }

    /// A method that the service does not have.
    pub(crate) async fn missing(&mut self, path: &str) -> Result<Response<Words>, Status> {
        self.request(Request::new(words("hello")), path).await
    }

    pub(crate) async fn request(
        &mut self,
        request: Request<Words>,
        path: &str,
    ) -> Result<Response<Words>, Status> {
        self.ready().await?;
        self.inner.unary(request, path.parse().unwrap(), ProstCodec::default()).await
    }

    pub(crate) async fn client_stream(
        &mut self,
        request: Request<Pin<Box<dyn tokio_stream::Stream<Item = Words> + Send>>>,
    ) -> Result<Response<Words>, Status> {
        self.ready().await?;
        let mut request = request;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "ClientStream"));
        let path = PathAndQuery::from_static("/test.v1.Echo/ClientStream");
        self.inner.client_streaming(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn server_stream(
        &mut self,
        mut request: Request<Words>,
    ) -> Result<Response<Streaming<Words>>, Status> {
        self.ready().await?;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "ServerStream"));
        let path = PathAndQuery::from_static("/test.v1.Echo/ServerStream");
        self.inner.server_streaming(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn bidi(
        &mut self,
        request: Request<Pin<Box<dyn tokio_stream::Stream<Item = Words> + Send>>>,
    ) -> Result<Response<Streaming<Words>>, Status> {
        self.ready().await?;
        let mut request = request;
        request.extensions_mut().insert(GrpcMethod::new(SERVICE, "Bidi"));
        let path = PathAndQuery::from_static("/test.v1.Echo/Bidi");
        self.inner.streaming(request, path, ProstCodec::default()).await
    }

    /// Makes a call of any kind and takes everything that comes. The answers' texts, or the status.
    pub(crate) async fn call(&mut self, asked: &Asked) -> Result<Vec<String>, Status> {
        let said = || stream::iter(["one", "two"].map(words)).boxed();
        match asked.kind {
            Kind::Unary => {
                let answer = self.unary(asked.request(words("one"))).await?;
                Ok(vec![answer.into_inner().text])
            }
            Kind::ClientStream => {
                let answer = self.client_stream(asked.request(said())).await?;
                Ok(vec![answer.into_inner().text])
            }
            Kind::ServerStream => {
                collect(self.server_stream(asked.request(words("one two"))).await?.into_inner()).await
            }
            Kind::Bidi => collect(self.bidi(asked.request(said())).await?.into_inner()).await,
        }
    }
}

async fn collect(mut answers: Streaming<Words>) -> Result<Vec<String>, Status> {
    let mut texts = Vec::new();
    while let Some(answer) = answers.message().await? {
        texts.push(answer.text);
    }
    Ok(texts)
}

/// One call to make.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    pub(crate) code: Code,
    pub(crate) end: End,
    pub(crate) timeout: Option<std::time::Duration>,
}

impl Asked {
    pub(crate) fn new(kind: Kind, code: Code, end: End) -> Self {
        Self { kind, code, end, timeout: None }
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("x-code", i32::from(self.code).into());
        request.metadata_mut().insert("x-end", self.end.word().parse().unwrap());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        request
    }
}
