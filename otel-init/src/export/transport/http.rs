//! OTLP over HTTP/1.1.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use super::client::Client;
use super::compression::Coding;
use super::secrets::Secrets;
use super::{Answer, Retry, SendError, causes};
use crate::Protocol;
use crate::config::{HeaderProvider, OtlpConfig};

/// No collector has a reason to say more.
pub(super) const LONGEST_ANSWER: usize = 4 << 20;

/// "OTLP exporters SHOULD emit a User-Agent header to at a minimum identify the exporter, the language of its
/// implementation, and the version of the exporter."
pub(super) const EXPORTER: &str =
    concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"), " (otel-init)");

/// One URL, and what goes with every request to it.
#[derive(Debug)]
pub(in crate::export) struct HttpTransport {
    pub(in crate::export) client: Client,
    url: Uri,
    headers: HeaderMap,
    pub(in crate::export) provider: Option<HeaderProvider>,
    coding: Coding,
}

impl HttpTransport {
    pub(in crate::export) fn new(config: &OtlpConfig, client: Client) -> Result<Self, http::uri::InvalidUri> {
        let mut headers = HeaderMap::with_capacity(config.headers.len() + 3);
        let media_type = if config.protocol == Protocol::HttpJson { "json" } else { "x-protobuf" };
        if let Ok(value) = HeaderValue::from_str(&format!("application/{media_type}")) {
            headers.insert(CONTENT_TYPE, value);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(EXPORTER));
        if let Some(compression) = config.compression {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(compression.as_str()));
        }
        headers.extend(config.headers.clone());
        if let Some(authorization) = config.endpoint.authorization() {
            headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        Ok(Self {
            client,
            url: config.endpoint.target().parse()?,
            headers,
            provider: config.header_provider.clone(),
            coding: Coding::new(config.compression),
        })
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Answer, SendError> {
        let body = self
            .coding
            .apply(body)
            .map_err(|error| SendError::final_(format!("cannot compress the request: {error}")))?;
        let mut request = Request::new(tonic::body::Body::new(Full::new(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers_of_now(&self.headers, self.provider.as_ref())?;
        let secrets = Secrets::of(request.headers(), self.url.query());
        let answer = self.client.current().map_err(SendError::transient)?.request(request).await;
        let (head, body) =
            answer.map_err(|error| SendError::transient(self.client.explained(causes(&error))))?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        if !head.status.is_success() {
            let explanation = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(refusal(head.status, &head.headers, &explanation, &secrets));
        }
        let body = body.map_err(|error| cut_off(&*error, |cause| cause))?;
        let media_type =
            head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = media_type.starts_with("application/json");
        Ok(Answer { body: body.to_bytes(), is_json, secrets })
    }
}

/// The configured headers, and over them those that the user's function gives at this moment.
pub(super) fn headers_of_now(
    configured: &HeaderMap,
    provider: Option<&HeaderProvider>,
) -> Result<HeaderMap, SendError> {
    let mut headers = configured.clone();
    if let Some(provider) = provider {
        // Tried again, because the next token may be fine.
        headers.extend(provider.headers().map_err(SendError::transient)?);
    }
    Ok(headers)
}

/// Why the body of an answer could not be read.
pub(super) fn cut_off(
    error: &(dyn std::error::Error + 'static),
    explained: impl FnOnce(String) -> String,
) -> SendError {
    if error.is::<LengthLimitError>() {
        // Sent again, it would be as long again.
        return SendError::final_(
            "the answer is no OTLP, it has no end: there is a server, but it is no collector",
        );
    }
    // The collector has the request; whether it took all of it stays unknown, so sending again is right.
    SendError::transient(explained(format!("the answer was cut off: {error}")))
}

fn refusal(status: StatusCode, headers: &HeaderMap, explanation: &[u8], secrets: &Secrets) -> SendError {
    let mut cause = format!("the collector answered {status}");
    if let Some(host) = redirected_to(status, headers) {
        cause = format!("{cause}, a redirect to {host:?}, which is not followed");
    } else if let Some(message) = message_of(explanation, headers, secrets) {
        cause = format!("{cause}: {message}");
    }
    // "The client SHOULD retry": these four, no other.
    let retry = match status.as_u16() {
        429 | 502 | 503 | 504 => retry_after(headers, SystemTime::now()).map_or(Retry::BackOff, Retry::After),
        _ => Retry::Never,
    };
    SendError { cause, retry }
}

/// The host that a redirect names: often a login page, or the same one by https.
fn redirected_to(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let location: Uri =
        headers.get(LOCATION).filter(|_| status.is_redirection())?.to_str().ok()?.parse().ok()?;
    let (scheme, host) = (location.scheme_str()?, location.host()?);
    Some(format!("{scheme}://{host}").chars().take(200).collect())
}

/// "The response body for all HTTP 4xx and HTTP 5xx responses MUST be a Protobuf-encoded Status message". What stands before
/// a collector, and its own check of tokens, answer with a line of text, some of them without its type.
fn message_of(explanation: &[u8], headers: &HeaderMap, secrets: &Secrets) -> Option<String> {
    #[derive(prost::Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    let media_type = headers.get(CONTENT_TYPE).map_or(Some("text/plain"), |value| value.to_str().ok())?;
    let message = if media_type.starts_with("application/x-protobuf") {
        <Status as prost::Message>::decode(explanation).ok()?.message
    } else if media_type.starts_with("application/json") {
        serde_json::from_slice::<serde_json::Value>(explanation).ok()?["message"].as_str()?.to_owned()
    } else if media_type.starts_with("text/plain") {
        String::from_utf8_lossy(explanation).trim().lines().next().unwrap_or_default().to_owned()
    } else {
        return None;
    };
    let line = secrets.line_of(message);
    (!line.is_empty()).then_some(line)
}

/// Seconds or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{Retry, Secrets, refusal, retry_after};

    fn nothing() -> Secrets {
        Secrets::of(&HeaderMap::new(), None)
    }

    #[test]
    fn four_statuses_are_retried_and_no_other() {
        for status in 100..600 {
            let Ok(code) = StatusCode::from_u16(status) else { continue };
            let retry = refusal(code, &HeaderMap::new(), b"", &nothing()).retry;
            let expected = if [429, 502, 503, 504].contains(&status) { Retry::BackOff } else { Retry::Never };
            assert_eq!(retry, expected, "{status}");
        }
    }

    #[test]
    fn a_redirect_names_its_host_and_no_more() {
        for (location, expected) in [
            (
                "https://u:secret@login.example:8443/?token=secret",
                "302 Found, a redirect to \"https://login.example\", which is not followed",
            ),
            ("/login", "302 Found"),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            let cause = refusal(StatusCode::FOUND, &headers, b"", &nothing()).cause;
            assert_eq!(cause, format!("the collector answered {expected}"));
        }
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("https://a.example/"))]);
        assert_eq!(
            refusal(StatusCode::NOT_FOUND, &headers, b"", &nothing()).cause,
            "the collector answered 404 Not Found"
        );
    }

    #[test]
    fn a_text_is_told_and_a_page_is_not() {
        let mut sent = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer c0ffee1234"))]);
        sent.values_mut().for_each(|value| value.set_sensitive(true));
        let secrets = Secrets::of(&sent, None);
        let told = |media_type: Option<&'static str>, body: &[u8]| {
            let media_type =
                media_type.map(|media_type| (CONTENT_TYPE, HeaderValue::from_static(media_type)));
            refusal(StatusCode::BAD_REQUEST, &HeaderMap::from_iter(media_type), body, &secrets).cause
        };
        let bare = "the collector answered 400 Bad Request";
        let text = b"Client sent an HTTP request to an HTTPS server.\nmore";
        let with_text = format!("{bare}: Client sent an HTTP request to an HTTPS server.");
        assert_eq!(told(None, text), with_text);
        assert_eq!(told(Some("text/plain; charset=utf-8"), text), with_text);
        assert_eq!(told(Some("text/html"), b"<html>"), bare);
        assert_eq!(told(None, b" \n"), bare);
        let repeated = b"Bearer: no such token: c0ffee1234";
        assert_eq!(told(None, repeated), format!("{bare}: Bearer: no such token: REDACTED"));
        assert_eq!(told(None, b"\xff\x1b[31m"), format!("{bare}: \u{fffd}[31m"));
        assert_eq!(told(None, &[b'a'; 1000]).len(), bare.len() + 2 + 200);
    }

    #[test]
    fn a_delay_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
