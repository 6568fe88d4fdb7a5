//! `https`: the certificates of the system are trusted, others are not; own authorities and client certificates are used,
//! and read again when their file changes; over both protocols.

use std::path::PathBuf;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_testing::{CertificateFiles, OtlpReceiver, TestCertificates};

use crate::child::{self, Finished};
use crate::patient;

const PROTOCOLS: [&str; 2] = ["http/protobuf", "grpc"];

/// Exports one span; prints why it failed, if it did.
fn export_a_span() {
    let telemetry = patient().install().unwrap();
    global::tracer("tls").start("probe").end();
    if let Err(error) = telemetry.flush_blocking() {
        tracing::info!("the cause: {}", error.failures()[0].cause());
    }
    drop(telemetry);
}

/// Certificates of one test and the folder with their files, which is removed in the end.
struct Files {
    certificates: TestCertificates,
    files: CertificateFiles,
    folder: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("otel-init-{}-{name}", std::process::id()));
        let certificates = TestCertificates::generate().unwrap();
        let files = certificates.write_to(&folder).unwrap();
        Self { certificates, files, folder }
    }

    fn authority(&self) -> &str {
        self.files.authority.to_str().unwrap()
    }

    fn receiver(&self) -> OtlpReceiver {
        OtlpReceiver::builder().with_tls(&self.certificates).start().unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs the test in a process that sends traces to this receiver. Returns why that failed; nothing when it worked.
fn run(test: &str, protocol: &str, receiver: &OtlpReceiver, variables: &[(&str, &str)]) -> Option<String> {
    let finished = run_all(test, protocol, receiver, variables);
    finished.lines("the cause: ").first().map(|line| (*line).to_owned())
}

/// As [`run`], with all that the process has said.
fn run_all(test: &str, protocol: &str, receiver: &OtlpReceiver, variables: &[(&str, &str)]) -> Finished {
    let grpc = protocol == "grpc";
    let endpoint = if grpc { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
    let mut all = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    all.extend(variables);
    child::run(test, &all)
}

#[test]
fn certificates_of_the_system_are_trusted_and_no_others() {
    if child::is_child() {
        return export_a_span();
    }
    let test = "tls::certificates_of_the_system_are_trusted_and_no_others";
    let (known, unknown) = (Files::new("known"), Files::new("unknown"));
    for protocol in PROTOCOLS {
        let receiver = known.receiver();
        assert_eq!(
            run(test, protocol, &receiver, &[("SSL_CERT_FILE", known.authority())]),
            None,
            "{protocol}"
        );
        assert_eq!(receiver.spans()[0].name, "probe");

        let receiver = unknown.receiver();
        let cause = run(test, protocol, &receiver, &[("SSL_CERT_FILE", known.authority())]).unwrap();
        assert!(cause.contains("UnknownIssuer"), "{protocol}: {cause}");
        assert_eq!(receiver.request_count(), 0, "nothing may be sent to a server that is not trusted");
    }
}

#[test]
fn own_authority_and_client_certificate_are_used_and_wanted() {
    if child::is_child() {
        return export_a_span();
    }
    let test = "tls::own_authority_and_client_certificate_are_used_and_wanted";
    let (own, other) = (Files::new("own"), Files::new("other"));
    let ca = ("OTEL_EXPORTER_OTLP_CERTIFICATE", own.authority());
    let client = [
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", own.files.client_certificate.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", own.files.client_key.to_str().unwrap()),
    ];
    for protocol in PROTOCOLS {
        let receiver = OtlpReceiver::builder().with_mutual_tls(&own.certificates).start().unwrap();
        assert_eq!(run(test, protocol, &receiver, &[ca, client[0], client[1]]), None, "{protocol}");
        assert_eq!(receiver.spans()[0].name, "probe");
        receiver.clear();

        let cause = run(test, protocol, &receiver, &[ca]).unwrap();
        let is_told = cause.contains("CertificateRequired") || cause.contains("wants a client certificate");
        assert!(is_told, "{protocol}: {cause}");

        let wrong = ("OTEL_EXPORTER_OTLP_CERTIFICATE", other.authority());
        let cause = run(test, protocol, &receiver, &[wrong, client[0], client[1]]).unwrap();
        assert!(cause.contains("UnknownIssuer"), "{protocol}: {cause}");

        let missing = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem");
        let cause = run(test, protocol, &receiver, &[missing]).unwrap();
        assert!(cause.contains("cannot read the certificate authority from /nowhere/ca.pem"), "{cause}");
        assert_eq!(receiver.request_count(), 0, "nothing may be sent without the right certificates");
    }
}

#[test]
fn an_authority_changes_nothing_where_there_is_no_tls() {
    if child::is_child() {
        return export_a_span();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.http_endpoint()),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem".to_owned()),
        ("OTEL_METRICS_EXPORTER", "none".to_owned()),
        ("OTEL_LOGS_EXPORTER", "none".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let finished = child::run("tls::an_authority_changes_nothing_where_there_is_no_tls", &variables);
    assert_eq!(receiver.spans().len(), 1, "{}", finished.console);
}

/// An export may be a minute away, and what is wrong is known before.
#[test]
fn certificates_that_cannot_be_read_are_told_at_the_start() {
    const TOLD: &str = "EXPECTED_WARNINGS";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        let warnings = telemetry.config().warnings();
        assert_eq!(warnings.len().to_string(), std::env::var(TOLD).unwrap(), "{warnings:?}");
        return;
    }
    let test = "tls::certificates_that_cannot_be_read_are_told_at_the_start";
    let files = Files::new("start");
    let (certificate, of_other_key) = (&files.files.client_certificate, &files.files.authority);
    let missing = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem");
    let fine = ("OTEL_EXPORTER_OTLP_CERTIFICATE", files.authority());
    for protocol in PROTOCOLS {
        for (scheme, variables, told) in [
            ("http", vec![missing], None),
            ("https", vec![fine], None),
            ("https", vec![missing], Some("cannot read the certificate authority from /nowhere/ca.pem")),
            (
                "https",
                vec![
                    fine,
                    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.to_str().unwrap()),
                    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", of_other_key.to_str().unwrap()),
                ],
                Some("cannot read the client key from "),
            ),
        ] {
            let endpoint = format!("{scheme}://127.0.0.1:1");
            let count = usize::from(told.is_some()).to_string();
            let mut all = vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                (TOLD, &count),
            ];
            all.extend(variables);
            let finished = child::run(test, &all);
            let lines = finished.lines("nothing is exported to 127.0.0.1:1: ");
            assert_eq!(lines.len(), usize::from(told.is_some()), "{}", finished.console);
            assert!(lines.iter().zip(told).all(|(line, told)| line.contains(told)), "{lines:?}");
        }
    }
}

/// The first export fails for what was told a moment before.
#[test]
fn what_was_told_at_the_start_is_not_told_again_by_the_first_export() {
    if child::is_child() {
        return export_a_span();
    }
    let test = "tls::what_was_told_at_the_start_is_not_told_again_by_the_first_export";
    for protocol in PROTOCOLS {
        let finished = child::run(
            test,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
            ],
        );
        assert_eq!(finished.lines("the cause: cannot read the ").len(), 1, "{}", finished.console);
        assert_eq!(finished.lines("nothing is exported to ").len(), 1, "{}", finished.console);
        assert_eq!(finished.lines("cannot export ").len(), 0, "{}", finished.console);
    }
}

#[test]
fn certificates_are_read_again_when_their_file_changes() {
    const FILE: &str = "TEST_CA_FILE";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        global::tracer("tls").start("too early").end();
        let error = telemetry.flush_blocking().unwrap_err();
        assert!(error.failures()[0].cause().contains("UnknownIssuer"), "{error}");
        let file = std::env::var(FILE).unwrap();
        std::fs::copy(format!("{file}.next"), &file).unwrap();
        global::tracer("tls").start("probe").end();
        telemetry.flush_blocking().unwrap();
        return;
    }
    let test = "tls::certificates_are_read_again_when_their_file_changes";
    let (own, other) = (Files::new("again"), Files::new("before"));
    for protocol in PROTOCOLS {
        let receiver = own.receiver();
        let file = own.folder.join("changing.pem");
        std::fs::write(&file, other.certificates.authority_pem()).unwrap();
        std::fs::write(own.folder.join("changing.pem.next"), own.certificates.authority_pem()).unwrap();
        let file = file.to_str().unwrap();
        let variables = [("OTEL_EXPORTER_OTLP_CERTIFICATE", file), (FILE, file)];
        assert_eq!(run(test, protocol, &receiver, &variables), None);
        assert!(receiver.spans().iter().any(|span| span.name == "probe"), "{protocol}");
    }
}

#[test]
fn client_certificates_are_read_again_and_half_written_files_change_nothing() {
    const NEXT: &str = "TEST_NEXT_FILES";
    let test = "tls::client_certificates_are_read_again_and_half_written_files_change_nothing";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        let export = |name: &'static str| {
            global::tracer("tls").start(name).end();
            telemetry.flush_blocking()
        };
        export("too early").unwrap_err();
        let replace = |variable: &str, name: &str| {
            let next = PathBuf::from(std::env::var(NEXT).unwrap()).join(name);
            std::fs::copy(next, std::env::var(variable).unwrap()).unwrap();
        };
        // The certificate is still the one before, so these two do not fit.
        replace("OTEL_EXPORTER_OTLP_CLIENT_KEY", "client.key");
        export("halfway").unwrap_err();
        replace("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "client.pem");
        export("probe").unwrap();
        std::fs::write(std::env::var("OTEL_EXPORTER_OTLP_CERTIFICATE").unwrap(), "-----BEGIN CERT").unwrap();
        export("after").unwrap();
        return;
    }
    for protocol in PROTOCOLS {
        let (own, other) = (Files::new("client-own"), Files::new("client-other"));
        let receiver = OtlpReceiver::builder().with_mutual_tls(&own.certificates).start().unwrap();
        let authority = other.folder.join("changing.pem");
        std::fs::copy(own.authority(), &authority).unwrap();
        let variables = [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.to_str().unwrap()),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", other.files.client_certificate.to_str().unwrap()),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", other.files.client_key.to_str().unwrap()),
            (NEXT, own.folder.to_str().unwrap()),
        ];
        let finished = run_all(test, protocol, &receiver, &variables);
        let told = finished.lines("the certificates read before stay in use");
        // The key that does not fit yet and the authority that was cut, and what was read while it was being written.
        assert!(told.len() >= 2, "{}", finished.console);
        assert!(told.iter().all(|line| line.contains("correct the file")), "{told:?}");
        let refused = finished.lines("received fatal alert");
        assert!(
            refused.iter().all(|line| line.contains("the collector does not take the client certificate"))
        );
        let names: Vec<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
        // What could not be sent at first was kept.
        assert_eq!(names, ["too early", "halfway", "probe", "after"], "{protocol}");
    }
}
