//! A gRPC service that hands its calls on to another one: both layers, set-up and shutdown.
//!
//! `relay --upstream http://127.0.0.1:50051` prints `listening on ADDRESS` and serves until it is told to stop, or until
//! standard input ends. `scripts/foreign-grpc` runs it between a client and a server of another language.
//!
//! Besides the crates here it needs tonic, tonic-prost and prost 0.14, tokio 1 (`macros`, `net`, `rt-multi-thread`),
//! tokio-stream 0.1 (`net`), tower 0.5, http 1, http-body 1 and bytes 1; the last three only because what stands below "as
//! generated" is written by hand. It is what tonic's generator makes of
//!
//! ```proto
//! package relay.v1;
//! message Words { string text = 1; }
//! service Relay {
//!   rpc Say(Words) returns (Words);
//!   rpc Watch(Words) returns (stream Words);
//! }
//! ```

use std::error::Error;
use std::io::Read;

use otel_grpc::{GrpcClient, GrpcClientLayer, GrpcServerLayer, not_health_or_reflection};
use otel_init::Telemetry;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tower::ServiceBuilder;

use generated::{RelayClient, RelayServer, Words};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the address is what whoever starts this waits for")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, upstream] = arguments.as_slice() else { return Err("relay --upstream URL".into()) };
    if flag != "--upstream" {
        return Err(format!("{flag} is not known").into());
    }
    let telemetry = Telemetry::builder().with_service_name("relay").install()?;

    let endpoint = Endpoint::from_shared(upstream.clone())?;
    let layer = GrpcClientLayer::for_target(endpoint.uri());
    let channel = ServiceBuilder::new().layer(layer).service(endpoint.connect_lazy());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let layer = GrpcServerLayer::builder().with_filter(not_health_or_reflection).build();
    Server::builder()
        .layer(layer)
        .add_service(RelayServer(Relay(RelayClient::new(channel))))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), asked_to_stop())
        .await?;
    telemetry.shutdown().await?;
    Ok(())
}

async fn asked_to_stop() {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = stop.send(());
    });
    tokio::select! {
        () = otel_init::shutdown_signal() => {}
        _ = stopped => {}
    }
}

/// The service: no word about telemetry.
#[derive(Clone)]
struct Relay(RelayClient<GrpcClient<Channel>>);

impl Relay {
    async fn say(mut self, request: Request<Words>) -> Result<Response<Words>, Status> {
        self.0.say(request.into_inner()).await
    }

    async fn watch(mut self, request: Request<Words>) -> Result<Response<Streaming<Words>>, Status> {
        self.0.watch(request.into_inner()).await
    }
}

/// As generated.
mod generated {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http::uri::PathAndQuery;
    use prost::Message;
    use tonic::body::Body;
    use tonic::client::{Grpc, GrpcService};
    use tonic::codegen::{Service, StdError};
    use tonic::server::{NamedService, ServerStreamingService, UnaryService};
    use tonic::{GrpcMethod, Request, Response, Status, Streaming};
    use tonic_prost::ProstCodec;

    use super::Relay;

    #[derive(Clone, PartialEq, Eq, Message)]
    pub(super) struct Words {
        #[prost(string, tag = "1")]
        text: String,
    }

    #[derive(Clone)]
    pub(super) struct RelayServer(pub(super) Relay);

    type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

    impl UnaryService<Words> for RelayServer {
        type Response = Words;
        type Future = Answer<Response<Words>>;

        fn call(&mut self, request: Request<Words>) -> Self::Future {
            Box::pin(self.0.clone().say(request))
        }
    }

    impl ServerStreamingService<Words> for RelayServer {
        type Response = Words;
        type ResponseStream = Streaming<Words>;
        type Future = Answer<Response<Streaming<Words>>>;

        fn call(&mut self, request: Request<Words>) -> Self::Future {
            Box::pin(self.0.clone().watch(request))
        }
    }

    impl NamedService for RelayServer {
        const NAME: &'static str = "relay.v1.Relay";
    }

    impl Service<http::Request<Body>> for RelayServer {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            let service = self.clone();
            Box::pin(async move {
                let mut grpc = tonic::server::Grpc::new(ProstCodec::<Words, Words>::default());
                Ok(match request.uri().path() {
                    "/relay.v1.Relay/Say" => grpc.unary(service, request).await,
                    "/relay.v1.Relay/Watch" => grpc.server_streaming(service, request).await,
                    _ => Status::unimplemented("").into_http(),
                })
            })
        }
    }

    #[derive(Clone)]
    pub(super) struct RelayClient<T>(Grpc<T>);

    impl<T> RelayClient<T>
    where
        T: GrpcService<Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        <T::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
    {
        pub(super) fn new(channel: T) -> Self {
            Self(Grpc::new(channel))
        }

        pub(super) async fn say(&mut self, words: Words) -> Result<Response<Words>, Status> {
            let request = self.request(words, "Say").await?;
            let path = PathAndQuery::from_static("/relay.v1.Relay/Say");
            self.0.unary(request, path, ProstCodec::default()).await
        }

        pub(super) async fn watch(&mut self, words: Words) -> Result<Response<Streaming<Words>>, Status> {
            let request = self.request(words, "Watch").await?;
            let path = PathAndQuery::from_static("/relay.v1.Relay/Watch");
            self.0.server_streaming(request, path, ProstCodec::default()).await
        }

        async fn request(&mut self, words: Words, method: &'static str) -> Result<Request<Words>, Status> {
            let ready = self.0.ready().await;
            ready.map_err(|error| Status::unknown(format!("the channel is not ready: {}", error.into())))?;
            let mut request = Request::new(words);
            request.extensions_mut().insert(GrpcMethod::new("relay.v1.Relay", method));
            Ok(request)
        }
    }
}
