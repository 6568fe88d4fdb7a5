//! What is told of values that are not used, and of those that are hardly meant.

use super::super::{Config, Settings};
use super::{otlp, resolve, resolve_with};
use crate::{OtlpDestination, Signal};

#[test]
fn what_is_ignored_is_shown_without_secrets_and_with_what_holds_instead() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    for (variables, expected) in [
        (
            vec![(ENDPOINT, "http://user:hunter2@collector:?key=hunter2")],
            "OTEL_EXPORTER_OTLP_ENDPOINT is \"http://***@collector:?***\", expected a port from 1 to 65535; \
             http://localhost:4318 is used",
        ),
        (
            vec![(ENDPOINT, "http://general:4318"), ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "logs:1")],
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is \"logs:1\", expected a URL with http:// or https://; http://general:4318 \
             is used",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_HEADERS", "a=1,hunter2")],
            "OTEL_EXPORTER_OTLP_HEADERS cannot be read in its entry 2, expected key=value,key=value with values \
             percent-encoded; none are sent",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_HEADERS", "a=1"), ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "hunter2")],
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS cannot be read in its entry 1, expected key=value,key=value with values \
             percent-encoded; those of OTEL_EXPORTER_OTLP_HEADERS are sent",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "7000"), ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "7s")],
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT is \"7s\", expected a whole number of milliseconds, 0 for no limit; \"7000\" of \
             OTEL_EXPORTER_OTLP_TIMEOUT is used",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "7s")],
            "OTEL_EXPORTER_OTLP_TIMEOUT is \"7s\", expected a whole number of milliseconds, 0 for no limit; 10000 is used",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "http")],
            "OTEL_EXPORTER_OTLP_PROTOCOL is \"http\", expected grpc, http/protobuf or http/json; http/protobuf is used",
        ),
        (
            vec![("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1k")],
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT is \"1k\", expected a whole number from 0 to 4294967295; no limit is used",
        ),
        (
            vec![("OTEL_BSP_MAX_QUEUE_SIZE", "1k")],
            "OTEL_BSP_MAX_QUEUE_SIZE is \"1k\", expected a whole number from 1 to 1000000; 67108864 bytes, or 2048 entries in \
             a queue of the SDK, is used",
        ),
        (
            vec![("OTEL_INIT_DEBUG_KEY", "hunter2")],
            "OTEL_INIT_DEBUG_KEY has 7 bytes, expected 16 at least; no debug header is accepted",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key")],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY is set, expected OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE besides; connections have \
             no client certificate",
        ),
    ] {
        assert_eq!(resolve(&variables).warnings, [expected], "{variables:?}");
    }
}

#[test]
fn what_is_not_utf_8_is_told_with_what_holds_instead() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const BAD: &str = "a\u{fffd}b";
    let unknown = resolve(&[]).resource.get(&"service.name".into()).unwrap();
    let unknown = format!("the service is called {unknown}");
    for (variable, others, instead) in [
        ("OTEL_SERVICE_NAME", vec![], unknown.as_str()),
        (
            "OTEL_SERVICE_NAME",
            vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop")],
            "the service is called shop",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", vec![], "the resource has none of its attributes"),
        (ENDPOINT, vec![], "http://localhost:4318 is used"),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            vec![(ENDPOINT, "http://general:4318")],
            "http://general:4318 is used",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", vec![], "none are sent"),
        (
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            vec![("OTEL_EXPORTER_OTLP_HEADERS", "a=1")],
            "those of OTEL_EXPORTER_OTLP_HEADERS are sent",
        ),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", vec![], "the authorities of the system are trusted"),
        (
            "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
            vec![("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem")],
            "/ca.pem is used",
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            vec![],
            ", expected a whole number of milliseconds, 0 for no limit; 10000 is used",
        ),
        (
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
            vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "7000")],
            ", expected a whole number of milliseconds, 0 for no limit; \"7000\" of OTEL_EXPORTER_OTLP_TIMEOUT is used",
        ),
        ("OTEL_SDK_DISABLED", vec![], ", expected true or false; false is used"),
        ("OTEL_TRACES_EXPORTER", vec![], "otlp is used"),
        ("OTEL_PROPAGATORS", vec![], "tracecontext,baggage is used"),
        ("OTEL_CONFIG_FILE", vec![], "no file is read, the other variables hold"),
        ("OTEL_INIT_DEBUG_KEY", vec![], "no debug header is accepted"),
        ("OTEL_INIT_SAMPLER_FILE", vec![], "no file is watched"),
        ("OTEL_INIT_DISK_BUFFER_DIRECTORY", vec![], "nothing is kept on disk"),
        ("RUST_LOG", vec![], "the console shows info and above"),
    ] {
        let mut variables = others.clone();
        variables.push((variable, BAD));
        let separator = if instead.starts_with(',') { "" } else { "; " };
        let expected = format!("{variable} is not UTF-8{separator}{instead}");
        assert_eq!(resolve(&variables).warnings, [expected], "{variables:?}");
    }
}

/// "[..] the root path / MUST be used": the specification means it, and who leaves the path out does not.
#[test]
fn an_endpoint_of_one_signal_that_has_no_path_is_told() {
    let why = |shown: &str, signal: &str| {
        format!(
            "{shown:?}, which has no path: an endpoint of a single signal is used as it is, so {signal} go to {shown}/, and \
             collectors take them at {shown}/v1/{signal}; a / at its end says that this is meant"
        )
    };
    let url = "http://user:hunter2@collector:4318?key=hunter2";
    let config = resolve(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", url)]);
    let expected = format!("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is {}", why("http://collector:4318", "logs"));
    assert_eq!(config.warnings, [expected]);

    let path = std::env::temp_dir().join(format!("otel-init-no-path-{}.yaml", std::process::id()));
    let of_file = |exporter: &str, url: &str| {
        let text = format!(
            "file_format: '1.0'\ntracer_provider: {{processors: [{{batch: {{exporter: {{{exporter}: {{endpoint: '{url}'}}}}}}}}]}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let config_file = Some(path.display().to_string());
        let config = resolve_with(&Settings { config_file, ..Settings::default() }, &[]);
        std::fs::remove_file(&path).unwrap();
        config.warnings
    };
    let expected =
        format!("{}: the endpoint of traces is {}", path.display(), why("http://collector:4318", "traces"));
    assert_eq!(of_file("otlp_http", url), [expected]);

    for url in ["http://collector:4318/", "http://collector/otlp", "http://collector/v1/traces?a=b"] {
        assert_eq!(of_file("otlp_http", url), Vec::<String>::new(), "{url}");
        let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)];
        assert_eq!(resolve(&variables).warnings, Vec::<String>::new(), "{url}");
    }
    // gRPC has paths of its own.
    let without_path = |warnings: Vec<String>| warnings.iter().any(|told| told.contains("which has no path"));
    assert!(!without_path(of_file("otlp_grpc", url)));
    for variables in [
        [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
    ] {
        assert!(!without_path(resolve(&variables).warnings), "{variables:?}");
    }
}

#[test]
fn a_header_without_its_secret_is_a_warning() {
    for (value, is_told) in [
        ("authorization=Bearer%20", true),
        ("authorization=basic", true),
        ("x-key=${KEY}", true),
        ("authorization=Bearer hunter2", false),
        ("x-key=hunter2,x-none=", false),
    ] {
        let config = resolve(&[("OTEL_EXPORTER_OTLP_HEADERS", value)]);
        let told =
            config.warnings.iter().filter(|warning| warning.contains(", and in it no secret: ")).count();
        assert_eq!((told, config.warnings.len()), (usize::from(is_told), usize::from(is_told)), "{value}");
        assert!(!otlp(&config, Signal::Traces).unwrap().headers.is_empty());
    }
}

/// As an orchestrator does that puts the content of a secret into the variable.
#[test]
fn a_key_in_place_of_its_path_is_told_and_not_shown() {
    const NAMES: [&str; 4] = ["CLIENT_KEY", "TRACES_CLIENT_KEY", "CLIENT_CERTIFICATE", "LOGS_CERTIFICATE"];
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
    // As it stands in a manifest of Kubernetes.
    let encoded = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCmh1bnRlcjIKLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQ==";
    for (key, name) in [key, encoded].into_iter().flat_map(|key| NAMES.map(|name| (key, name))) {
        let name = format!("OTEL_EXPORTER_OTLP_{name}");
        let config = resolve(&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"), (&name, key)]);
        assert!(!format!("{config:?}").contains(key), "{config:?}");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        let told = format!("{name} is what may be a secret, expected the path of a file that holds it; ");
        assert!(config.warnings.len() == 1 && config.warnings[0].starts_with(&told), "{:?}", config.warnings);
        let authority = otlp(&config, Signal::Logs).unwrap().tls.authority.as_deref();
        assert_eq!(authority, Some(std::path::Path::new("/ca.pem")));
    }
}

/// Nothing is wrong with a sampler's file that is not there yet, so it would never be told.
#[test]
fn json_in_place_of_the_path_of_its_file_is_told() {
    let config = resolve(&[("OTEL_INIT_SAMPLER_FILE", r#"{"ratio": 0.1}"#)]);
    let told = r#"OTEL_INIT_SAMPLER_FILE is "{\"ratio\": 0.1}", expected the path of a file that holds it; no file is watched"#;
    assert_eq!((config.warnings, config.sampler.file), (vec![told.to_owned()], None));
    let whole = r#"{"file_format": "1.0", "headers_list": "api-key=hunter2"}"#;
    let lookup = |name: &str| (name == "OTEL_CONFIG_FILE").then(|| whole.to_owned());
    let error = Config::resolve(&Settings::default(), &lookup, &[]).unwrap_err().to_string();
    assert!(error.contains("expected the path of a file") && !error.contains("hunter2"), "{error}");
}

#[test]
fn an_endpoint_that_cannot_be_used_is_told_without_its_credentials() {
    for url in [
        "htp://user:hunter2@collector:4318",
        "https://user:hun ter2@collector",
        "https://user:hunter2/?@collector x",
        "https://collector:port/?key=hunter2",
        "https://collector:port/#hunter2",
    ] {
        let settings = Settings { endpoint: Some(url.to_owned()), ..Settings::default() };
        let added = Settings { destinations: vec![OtlpDestination::new(url)], ..Settings::default() };
        for settings in [settings, added] {
            let error = Config::resolve(&settings, &|_| None, &[]).unwrap_err().to_string();
            assert!(!error.contains("ter2"), "{error}");
            assert!(error.starts_with("the endpoint") && error.contains("not shown"), "{error}");
        }
    }
}
