//! Waiting for the request to stop.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::diagnostics;

/// Resolves when the process is asked to stop: SIGTERM or Ctrl-C, on Windows Ctrl-C or closing the console.
///
/// It needs no particular runtime. From the first poll on, these signals no longer end the process by themselves. If
/// the system refuses to watch for them, it says so on the console and never resolves.
///
/// ```no_run
/// # async fn example(telemetry: otel_init::Telemetry) -> Result<(), otel_init::ShutdownError> {
/// otel_init::shutdown_signal().await;
/// telemetry.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub async fn shutdown_signal() {
    let (sender, receiver) = oneshot::channel();
    let watched = thread::Builder::new().name("otel-init-signals".to_owned()).spawn(move || {
        if let Err(error) = watch(sender) {
            refused(&error);
        }
    });
    if let Err(error) = watched {
        refused(&error);
    }
    if receiver.await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn refused(error: &io::Error) {
    diagnostics::warn(&format!("cannot watch for the signal to stop: {error}"));
}

/// Waits until the process is asked to stop, or until nobody waits for it any more.
fn watch(mut sender: oneshot::Sender<()>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let is_asked = runtime.block_on(async {
        let mut stop = std::pin::pin!(stop_requested());
        std::future::poll_fn(|context| {
            if let std::task::Poll::Ready(result) = stop.as_mut().poll(context) {
                return std::task::Poll::Ready(result.map(|()| true));
            }
            sender.poll_closed(context).map(|()| Ok(false))
        })
        .await
    })?;
    if is_asked {
        // The receiver may be gone by now.
        let _ = sender.send(());
    }
    Ok(())
}

#[cfg(unix)]
async fn stop_requested() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    std::future::poll_fn(|context| {
        if terminate.poll_recv(context).is_ready() || interrupt.poll_recv(context).is_ready() {
            return std::task::Poll::Ready(Ok(()));
        }
        std::task::Poll::Pending
    })
    .await
}

#[cfg(windows)]
async fn stop_requested() -> io::Result<()> {
    use tokio::signal::windows::{ctrl_c, ctrl_close};
    let (mut interrupt, mut close) = (ctrl_c()?, ctrl_close()?);
    std::future::poll_fn(|context| {
        if interrupt.poll_recv(context).is_ready() || close.poll_recv(context).is_ready() {
            return std::task::Poll::Ready(Ok(()));
        }
        std::task::Poll::Pending
    })
    .await
}
