//! One call that may be sent several times: redirects and retries, each with a span and headers of its own.

use std::fmt;
use std::time::{Duration, Instant};

use ::reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderValue,
    PROXY_AUTHORIZATION, REFERER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use ::reqwest::{Error, Method, Request, Response, StatusCode, Url};
use http::HeaderMap;
use http::header::Entry;
use opentelemetry::Context;

use super::hop::{Hop, Redirect};
use super::response::Sent;
use super::{Client, redirect, retry};
use crate::UrlTemplate;
use crate::client::RequestFacts;

/// What a client does between two sends.
pub(super) struct SendRules {
    pub(super) redirect: redirect::Policy,
    pub(super) retry: retry::Policy,
    /// Not left to reqwest, which would add them to a request that was redirected to another host.
    pub(super) default_headers: HeaderMap,
    pub(super) timeout: Option<Duration>,
    pub(super) referer: bool,
    pub(super) https_only: bool,
}

impl fmt::Debug for SendRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of headers may be secrets.
        let default_headers: Vec<_> = self.default_headers.keys().collect();
        f.debug_struct("SendRules")
            .field("redirect", &self.redirect)
            .field("retry", &self.retry)
            .field("default_headers", &default_headers)
            .field("timeout", &self.timeout)
            .field("referer", &self.referer)
            .field("https_only", &self.https_only)
            .finish()
    }
}

/// Sends the request until neither a redirect nor a retry is left.
pub(super) async fn execute(
    client: &Client,
    rules: &SendRules,
    parent: &Context,
    request: Request,
    template: Option<UrlTemplate>,
) -> Result<Response, Error> {
    let mut call = Call::new(rules, request, template);
    loop {
        let hop = Hop::new(rules, call.previous.clone());
        let request = call.next_send(rules);
        let facts = RequestFacts { template: call.template.as_ref(), resend_count: call.sent };
        let result = client.send(parent, request, &facts, Some(&hop)).await;
        call.sent += 1;
        let redirect = hop.redirect();
        let delay = match &redirect {
            Some(_) => Some(Duration::ZERO),
            None => call.retry(rules, result.as_ref().map(Sent::response)),
        };
        let Some(delay) = delay else { return result.map(Sent::into_response) };
        result.map_or_else(drop, Sent::discard);
        if let Some(redirect) = redirect {
            call.redirect(redirect);
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

/// A call between two sends.
struct Call {
    /// What is sent next, before any context was written into it.
    next: Request,
    /// Whether `next` still has its body, or never had one.
    has_body: bool,
    template: Option<UrlTemplate>,
    referer: Option<HeaderValue>,
    /// Of the redirects so far.
    previous: Vec<Url>,
    sent: u32,
    retries: u32,
    deadline: Option<Instant>,
}

impl Call {
    fn new(rules: &SendRules, mut request: Request, template: Option<UrlTemplate>) -> Self {
        let timeout = request.timeout().copied().or(rules.timeout);
        let headers = request.headers_mut();
        for (name, value) in &rules.default_headers {
            if let Entry::Vacant(entry) = headers.entry(name) {
                entry.insert(value.clone());
            }
        }
        Self {
            next: request,
            has_body: true,
            template,
            referer: None,
            previous: Vec::new(),
            sent: 0,
            retries: 0,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }

    /// The request to send now; a copy stays behind, without the body if that is a stream.
    fn next_send(&mut self, rules: &SendRules) -> Request {
        let copy = self.next.try_clone();
        self.has_body = copy.is_some();
        let copy = copy.unwrap_or_else(|| without_body(&self.next));
        let mut request = std::mem::replace(&mut self.next, copy);
        if let Some(deadline) = self.deadline {
            *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(referer) = self.referer.clone().filter(|_| rules.referer) {
            request.headers_mut().insert(REFERER, referer);
        }
        request
    }

    /// Turns the request into the one that the redirect asks for.
    fn redirect(&mut self, redirect: Redirect) {
        let mut from = std::mem::replace(self.next.url_mut(), redirect.url);
        from.set_fragment(None);
        self.referer = referer(&from, self.next.url());
        if drops_body(redirect.status, self.next.method()) {
            if *self.next.method() != Method::HEAD {
                *self.next.method_mut() = Method::GET;
            }
            *self.next.body_mut() = None;
            remove(
                self.next.headers_mut(),
                [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING],
            );
        }
        if is_other_host(&from, self.next.url()) {
            // What is removed stays away: reqwest would send it again with the redirect after this one.
            let headers = self.next.headers_mut();
            remove(headers, [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE, HOST]);
            headers.remove("cookie2");
        }
        if from != *self.next.url() {
            // The caller's template was for the first URL.
            self.template = None;
        }
        self.previous.push(from);
        self.retries = 0;
    }

    /// How long to wait before the request is sent again; `None` if the result stands.
    fn retry(&mut self, rules: &SendRules, result: Result<&Response, &Error>) -> Option<Duration> {
        // Asked again, the server would say the same.
        let is_refused_here = result.is_err_and(|error| error.is_redirect() || error.is_builder());
        if !self.has_body || is_refused_here {
            return None;
        }
        let (method, url) = (self.next.method(), self.next.url());
        let attempt = retry::Attempt { method, url, result };
        let delay = rules.retry.again(&attempt, self.retries)?;
        let time_left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if time_left.is_some_and(|left| left <= delay) {
            return None;
        }
        self.retries += 1;
        Some(delay)
    }
}

fn without_body(request: &Request) -> Request {
    let mut copy = Request::new(request.method().clone(), request.url().clone());
    *copy.headers_mut() = request.headers().clone();
    *copy.version_mut() = request.version();
    copy
}

/// 301 and 302 turn a POST into a GET, as browsers do; 303 anything but a HEAD. The others send the same once more.
fn drops_body(status: StatusCode, method: &Method) -> bool {
    match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
        status => status == StatusCode::SEE_OTHER,
    }
}

fn is_other_host(from: &Url, to: &Url) -> bool {
    from.host_str() != to.host_str()
        || from.port_or_known_default() != to.port_or_known_default()
        || from.scheme() != to.scheme()
}

/// No referer leads from an encrypted page to one that is not, and none holds credentials.
fn referer(from: &Url, to: &Url) -> Option<HeaderValue> {
    if from.scheme() == "https" && to.scheme() == "http" {
        return None;
    }
    let mut referer = from.clone();
    let (_, _) = (referer.set_username(""), referer.set_password(None));
    referer.as_str().parse().ok()
}

fn remove<const N: usize>(headers: &mut HeaderMap, names: [http::HeaderName; N]) {
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_referer_has_no_credentials_and_none_leads_out_of_encryption() {
        for (from, to, expected) in [
            ("https://user:secret@a.example/x?y=1", "https://b.example/", Some("https://a.example/x?y=1")),
            ("http://a.example/x", "http://b.example/", Some("http://a.example/x")),
            ("http://a.example/x", "https://a.example/", Some("http://a.example/x")),
            ("https://a.example/x", "http://a.example/", None),
        ] {
            let [from, to] = [from, to].map(|url| Url::parse(url).unwrap());
            let referer = referer(&from, &to);
            assert_eq!(referer.as_ref().map(|referer| referer.to_str().unwrap()), expected, "{from} {to}");
        }
    }
}
