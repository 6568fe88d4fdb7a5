//! Connections as both servers take them: plain or over TLS, and none that the test wants refused.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tonic::transport::server::Connected;

use super::store::Store;

const AFTER_AN_ERROR: Duration = Duration::from_millis(5);

/// How a connection becomes one that speaks HTTP.
#[derive(Clone, Default)]
pub(super) enum Transport {
    #[default]
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_rustls::TlsAcceptor),
}

impl Transport {
    async fn establish(&self, stream: TcpStream) -> io::Result<Connection> {
        match self {
            Self::Plain => Ok(Connection(Box::pin(stream))),
            #[cfg(feature = "tls")]
            Self::Tls(acceptor) => Ok(Connection(Box::pin(acceptor.accept(stream).await?))),
        }
    }

    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// An established connection.
pub(super) struct Connection(Pin<Box<dyn Stream>>);

/// Established connections, in the order in which they are ready.
pub(super) struct Connections {
    address: SocketAddr,
    established: mpsc::Receiver<Connection>,
}

impl Connections {
    /// Accepts for as long as the current runtime lives. Each connection is established on a task of its own: a client
    /// that never ends its TLS handshake holds up nobody.
    pub(super) fn accept(listener: TcpListener, store: Arc<Store>, transport: Transport) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, established) = mpsc::channel(1);
        tokio::spawn(async move {
            while !sender.is_closed() {
                let Ok((stream, _)) = listener.accept().await else {
                    // An error is one of the client's, such as a reset before we came to it, or lasts (no file handles): then it
                    // must not cost a whole core.
                    tokio::time::sleep(AFTER_AN_ERROR).await;
                    continue;
                };
                if store.admits_connection() {
                    let (sender, transport) = (sender.clone(), transport.clone());
                    tokio::spawn(async move {
                        if let Ok(connection) = transport.establish(stream).await {
                            let _ = sender.send(connection).await;
                        }
                    });
                }
            }
        });
        Ok(Self { address, established })
    }

    /// As tonic's server takes them.
    pub(super) fn into_stream(self) -> impl tokio_stream::Stream<Item = io::Result<Connection>> {
        use tokio_stream::StreamExt as _;
        tokio_stream::wrappers::ReceiverStream::new(self.established).map(Ok)
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.established.recv().await {
            Some(connection) => (connection, self.address),
            // The accepting task ends with the runtime only, and this future with it.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
