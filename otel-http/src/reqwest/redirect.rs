//! Which redirects a [`ClientBuilder`](super::ClientBuilder)'s client follows; used like [`reqwest::redirect`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use ::reqwest::{StatusCode, Url};

/// Which redirects are followed; like [`reqwest::redirect::Policy`].
#[derive(Clone)]
pub struct Policy(Kind);

type Custom = Arc<dyn Fn(Attempt<'_>) -> Action + Send + Sync>;

#[derive(Clone)]
enum Kind {
    Limited(usize),
    None,
    Custom(Custom),
}

/// A redirect that a server asks for.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub(super) status: StatusCode,
    pub(super) next: &'a Url,
    pub(super) previous: &'a [Url],
}

/// What to do with a redirect; made by an [`Attempt`].
#[derive(Debug)]
pub struct Action(pub(super) Decision);

#[derive(Debug)]
pub(super) enum Decision {
    Follow,
    Stop,
    Fail(Box<dyn Error + Send + Sync>),
}

impl Policy {
    /// Follows at most `max` redirects, and fails at the next.
    #[must_use]
    pub fn limited(max: usize) -> Self {
        Self(Kind::Limited(max))
    }

    /// Follows none: the redirect is the response.
    #[must_use]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// Asks `decide` each time, which has to notice loops itself.
    pub fn custom(decide: impl Fn(Attempt<'_>) -> Action + Send + Sync + 'static) -> Self {
        Self(Kind::Custom(Arc::new(decide)))
    }

    pub(super) fn decide(&self, attempt: Attempt<'_>) -> Decision {
        let action = match &self.0 {
            Kind::Limited(max) if attempt.previous.len() > *max => attempt.error("too many redirects"),
            Kind::Limited(_) => attempt.follow(),
            Kind::None => attempt.stop(),
            Kind::Custom(decide) => decide(attempt),
        };
        action.0
    }
}

/// Ten redirects, as reqwest follows.
impl Default for Policy {
    fn default() -> Self {
        Self::limited(10)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Limited(max) => f.debug_tuple("Limited").field(max).finish(),
            Kind::None => f.write_str("None"),
            Kind::Custom(_) => f.write_str("Custom"),
        }
    }
}

impl Attempt<'_> {
    /// The status of the redirect.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Where it leads to.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.next
    }

    /// Where the call has been already, the request that was redirected last.
    #[must_use]
    pub fn previous(&self) -> &[Url] {
        self.previous
    }

    /// Goes there.
    #[must_use]
    pub fn follow(self) -> Action {
        Action(Decision::Follow)
    }

    /// Makes the redirect the response of the call.
    #[must_use]
    pub fn stop(self) -> Action {
        Action(Decision::Stop)
    }

    /// Fails the call.
    #[must_use]
    pub fn error(self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Action {
        Action(Decision::Fail(error.into()))
    }
}
