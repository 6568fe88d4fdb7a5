//! The names of variables: known, misspelt, of older texts, listed.

use std::collections::BTreeSet;

use super::super::known::KNOWN;
use super::super::unsupported::UNSUPPORTED;
use super::super::{Config, Settings};
use super::{resolve, resolve_with};

#[test]
fn every_variable_without_effect_is_named_once() {
    for (name, instead) in UNSUPPORTED {
        let separator = if instead.is_empty() { "" } else { "; " };
        let expected = format!("{name} is set but not supported, it has no effect{separator}{instead}");
        assert_eq!(resolve(&[(name, "1"), ("OTEL_LOG_LEVEL", "")]).warnings, [expected]);
    }
}

#[test]
fn every_variable_bears_nonsense() {
    // Whose values are texts, names of files or nothing that can be wrong by itself.
    let texts = [
        "OTEL_SERVICE_NAME",
        "OTEL_INIT_SAMPLER_FILE",
        "OTEL_INIT_DISK_BUFFER_DIRECTORY",
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
    ];
    for name in KNOWN.iter().filter(|name| !name.ends_with("CONFIG_FILE")) {
        let config = resolve(&[(name, "?!")]);
        let is_text = texts.contains(name) || name.ends_with("_CERTIFICATE") && !name.contains("CLIENT");
        assert_eq!(config.warnings.len(), usize::from(!is_text), "{name}: {:?}", config.warnings);
        if let Some(warning) = config.warnings.first() {
            assert!(warning.starts_with(*name) || name.contains("CLIENT"), "{name}: {warning}");
            assert!(has_the_form_of_all(warning), "{warning}");
        }
        let shown = config.effective().to_string();
        let is_used = is_text || *name == "OTEL_SDK_DISABLED" || name.ends_with("INSECURE");
        assert!(is_used || !shown.contains(&format!("  # {name}\n")), "{name}\n{shown}");
    }
}

/// Which variable, what it is, what is expected, what holds.
fn has_the_form_of_all(warning: &str) -> bool {
    let is_in_order = |words: [&str; 2]| {
        let places = words.map(|words| warning.find(words));
        places[0].is_some() && places[0] < places[1]
    };
    is_in_order([", expected ", "; "]) || warning.contains("is set but has no effect: ")
}

/// Whatever stands in a variable, it is one message of one form for each entry, nothing in it is a secret, and it is short.
#[test]
fn no_value_of_any_variable_panics_or_is_shown_where_it_may_be_secret() {
    const SECRET: &str = "hunter2";
    let more = [
        "RUST_LOG",
        "OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS",
        "OTEL_INSTRUMENTATION_HTTP_ENABLED",
        "OTEL_INSTRUMENTATION_HTTP_EXCLUDED_PATHS",
    ];
    // They are what they are: what is in them is used.
    let is_text = |name: &str| {
        ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "RUST_LOG"].contains(&name)
            || ["_FILE", "_DIRECTORY", "_CERTIFICATE", "_CLIENT_KEY"].iter().any(|end| name.ends_with(end))
    };
    let long = "x y".repeat(10_000);
    for name in KNOWN.iter().chain(&more).filter(|name| !name.ends_with("CONFIG_FILE")) {
        let value_of = |value: &str| resolve(&[(name, value)]);
        for empty in ["", "  ", "\t\n"] {
            assert_eq!(value_of(empty).warnings, Vec::<String>::new(), "{name}={empty:?}");
            assert!(
                !value_of(empty).effective().to_string().contains(&format!("# {name}")),
                "{name}={empty:?}"
            );
        }
        for value in [
            "wrong",
            " WRONG\t",
            "-1",
            "0",
            "1.5",
            "1e999",
            "99999999999999999999999",
            "=,;=",
            "a\nb\u{1b}[31m",
            "Bearer hunter2hunter2hunter2",
            "http://user:hunter2hunter2@host:x/path?token=hunter2hunter2",
            "password=hunter2hunter2",
            "api-key=hunter2hunter2\u{7f},token=hunter2hunter2",
            long.as_str(),
        ] {
            for warning in value_of(value).warnings {
                assert!(warning.starts_with("OTEL_"), "{name}={value:?}: {warning}");
                assert!(has_the_form_of_all(&warning), "{name}={value:?}: {warning}");
                assert!(is_text(name) || !warning.contains(SECRET), "{name}={value:?}: {warning}");
                assert!(
                    warning.len() < 500 && !warning.contains(['\n', '\u{1b}']),
                    "{name}={value:?}: {warning}"
                );
            }
        }
    }
}

#[test]
fn of_a_list_what_is_known_holds() {
    for (name, value, used) in [
        ("OTEL_PROPAGATORS", "b3,zipkin,baggage", "b3,baggage"),
        ("OTEL_PROPAGATORS", "zipkin", "tracecontext,baggage"),
        ("OTEL_PROPAGATORS", "none,zipkin", "none"),
        ("OTEL_INIT_RESOURCE_DETECTORS", "host,ec2", "host"),
        ("OTEL_INIT_RESOURCE_DETECTORS", "ec2,none", "none"),
        ("OTEL_TRACES_EXPORTER", "console,otpl,otlp", "console,otlp"),
        ("OTEL_TRACES_EXPORTER", "none,otpl", "none"),
    ] {
        let config = resolve(&[(name, value)]);
        let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
        assert!(warning.starts_with(name) && warning.ends_with(&format!(" {used} is used")), "{warning}");
    }
}

#[test]
#[cfg(not(feature = "aws"))]
fn a_detector_that_was_not_built_names_its_feature() {
    let config = resolve(&[("OTEL_INIT_RESOURCE_DETECTORS", "host,aws")]);
    let expected = "OTEL_INIT_RESOURCE_DETECTORS names \"aws\", expected service, process, host, os, container, k8s, all or none: \
                    build otel-init with its feature `aws`; host is used";
    assert_eq!(config.warnings, [expected]);
}

#[test]
fn a_name_of_the_service_that_the_code_overrules_is_told() {
    let settings = Settings { service_name: Some("orders".to_owned()), ..Settings::default() };
    let warnings = |name| resolve_with(&settings, &[("OTEL_SERVICE_NAME", name)]).warnings;
    assert_eq!(warnings("orders"), Vec::<String>::new());
    assert_eq!(
        warnings("canary"),
        [
            "OTEL_SERVICE_NAME is \"canary\", but the code names the service and wins (`with_service_name`); \"orders\" is used"
        ]
    );
}

#[test]
fn names_of_older_texts_are_answered_with_todays() {
    let config =
        resolve(&[("OTEL_RESOURCE_ATTRIBUTES", "environment=prod,deployment.environment=prod,zone=a")]);
    assert_eq!(
        config.warnings,
        ["environment", "deployment.environment"].map(|key| format!(
            "OTEL_RESOURCE_ATTRIBUTES has {key}=..: write deployment.environment.name=.. instead"
        ))
    );
}

#[test]
fn every_variable_that_is_read_is_in_the_list_and_the_reverse() {
    let read = std::cell::RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        // The argument is read for this sampler alone, the address for this exporter.
        match name {
            "OTEL_TRACES_SAMPLER" => Some("traceidratio".to_owned()),
            "OTEL_METRICS_EXPORTER" if cfg!(feature = "prometheus") => Some("otlp,prometheus".to_owned()),
            _ => None,
        }
    };
    Config::resolve(&Settings::default(), &lookup, &[]).unwrap();
    // Those of instrumentations have names of their own.
    let is_listed = |name: &String| name.starts_with("OTEL_") && !name.starts_with("OTEL_INSTRUMENTATION_");
    let read: BTreeSet<String> = read.into_inner().into_iter().filter(is_listed).collect();
    let listed: BTreeSet<String> =
        KNOWN.iter().copied().chain(UNSUPPORTED.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    let is_built = |name: &String| cfg!(feature = "prometheus") || !name.contains("PROMETHEUS");
    assert_eq!(read, listed.into_iter().filter(is_built).filter(is_listed).collect());
}

#[test]
fn the_table_of_the_page_has_every_variable_once() {
    let page = include_str!("../../docs/variables.md");
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let of_otel: Vec<&str> = rows.iter().copied().filter(|name| name.starts_with("OTEL_")).collect();
    let listed: BTreeSet<&str> = of_otel.iter().copied().collect();
    assert_eq!(of_otel.len(), listed.len());
    assert_eq!(listed, KNOWN.iter().copied().collect());
    for (name, _) in UNSUPPORTED {
        assert!(page.contains(name), "{name} is missing below the table");
    }
}

#[test]
fn a_misspelt_variable_of_the_process_is_named() {
    let names = [
        "OTEL_SERVICE_NAMES",
        "OTEL_SERVICE_NAME",
        "OTEL_INIT_SAMPLER_FILES",
        "OTEL_INSTRUMENTATION_HTTP_ENABLED",
        "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS",
        "OTEL_INSTRUMENTATION_DB_EXCLUDED_URLS",
        "PATH",
        "OTEL_EMPTY",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
        "otel.exporter.otlp.endpoint",
        "otel.instrumentation.http.known-methods",
        "otel.javaagent.debug",
    ]
    .map(str::to_owned);
    let lookup = |name: &str| {
        let value = match name {
            "OTEL_EMPTY" => "",
            "OTEL_INSTRUMENTATION_HTTP_ENABLED" => "False",
            "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS" => {
                " /grpc.health.v1.Health/*, *Reflection/*,,https://x/y"
            }
            _ => "x",
        };
        Some(value.to_owned()).filter(|_| names.contains(&name.to_owned()))
    };
    let config = Config::resolve(&Settings::default(), &lookup, &names).unwrap();
    assert_eq!(config.instrumentations.disabled, ["http"]);
    let excluded = ["/grpc.health.v1.Health/*", "*Reflection/*"].map(str::to_owned).to_vec();
    assert_eq!(config.instrumentations.excluded_paths, [("grpc".to_owned(), excluded)]);
    // Without the names those of this family are found all the same.
    let config_without = Config::resolve(&Settings::default(), &lookup, &[]).unwrap();
    assert_eq!(config_without.instrumentations, config.instrumentations);
    assert_eq!(
        config.warnings,
        [
            "OTEL_INSTRUMENTATION_DB_EXCLUDED_URLS is set but not supported, it has no effect; set \
             OTEL_INSTRUMENTATION_DB_EXCLUDED_PATHS instead, to paths such as /health*",
            "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS names \"https://x/y\", expected a path that begins with / or *, as in /health*; \
             it leaves out no request",
            "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST is set but not supported, it has no effect; set \
             OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS instead, to names such as x-tenant,x-shop-*",
            "otel.exporter.otlp.endpoint is set but has no effect; set OTEL_EXPORTER_OTLP_ENDPOINT instead",
            "otel.instrumentation.http.known-methods is set but has no effect; set \
             OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS instead",
            "OTEL_SERVICE_NAMES is set but not known, it has no effect; is OTEL_SERVICE_NAME meant?",
            "OTEL_INIT_SAMPLER_FILES is set but not known, it has no effect; is OTEL_INIT_SAMPLER_FILE meant?"
        ]
    );
}
