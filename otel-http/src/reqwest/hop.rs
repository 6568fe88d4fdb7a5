//! What reqwest says about redirects while it sends one request.
//!
//! reqwest finds out whether a response is a redirect that can be followed, where it leads to, and what its errors look
//! like. So the client inside keeps a redirect policy that never follows, and notes here what it was asked. reqwest asks
//! on the thread that polls the request, while it polls it.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use ::reqwest::redirect::{Action, Attempt, Policy};
use ::reqwest::{StatusCode, Url};

use super::redirect::{self, Decision};
use super::sends::SendRules;

/// One send.
pub(super) struct Hop {
    policy: redirect::Policy,
    https_only: bool,
    /// Where the call has been before this send.
    previous: Vec<Url>,
    noted: Mutex<Noted>,
}

#[derive(Clone, Default)]
enum Noted {
    #[default]
    Nothing,
    Follow(Redirect),
    Failed(StatusCode),
}

/// A redirect that is to be followed.
#[derive(Clone)]
pub(super) struct Redirect {
    pub(super) status: StatusCode,
    pub(super) url: Url,
}

thread_local! {
    static HOP: RefCell<Option<Arc<Hop>>> = const { RefCell::new(None) };
}

/// The policy of the client inside.
pub(super) fn reqwest_policy() -> Policy {
    Policy::custom(|attempt| match HOP.with_borrow(Option::clone) {
        Some(hop) => hop.decide(attempt),
        None => attempt.stop(),
    })
}

impl Hop {
    pub(super) fn new(rules: &SendRules, previous: Vec<Url>) -> Arc<Self> {
        let (policy, https_only) = (rules.redirect.clone(), rules.https_only);
        Arc::new(Self { policy, https_only, previous, noted: Mutex::default() })
    }

    /// Polls a request with its hop in reach of the policy.
    pub(super) fn watch<R>(hop: Option<&Arc<Self>>, poll: impl FnOnce() -> R) -> R {
        struct Restore(Option<Arc<Hop>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                HOP.set(self.0.take());
            }
        }
        let _restore = hop.map(|hop| Restore(HOP.replace(Some(Arc::clone(hop)))));
        poll()
    }

    /// The redirect to follow, once the response is there.
    pub(super) fn redirect(&self) -> Option<Redirect> {
        match self.noted() {
            Noted::Follow(redirect) => Some(redirect),
            Noted::Nothing | Noted::Failed(_) => None,
        }
    }

    /// The status of a redirect that has failed the call: reqwest's error does not have it.
    pub(super) fn failed_status(&self) -> Option<StatusCode> {
        match self.noted() {
            Noted::Failed(status) => Some(status),
            Noted::Nothing | Noted::Follow(_) => None,
        }
    }

    fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, noted: Noted) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
    }

    fn decide(&self, attempt: Attempt<'_>) -> Action {
        let (status, url) = (attempt.status(), attempt.url().clone());
        let previous = [&self.previous, attempt.previous()].concat();
        let ours = redirect::Attempt { status, next: &url, previous: &previous };
        match self.policy.decide(ours) {
            Decision::Stop => attempt.stop(),
            Decision::Follow if self.may_go_to(&url) => {
                self.note(Noted::Follow(Redirect { status, url }));
                attempt.stop()
            }
            // reqwest refuses it, with the error that its users know.
            Decision::Follow => {
                self.note(Noted::Failed(status));
                attempt.follow()
            }
            Decision::Fail(error) => {
                self.note(Noted::Failed(status));
                attempt.error(error)
            }
        }
    }

    fn may_go_to(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && !self.https_only)
    }
}
