//! The options of a receiver, and how it starts.

use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use opentelemetry::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

#[cfg(feature = "tls")]
use super::TestCertificates;
use super::connection::{Connections, Transport};
use super::json::JsonLines;
use super::store::Store;
use super::{OtlpReceiver, grpc, http};

const DEFAULT_MAX_ITEMS: usize = 200_000;
/// Far above what an exporter sends at once (upstream's own limit for a body), far below what would hurt.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
const FREE_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What differs from [`OtlpReceiver::start`].
#[derive(Debug)]
#[must_use = "call start()"]
pub struct OtlpReceiverBuilder {
    max_items: usize,
    grpc: SocketAddr,
    http: SocketAddr,
    tls: Tls,
    lines: Option<JsonLines>,
}

impl OtlpReceiverBuilder {
    pub(super) fn new() -> Self {
        Self {
            max_items: DEFAULT_MAX_ITEMS,
            grpc: FREE_PORT,
            http: FREE_PORT,
            tls: Tls::default(),
            lines: None,
        }
    }

    /// How many spans, log records and data points are kept together; 200 000 by default. What comes after that is
    /// dropped, counted in [`OtlpReceiver::dropped`], and reported to the sender as a partial success. The sender never
    /// waits. A process that stays up calls [`OtlpReceiver::clear`] from time to time.
    pub fn with_max_items(mut self, max_items: usize) -> Self {
        self.max_items = max_items;
        self
    }

    /// Where OTLP over gRPC is taken, instead of a free port of `127.0.0.1`. Port 0 stands for a free one.
    pub fn with_grpc_address(mut self, address: SocketAddr) -> Self {
        self.grpc = address;
        self
    }

    /// Where OTLP over HTTP is taken, instead of a free port of `127.0.0.1`. Port 0 stands for a free one.
    pub fn with_http_address(mut self, address: SocketAddr) -> Self {
        self.http = address;
        self
    }

    /// Writes what is kept as it comes, each request as a line of OTLP/JSON: the form of OpenTelemetry's file exporters.
    /// Senders wait for a slow `writer`. What goes wrong is told by [`OtlpReceiver::json_lines_error`].
    pub fn with_json_lines(mut self, writer: impl Write + Send + 'static) -> Self {
        self.lines = Some(JsonLines::new(writer));
        self
    }

    /// Takes TLS connections only, on both ports, with the server certificate of these.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, certificates: &TestCertificates) -> Self {
        self.tls = Tls::of(certificates, false);
        self
    }

    /// As [`OtlpReceiverBuilder::with_tls`], and only from clients that show a certificate of this authority.
    #[cfg(feature = "tls")]
    pub fn with_mutual_tls(mut self, certificates: &TestCertificates) -> Self {
        self.tls = Tls::of(certificates, true);
        self
    }

    /// Starts the receiver. It accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// When an address or a thread is not to be had.
    pub fn start(self) -> io::Result<OtlpReceiver> {
        let (for_grpc, for_http) = self.tls.transports()?;
        let (grpc_listener, grpc) = listen(self.grpc, &for_grpc)?;
        let (http_listener, http) = listen(self.http, &for_http)?;
        let store = Arc::new(Store::new(self.max_items, self.lines));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let servers = Servers {
            grpc: (grpc_listener, for_grpc),
            http: (http_listener, for_http),
            store: Arc::clone(&store),
        };
        let thread = thread::Builder::new()
            .name("otlp-receiver".to_owned())
            .spawn(move || servers.run(runtime, stopped))?;
        Ok(OtlpReceiver { store, grpc, http, runtime: handle, stop: Some(stop), thread: Some(thread) })
    }
}

/// Where a client finds one of the servers.
#[derive(Debug)]
pub(super) struct Endpoint {
    scheme: &'static str,
    address: SocketAddr,
}

impl fmt::Display for Endpoint {
    /// The name is what certificates are made for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            "https" if self.address.ip().is_loopback() => {
                write!(f, "https://localhost:{}", self.address.port())
            }
            scheme => write!(f, "{scheme}://{}", self.address),
        }
    }
}

/// TLS as it was asked for. An error in it waits for [`OtlpReceiverBuilder::start`].
#[derive(Debug, Default)]
struct Tls(Option<io::Result<(Transport, Transport)>>);

impl Tls {
    #[cfg(feature = "tls")]
    fn of(certificates: &TestCertificates, mutual: bool) -> Self {
        let transport = |alpn: &[&[u8]]| certificates.acceptor(mutual, alpn).map(Transport::Tls);
        let both = transport(&[b"h2"]).and_then(|grpc| Ok((grpc, transport(&[b"h2", b"http/1.1"])?)));
        Self(Some(both))
    }

    fn transports(self) -> io::Result<(Transport, Transport)> {
        self.0.unwrap_or_else(|| Ok(Default::default()))
    }
}

fn listen(address: SocketAddr, transport: &Transport) -> io::Result<(TcpListener, Endpoint)> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(named)?;
    listener.set_nonblocking(true)?;
    let endpoint = Endpoint { scheme: transport.scheme(), address: listener.local_addr()? };
    Ok((listener, endpoint))
}

/// More than an answer needs on its way through tonic, hyper and h2.
const TURNS: usize = 100;

struct Servers {
    grpc: (TcpListener, Transport),
    http: (TcpListener, Transport),
    store: Arc<Store>,
}

impl Servers {
    fn run(self, runtime: Runtime, stopped: oneshot::Receiver<()>) {
        // The servers below are instrumented with `tracing`; in a process that exports to this receiver, what they say
        // would be exported to them again.
        let _no_telemetry = Context::enter_telemetry_suppressed_scope();
        let _no_tracing = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {
                    // What was taken gets its answer: whoever writes it only has to have its turn.
                    for _ in 0..TURNS {
                        tokio::task::yield_now().await;
                    }
                }
                // Fails only when the runtime's driver is gone, which `start` has just made.
                _ = self.serve() => {}
            }
        });
        // Now, and not after the guards: connections that are closed with it speak too.
        drop(runtime);
    }

    async fn serve(self) -> io::Result<()> {
        let store = self.store;
        let connections = |(listener, transport): (TcpListener, Transport)| {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Connections::accept(listener, Arc::clone(&store), transport)
        };
        let (grpc, http) = (connections(self.grpc)?, connections(self.http)?);
        tokio::join!(
            grpc::serve(grpc, Arc::clone(&store), MAX_MESSAGE_BYTES),
            http::serve(http, Arc::clone(&store), MAX_MESSAGE_BYTES)
        );
        Ok(())
    }
}
