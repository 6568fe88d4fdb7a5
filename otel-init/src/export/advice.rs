//! What to do about an export that fails, in a few words. The runbook has the long form, in the same order of thought.

/// Where nothing more is known: most often nothing listens there.
const START_ONE: &str = "start a collector there, or point OTEL_EXPORTER_OTLP_ENDPOINT (`endpoint` in a configuration file) \
                         to one";

const ENDS_CONNECTIONS: &str = "the collector, or a proxy before it, ends connections; if it ends them all, the port speaks \
                                TLS, most likely (write https in the endpoint), or another protocol";

/// Texts of causes, and what to do. The first line counts that has one: what a collector answered stands before the others,
/// because its own words follow and may hold anything.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &[
            "the collector answered 401",
            "the collector answered 403",
            "gRPC status Unauthenticated",
            "gRPC status PermissionDenied",
        ],
        "check OTEL_EXPORTER_OTLP_HEADERS (`headers` in a configuration file)",
    ),
    (
        &["the collector answered 404", "the collector answered 405"],
        "check the path: OTEL_EXPORTER_OTLP_ENDPOINT is a base, an endpoint of a single signal is used as it is",
    ),
    (&["the collector answered 413"], "raise the collector's limit for the size of a request"),
    (
        &[
            "the collector answered 429",
            "the collector answered 502",
            "the collector answered 503",
            "the collector answered 504",
            "gRPC status Unavailable",
            "gRPC status ResourceExhausted",
            "did not answer",
            "the collector asked for it",
        ],
        "the collector has too much to do, or what is behind it is away",
    ),
    // A GOAWAY of HTTP/2 without an error.
    (&["not a result of an error"], ENDS_CONNECTIONS),
    (
        &["gRPC status Unimplemented", "which is no gRPC", "http2 error"],
        "the port speaks HTTP/1, most likely: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or take the other port",
    ),
    (&["which is not followed"], "make the collector itself the endpoint"),
    (&["it is no collector", "the answer is no gRPC message"], "make the collector the endpoint"),
    (&["the collector answered", "gRPC status"], "see what it says"),
    (
        &["the answer is no HTTP/1"],
        "the port speaks gRPC, most likely: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or take the other port",
    ),
    (
        &["too much to be sent"],
        "record less in one span or log record, or set OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT (`attribute_limits` in a \
         configuration file)",
    ),
    (
        &["cannot read the", "in PEM form", "do not fit"],
        "correct the file or the setting that names it (OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY); it \
         is read again when it changes",
    ),
    (
        &["alert: CertificateRequired"],
        "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ),
    (
        &[
            "alert: UnknownCA",
            "alert: BadCertificate",
            "alert: UnsupportedCertificate",
            "alert: CertificateRevoked",
            "alert: CertificateExpired",
            "alert: CertificateUnknown",
            "alert: AccessDenied",
        ],
        "the collector does not take the client certificate: renew it, or name another one in \
         OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ),
    (
        &["received corrupt message"],
        "the port speaks no TLS, most likely: write http in the endpoint, or take the other port",
    ),
    (&["cannot write to standard output"], "look at what reads the standard output of this service"),
    (&["Too many open files"], "let this service open more (`ulimit -n`, `LimitNOFILE`)"),
    (
        &["CaUsedAsEndEntity"],
        "the collector shows the certificate of an authority itself: sign one for its host by it, and let the collector show \
         that",
    ),
    (
        &["not valid for name"],
        "let the endpoint have one of the names of the collector's certificate, or sign one for this name",
    ),
    (
        &["it expired on", "it is not valid before"],
        "renew the collector's certificate, or correct this host's clock",
    ),
    (
        &["invalid peer certificate"],
        "renew the collector's certificate, or name its authority in OTEL_EXPORTER_OTLP_CERTIFICATE",
    ),
    (
        &["the function that gives the headers"],
        "correct this function of the service's (`with_header_provider`), it is asked again",
    ),
    (&["a file of the disk buffer"], "let this service read there, and nobody else write"),
    (&["a mistake of otel-init"], "report it to those who maintain otel-init"),
    (&["dns error"], "correct the name of the host, or let this host's name server know it"),
    (
        &[
            "connection closed",
            "channel closed",
            "Connection reset",
            "connection reset",
            "broken pipe",
            "Broken pipe",
            "the answer was cut off",
        ],
        ENDS_CONNECTIONS,
    ),
];

/// What to do about this cause.
pub(super) fn advice(cause: &str) -> &'static str {
    let known = ADVICE.iter().find(|(texts, _)| texts.iter().any(|text| cause.contains(text)));
    known.map_or(START_ONE, |(_, advice)| advice)
}

/// What to do about an exporter of the user's, whatever it failed of: this crate knows nothing of it.
pub(super) fn of_own(_cause: &str) -> &'static str {
    "this exporter is the service's own, see what it needs"
}

/// What to do about a disk buffer that takes nothing any more.
pub(super) fn of_running_disk(cause: &str) -> &'static str {
    if cause.contains("No such file") {
        "whoever deleted the folder should not, it is made again when the service starts again"
    } else {
        of_disk(cause)
    }
}

/// What to do about a disk buffer that takes nothing.
pub(super) fn of_disk(cause: &str) -> &'static str {
    let has = |text| cause.contains(text);
    if has("No space left") || has("quota") {
        "make room there"
    } else if has("No locks") || has("not supported") || has("not implemented") {
        "give it a file system that has locks"
    } else if has("the buffer") {
        "give it more room (`with_max_size`, OTEL_INIT_DISK_BUFFER_MAX_SIZE)"
    } else if has("Too many open files") {
        "let this service open more (`ulimit -n`, `LimitNOFILE`)"
    } else {
        "let this service write there"
    }
}

#[cfg(test)]
mod tests {
    use super::{advice, of_disk, of_running_disk};

    #[test]
    fn the_advice_about_a_disk_is_about_its_cause() {
        for (cause, begins) in [
            ("No space left on device (os error 28)", "make room"),
            ("Too many open files (os error 24)", "let this service open"),
            ("Permission denied (os error 13)", "let this service write"),
            ("No locks available (os error 37)", "give it a file system"),
            ("Function not implemented (os error 38)", "give it a file system"),
            ("Operation not supported (os error 95)", "give it a file system"),
        ] {
            assert!(of_disk(cause).starts_with(begins), "{cause}: {}", of_disk(cause));
            assert_eq!(of_running_disk(cause), of_disk(cause));
        }
        let gone = std::io::Error::from_raw_os_error(2).to_string();
        assert!(of_running_disk(&gone).starts_with("whoever deleted"));
        assert!(of_disk(&gone).starts_with("let this service write"), "nobody deleted what was never there");
    }

    #[test]
    fn the_advice_is_about_the_cause() {
        for (cause, begins) in [
            ("tcp connect error: Connection refused (os error 111)", "start a collector"),
            (
                "the collector answered 401 Unauthorized: Connection refused",
                "check OTEL_EXPORTER_OTLP_HEADERS",
            ),
            ("gRPC status Unauthenticated: no token", "check OTEL_EXPORTER_OTLP_HEADERS"),
            ("the collector answered 404 Not Found", "check the path"),
            ("the collector answered 413 Payload Too Large", "raise the collector's limit"),
            ("one item has 5000000 bytes, too much to be sent", "record less in one span or log record"),
            ("the collector did not answer in time", "the collector has too much to do"),
            (
                "export is paused for a minute at most, last: gRPC status Unavailable",
                "the collector has too much",
            ),
            (
                "the collector answered 307 Temporary Redirect, a redirect to \"https://a.example\", which is not followed",
                "make the collector itself",
            ),
            (
                "the answer is no OTLP: there is a server, but it is no collector",
                "make the collector the endpoint",
            ),
            ("the answer is no gRPC message", "make the collector the endpoint"),
            ("the function that gives the headers panicked", "correct this function"),
            ("a file of the disk buffer cannot be read now", "let this service read there"),
            ("sending panicked, which is a mistake of otel-init", "report it"),
            ("gRPC status Unimplemented", "the port speaks HTTP/1"),
            (
                "http2 error: connection error received: not a result of an error",
                "the collector, or a proxy before it, ends connections",
            ),
            ("the collector answered 400 Bad Request: http2", "see what it says"),
            ("the answer is no HTTP/1", "the port speaks gRPC"),
            ("cannot read the CA certificates in /nowhere: No such file", "correct the file"),
            ("received corrupt message of type InvalidContentType", "the port speaks no TLS"),
            ("tcp open error: Too many open files (os error 24)", "let this service open more"),
            ("invalid peer certificate: UnknownIssuer", "renew the collector's certificate, or name its"),
            ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "the collector shows"),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for ..",
                "let the endpoint have one of the names",
            ),
            (
                "invalid peer certificate: it expired on Thu, 01 Jan 1970 00:00:01 GMT",
                "renew the collector's certificate, or correct",
            ),
            (
                "dns error: failed to lookup address information: Name or service not known",
                "correct the name",
            ),
            ("connection closed before message completed", "the collector, or a proxy before it, ends"),
            ("connection error: stream closed because of a broken pipe", "the collector, or a proxy"),
            ("connection error: Connection reset by peer (os error 104)", "the collector, or a proxy"),
            ("received fatal alert: CertificateRequired", "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
            ("received fatal alert: UnknownCA", "the collector does not take the client certificate"),
        ] {
            assert!(advice(cause).starts_with(begins), "{cause}: {}", advice(cause));
        }
    }
}
