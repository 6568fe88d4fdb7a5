//! When to stop: on Ctrl-C, on SIGTERM, or when the parent process is gone.

use std::io::Read;

use tokio::sync::watch;

/// Tells all parts of a service that it is time to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Starts to listen. With `watch_stdin`, the end of standard input counts too: a parent holds the other end of
    /// that pipe, and the system closes it however the parent dies.
    pub(crate) fn listen(watch_stdin: bool) -> Self {
        let (stop, stopped) = watch::channel(false);
        let by_signal = stop.clone();
        tokio::spawn(async move {
            otel_init::shutdown_signal().await;
            by_signal.send_replace(true);
        });
        if watch_stdin {
            // A thread of our own: tokio's would hold the runtime open until somebody types something.
            std::thread::spawn(move || {
                let mut ignored = [0; 64];
                while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
                stop.send_replace(true);
            });
        }
        Self(stopped)
    }

    /// Waits until it is time.
    pub(crate) async fn requested(mut self) {
        // An error means that the sender is gone, so nobody could ask any more: stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Is it time?
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}
