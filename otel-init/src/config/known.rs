//! Every variable that is read, for the warning about those that are not.

use super::environment::Environment;
use super::unsupported::UNSUPPORTED;

/// A test compares this with what is looked up, and with the table of the crate's page.
pub(super) const KNOWN: &[&str] = &[
    "OTEL_CONFIG_FILE",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_SDK_DISABLED",
    "OTEL_INIT_RESOURCE_DETECTORS",
    "OTEL_INIT_DISK_BUFFER_DIRECTORY",
    "OTEL_INIT_DISK_BUFFER_MAX_SIZE",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_PROPAGATORS",
    "OTEL_LOG_LEVEL",
    "OTEL_INIT_TELEMETRY_LEVEL",
    "OTEL_INIT_CONSOLE_LOGS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_INIT_SAMPLER_FILE",
    "OTEL_INIT_DEBUG_KEY",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
    "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
    "OTEL_EXPORTER_OTLP_LOGS_INSECURE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_EXPORTER_PROMETHEUS_HOST",
    "OTEL_EXPORTER_PROMETHEUS_PORT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];

/// Instrumentations have their own, and so have other tools. A pod has what is meant for other languages,
/// "`OTEL_{LANGUAGE}_{FEATURE}`", and what the operator for Kubernetes makes the values of known variables of.
const OTHERS: &[&str] = &[
    "OTEL_INSTRUMENTATION_",
    "OTEL_SEMCONV_",
    "OTEL_RUST_",
    "OTEL_CPP_",
    "OTEL_DOTNET_",
    "OTEL_ERLANG_",
    "OTEL_GO_",
    "OTEL_JAVA_",
    "OTEL_JAVAAGENT_",
    "OTEL_NODE_",
    "OTEL_PHP_",
    "OTEL_PYTHON_",
    "OTEL_RUBY_",
    "OTEL_SWIFT_",
    "OTEL_POD_IP",
    "OTEL_RESOURCE_ATTRIBUTES_",
];

/// Names each variable of `names` that looks like one of OpenTelemetry's and that nobody reads: a typing error, most
/// likely. So is one that is written as Java writes its properties, `otel.service.name`.
pub(super) fn warn_unknown(names: &[String], environment: &Environment<'_>) {
    for name in names.iter().filter(|name| name.starts_with("otel")) {
        let capitals = name.to_ascii_uppercase().replace(['.', '-'], "_");
        if environment.is_set(name)
            && (KNOWN.contains(&&*capitals) || capitals.starts_with("OTEL_INSTRUMENTATION_"))
        {
            environment.warn(format!("{name} is set but has no effect; set {capitals} instead"));
        }
    }
    for name in names.iter().filter(|name| name.starts_with("OTEL_")) {
        let is_known = KNOWN.contains(&name.as_str())
            || UNSUPPORTED.iter().any(|(known, _)| known == name)
            || OTHERS.iter().any(|prefix| name.starts_with(prefix));
        if !is_known && environment.is_set(name) {
            let meant = KNOWN.iter().find(|known| is_nearly(name, known));
            let question = meant.map_or("is it misspelt?".to_owned(), |known| format!("is {known} meant?"));
            environment.warn(format!("{name} is set but not known, it has no effect; {question}"));
        }
    }
}

/// One letter is another, missing, too many, or has changed places with the next.
pub(super) fn is_nearly(name: &str, known: &str) -> bool {
    let (name, known) = (name.as_bytes(), known.as_bytes());
    let same = name.iter().zip(known).take_while(|(left, right)| left == right).count();
    let (name, known) = (&name[same..], &known[same..]);
    match (name, known) {
        ([_, name @ ..], [_, rest @ ..]) if name == rest => true,
        ([first, second, name @ ..], [third, fourth, rest @ ..]) if name == rest => {
            first == fourth && second == third
        }
        ([_, name @ ..], _) if name == known => true,
        (_, [_, rest @ ..]) => name == rest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_nearly;

    #[test]
    fn a_name_with_one_slip_is_nearly_the_other() {
        for name in ["ABC", "BCD", "ACD", "ABCDE", "XABCD", "AXBCD", "ABCX", "XBCD", "ACBD", "BACD", "ABDC"] {
            assert!(is_nearly(name, "ABCD"), "{name}");
        }
        for name in ["", "AB", "ABCDEE", "CBAD", "DCBA", "AXXD", "FILE"] {
            assert!(!is_nearly(name, "ABCD"), "{name}");
        }
    }
}
