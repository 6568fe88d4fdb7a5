//! When a [`ClientBuilder`](super::ClientBuilder)'s client sends a request again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::{Error, Method, Response, StatusCode, Url};
use http::HeaderMap;

/// When a request is sent again. A body that is a stream is never sent again, nor is a request that cannot be sent, or whose redirect
/// must not be followed.
///
/// ```
/// use std::time::Duration;
/// use otel_http::reqwest::{Client, retry};
///
/// let policy = retry::Policy::when(|attempt| {
///     attempt.method().is_idempotent() && attempt.status().is_none_or(|status| status == 503)
/// });
/// let policy = policy.max_retries(3).delay(|resend| Duration::from_millis(100) * resend);
/// let client = Client::builder().retry(policy).build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Policy {
    when: Option<Again>,
    max_retries: u32,
    delay: Option<Delay>,
}

type Again = Arc<dyn Fn(&Attempt<'_>) -> bool + Send + Sync>;
type Delay = Arc<dyn Fn(u32) -> Duration + Send + Sync>;

/// What came of a request that was sent.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) result: Result<&'a Response, &'a Error>,
}

impl Policy {
    /// Sends nothing again.
    pub fn never() -> Self {
        Self { when: None, max_retries: 0, delay: None }
    }

    /// Sends again when `again` says so, at most twice unless [`max_retries`](Self::max_retries) says otherwise.
    pub fn when(again: impl Fn(&Attempt<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { when: Some(Arc::new(again)), max_retries: 2, delay: None }
    }

    /// At most so many times, besides the first.
    pub fn max_retries(mut self, max: u32) -> Self {
        self.max_retries = max;
        self
    }

    /// Waits before the first, second, ... time it sends again. Default: no wait. When the call's timeout would pass
    /// while waiting, the last result is the call's.
    pub fn delay(mut self, delay: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        self.delay = Some(Arc::new(delay));
        self
    }

    /// How long to wait before the request is sent again; `None` if it is not.
    pub(super) fn again(&self, attempt: &Attempt<'_>, retries: u32) -> Option<Duration> {
        let when = self.when.as_ref().filter(|_| retries < self.max_retries)?;
        when(attempt).then(|| self.delay.as_ref().map_or(Duration::ZERO, |delay| delay(retries + 1)))
    }
}

/// What HTTP/2 servers say they have not processed is sent again, at most twice, as reqwest does.
impl Default for Policy {
    fn default() -> Self {
        Self::when(|attempt| attempt.error().is_some_and(is_refused))
    }
}

/// Whether an HTTP/2 server has said that it has not looked at the request: a stream that it refused, a connection that it
/// closed in order. The texts are those of the h2 crate, whose types reqwest does not hand out; where they change, the
/// caller gets the error.
fn is_refused(error: &Error) -> bool {
    const REFUSED: &str = "stream error received: refused stream before processing any application logic";
    const CLOSED: &str = "connection error received: not a result of an error";
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source()).take(16).skip(1).any(|cause| {
        let text = cause.to_string();
        text.starts_with(REFUSED) || text.starts_with(CLOSED)
    })
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("max_retries", &self.max_retries).finish_non_exhaustive()
    }
}

impl Attempt<'_> {
    /// The request's method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.method
    }

    /// The request's URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.url
    }

    /// The response's status; `None` if there was no response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.result.ok().map(Response::status)
    }

    /// The response's headers, for example `retry-after`; `None` if there was no response.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.result.ok().map(Response::headers)
    }

    /// Why there was no response.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.result.err()
    }
}
