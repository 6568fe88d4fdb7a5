//! Variables that the specification, an older text or another language knows and this crate does not follow.

use super::environment::Environment;

/// A set variable without effect is worth a word: traces sampled a hundred times too often went unnoticed otherwise.
pub(super) const UNSUPPORTED: &[(&str, &str)] = &[
    ("OTEL_ENTITIES", ""),
    ("OTEL_BSP_MAX_CONCURRENT_EXPORTS", ""),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "export OTLP and let the collector convert it"),
    ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "export OTLP and let the collector convert it"),
    ("OTEL_EXPORTER_ZIPKIN_PROTOCOL", "export OTLP and let the collector convert it"),
    ("OTEL_EXPORTER_JAEGER_PROTOCOL", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_PROTOCOL instead"),
    ("OTEL_EXPORTER_JAEGER_ENDPOINT", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT instead"),
    ("OTEL_EXPORTER_JAEGER_AGENT_HOST", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT instead"),
    ("OTEL_EXPORTER_JAEGER_AGENT_PORT", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT instead"),
    ("OTEL_EXPORTER_JAEGER_TIMEOUT", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT instead"),
    ("OTEL_EXPORTER_JAEGER_USER", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_HEADERS instead"),
    ("OTEL_EXPORTER_JAEGER_PASSWORD", "Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_HEADERS instead"),
    ("OTEL_EXPORTER_OTLP_SPAN_INSECURE", "set OTEL_EXPORTER_OTLP_TRACES_INSECURE instead"),
    ("OTEL_EXPORTER_OTLP_METRIC_INSECURE", "set OTEL_EXPORTER_OTLP_METRICS_INSECURE instead"),
    ("OTEL_TRACE_SAMPLER", "set OTEL_TRACES_SAMPLER instead"),
    ("OTEL_TRACE_EXPORTER", "set OTEL_TRACES_EXPORTER instead"),
    ("OTEL_LABELS", "set OTEL_RESOURCE_ATTRIBUTES instead"),
    ("OTEL_SERVICE_NAMESPACE", "set service.namespace in OTEL_RESOURCE_ATTRIBUTES instead"),
    ("OTEL_ENVIRONMENT", "set deployment.environment.name in OTEL_RESOURCE_ATTRIBUTES instead"),
    ("OTEL_SERVICE_VERSION", "set service.version in OTEL_RESOURCE_ATTRIBUTES instead"),
    (
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST",
        "set OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS instead, to names such as x-tenant,x-shop-*",
    ),
    (
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE",
        "set OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS instead, to names such as x-tenant,x-shop-*",
    ),
    (
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
        "set OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_REQUEST_HEADERS instead, to names such as x-tenant,x-shop-*",
    ),
    (
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE",
        "set OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS instead, to names such as x-tenant,x-shop-*",
    ),
    (
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS",
        "names that sound like a secret are redacted, and those that the code names by `with_sensitive_headers`",
    ),
    (
        "OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED",
        "set OTEL_INSTRUMENTATION_HTTP_ENABLED and its like instead",
    ),
];

pub(crate) fn warn(environment: &Environment<'_>) {
    for (name, instead) in UNSUPPORTED {
        if environment.is_set(name) {
            let separator = if instead.is_empty() { "" } else { "; " };
            environment
                .warn(format!("{name} is set but not supported, it has no effect{separator}{instead}"));
        }
    }
}
