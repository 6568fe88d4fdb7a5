//! A server in a process of its own, as a model's is: its work is not the client's.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use axum::serve::ListenerExt;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{pinning, tls};

/// What a service would stream from one model, and more: a token comes every few milliseconds from the fast ones.
const PACE: Duration = Duration::from_millis(1);

pub(crate) const CHUNKS: usize = 1_000;

/// How the server sends the chunks of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// One, then a pause, as a model does.
    AsAModel,
    /// Each in a write of its own, as fast as the socket takes them.
    OneByOne,
    /// All of them in as few writes as they fit in: a proxy's cache, or a client that comes late.
    AtOnce,
}

impl Pace {
    pub(crate) const ALL: [Self; 3] = [Self::AsAModel, Self::OneByOne, Self::AtOnce];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AsAModel => "as-a-model",
            Self::OneByOne => "one-by-one",
            Self::AtOnce => "at-once",
        }
    }

    /// Below it is OpenAI's API.
    pub(crate) fn path(self) -> String {
        format!("/{}/v1", self.name())
    }

    fn wait(self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            Self::AsAModel => Box::pin(tokio::time::sleep(PACE)),
            Self::OneByOne => Box::pin(tokio::task::yield_now()),
            Self::AtOnce => Box::pin(std::future::ready(())),
        }
    }

    fn answer(self) -> Response {
        let numbers = (0..CHUNKS).map(Some).chain([None]);
        let chunks = stream::iter(numbers).then(move |number| async move {
            self.wait().await;
            Ok::<_, Infallible>(number.map_or(Bytes::from_static(b"data: [DONE]\n\n"), chunk))
        });
        let mut response = Response::new(Body::from_stream(chunks));
        response.headers_mut().insert(CONTENT_TYPE, "text/event-stream".parse().unwrap());
        response
    }
}

/// A chunk as OpenAI sends it.
pub(crate) fn chunk(number: usize) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-B1jzMqgDuXSwQlLNVpwvJ8a6gUQeV\",\"object\":\"chat.completion.chunk\",\"created\":1740000000,\
         \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_eb9dce56a8\",\"choices\":\
         [{{\"index\":0,\"delta\":{{\"content\":\" word{number}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
    ))
}

/// Serves until the process ends, and says where: in plain text, and as models are reached, over TLS with HTTP/2.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let routes = Pace::ALL.into_iter().fold(Router::new(), |router, pace| {
            let path = format!("{}/chat/completions", pace.path());
            router.route(&path, post(move || async move { pace.answer() }))
        });
        let [plain, encrypted] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0"));
        let (plain, encrypted) = (plain.await.unwrap(), encrypted.await.unwrap());
        let (acceptor, certificate) = tls::acceptor();
        let hex: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{} {} {hex}", plain.local_addr().unwrap(), encrypted.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        tokio::spawn(encrypt(encrypted, acceptor, routes.clone()));
        // As every server of streams does: otherwise the kernel collects the chunks.
        let plain = plain.tap_io(|connection| connection.set_nodelay(true).unwrap());
        axum::serve(plain, routes).into_future().await.unwrap();
    });
}

async fn encrypt(listener: TcpListener, acceptor: TlsAcceptor, routes: Router) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(routes.clone()));
        tokio::spawn(async move {
            connection.set_nodelay(true).unwrap();
            let connection = TokioIo::new(acceptor.accept(connection).await.unwrap());
            let served = auto::Builder::new(TokioExecutor::new());
            // A client that is done closes the connection as it likes.
            let _ = served.serve_connection(connection, service).await;
        });
    }
}

/// The process that serves; it ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) encrypted: SocketAddr,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut process = pinning::server().arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let [address, encrypted, hex] = [(); 3].map(|()| words.next().unwrap());
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let certificate = CertificateDer::from((0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>());
        Self {
            process,
            address: address.parse().unwrap(),
            encrypted: encrypted.parse().unwrap(),
            certificate,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
