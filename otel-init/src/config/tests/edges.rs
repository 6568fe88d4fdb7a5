//! Values at the edges: empty, zero, as large as a number gets, lists with nothing in them.

use std::time::Duration;

use super::super::{Config, LONGEST_WAIT, Settings};
use super::{attribute, endpoints, otlp, resolve, resolve_with};
use crate::{Queue, Signal};

/// The one warning of this variable.
fn told(name: &str, value: &str) -> String {
    let warnings = resolve(&[(name, value)]).warnings;
    let [warning] = &warnings[..] else { panic!("{name}={value}: {warnings:?}") };
    warning.clone()
}

/// "Implementations SHOULD interpret timeout zero values (i.e. 0 indicating 0 milliseconds) as no limit".
#[test]
fn a_timeout_of_zero_is_none_and_a_delay_of_zero_is_short() {
    let config = resolve(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "0"),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "0"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ]);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert!(config.destinations.otlp().all(|otlp| otlp.timeout == LONGEST_WAIT));
    let (traces, logs, metrics) =
        (&config.destinations.traces[0], &config.destinations.logs[0], &config.destinations.metrics[0]);
    for bound in [traces.batch.export_timeout, logs.batch.export_timeout, metrics.export_timeout] {
        assert_eq!(bound, Some(LONGEST_WAIT));
    }
    for delay in [traces.batch.schedule_delay, logs.batch.schedule_delay, metrics.interval] {
        assert_eq!(delay, Duration::from_millis(1));
    }
    let shown = config.effective().to_string();
    let no_limit = |line: &&str| line.contains("timeout = none  # OTEL_") && line.contains("_TIMEOUT");
    assert_eq!(shown.lines().filter(no_limit).count(), 6, "{shown}");
}

#[test]
fn a_number_that_is_too_large_is_told_with_what_may_be() {
    for (name, value, expected) in [
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "4294967296", "a whole number from 0 to 4294967295; 128 is used"),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "18446744073709551616",
            "a whole number of milliseconds, 0 for no limit; 10000 is used",
        ),
        ("OTEL_INIT_DISK_BUFFER_MAX_SIZE", "-1", "a whole number of bytes, 1 at least; 536870912 is used"),
    ] {
        assert_eq!(told(name, value), format!("{name} is {value:?}, expected {expected}"));
    }
    // A number that fits is a time that comes.
    let config = resolve(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "18446744073709551615")]);
    assert_eq!(otlp(&config, Signal::Traces).unwrap().timeout, LONGEST_WAIT);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn a_batch_is_bounded_by_a_queue_that_is_counted_and_by_no_other() {
    let batch = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000");
    let of = |config: &Config| config.destinations.traces[0].batch.max_export_batch_size;
    let config = resolve(&[batch]);
    assert_eq!((of(&config), config.warnings.len()), (5000, 0), "{:?}", config.warnings);
    for (settings, variables) in [
        (Settings::default(), vec![batch, ("OTEL_BSP_MAX_QUEUE_SIZE", "3000")]),
        (Settings { queue: Queue::Sdk, ..Settings::default() }, vec![batch]),
    ] {
        let config = resolve_with(&settings, &variables);
        let most = config.destinations.traces[0].batch.max_queue_size;
        assert_eq!(of(&config), most);
        assert_eq!(
            config.warnings,
            [format!("{} is \"5000\", expected no more than the queue holds; {most} is used", batch.0)]
        );
    }
    // What the console takes waits in a queue of the SDK.
    let config = resolve(&[batch, ("OTEL_TRACES_EXPORTER", "console")]).effective();
    let shown = config.setting("tracer_provider.processors[0].batch.max_export_batch_size").unwrap();
    assert_eq!(shown.value(), "2048");
}

#[test]
fn a_service_without_a_name_has_the_one_of_nobody() {
    let unknown = attribute(&resolve(&[]), "service.name");
    let config = resolve(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name= ,zone=b")]);
    assert_eq!(attribute(&config, "service.name"), unknown);
    assert_eq!(attribute(&config, "zone").as_deref(), Some("b"));
    assert_eq!(
        config.warnings,
        [format!(
            "OTEL_RESOURCE_ATTRIBUTES has service.name without a name; the service is called {}",
            unknown.clone().unwrap()
        )]
    );
    let named = [("OTEL_RESOURCE_ATTRIBUTES", "service.name="), ("OTEL_SERVICE_NAME", "shop")];
    assert_eq!(attribute(&resolve(&named), "service.name").as_deref(), Some("shop"));
    assert!(resolve(&named).warnings[0].ends_with("; the service is called shop"));
    // In code as well: it is often a variable of one's own.
    let settings = Settings { service_name: Some(" ".to_owned()), ..Settings::default() };
    assert_eq!(attribute(&resolve_with(&settings, &[]), "service.name"), unknown);
    assert_eq!(attribute(&resolve_with(&settings, &named[1..]), "service.name").as_deref(), Some("shop"));
}

#[test]
fn a_list_with_nothing_in_it_is_told() {
    for (name, used) in [
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_INIT_RESOURCE_DETECTORS", "container,host,k8s,os,process,service"),
    ] {
        assert_eq!(told(name, " , "), format!("{name} is \",\", which names nothing; {used} is used"));
    }
}

#[test]
fn the_place_of_a_bad_header_counts_empty_entries() {
    let warning = told("OTEL_EXPORTER_OTLP_HEADERS", "a=1,,b c=2");
    assert!(warning.contains("cannot be read in its entry 3,"), "{warning}");
}

#[test]
fn an_endpoint_has_a_host_and_no_fragment() {
    for (value, reason) in [
        ("http://:4318", "expected a URL with a host"),
        ("http://user@:4318", "expected a URL with a host"),
        ("http://collector:4318#here", "expected a URL without #, which is %23 in a password"),
    ] {
        let warning = told("OTEL_EXPORTER_OTLP_ENDPOINT", value);
        assert!(warning.contains(reason), "{value}: {warning}");
        let config = resolve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", value)]);
        assert_eq!(endpoints(&config)[0], "http://localhost:4318/v1/traces");
    }
}

#[test]
fn a_query_that_grpc_has_no_place_for_is_told_once() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317/otlp?key=hunter2"),
    ];
    assert_eq!(
        resolve(&variables).warnings,
        [
            "the endpoint http://collector:4317/otlp has a query, which gRPC has no place for, so it is not sent: a key goes into \
          OTEL_EXPORTER_OTLP_HEADERS, or into `headers` in a configuration file"
        ]
    );
    assert_eq!(resolve(&variables[1..]).warnings, Vec::<String>::new());
}

#[test]
fn variables_of_other_languages_and_of_the_operator_are_no_typing_errors() {
    let names = [
        "OTEL_NODE_IP",
        "OTEL_POD_IP",
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME",
        "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME",
        "OTEL_PYTHON_LOG_CORRELATION",
        "OTEL_JAVAAGENT_DEBUG",
        "OTEL_DOTNET_AUTO_HOME",
        "OTEL_JAVASCRIPT_X",
    ]
    .map(str::to_owned);
    let lookup = |name: &str| names.iter().any(|known| known == name).then(|| "1".to_owned());
    let config = Config::resolve(&Settings::default(), &lookup, &names).unwrap();
    assert_eq!(
        config.warnings,
        ["OTEL_JAVASCRIPT_X is set but not known, it has no effect; is it misspelt?"]
    );
}
