//! What arrives at the collector.

use opentelemetry::trace::{Span, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_init::Protocol;
use otel_testing::{
    AssertTelemetry as _, Captured, Conventions, OtlpReceiver, ReceivedRequest, Signal, log, span,
};

use crate::child;
use crate::patient;
use crate::protocols::{endpoint, for_each_protocol};

/// A native span in a `tracing` span in a native span, a handled error, a counter.
fn work() {
    let telemetry = patient()
        .with_service_name("shop")
        .with_service_version("1.2.3")
        .with_resource_attribute("team", "orders")
        .install()
        .unwrap();
    let tracer = global::tracer("delivery");
    let request = Context::current_with_span(tracer.start("request"));
    let entered = request.clone().attach();
    tracing::info_span!("handler", user.tier = "gold").in_scope(|| {
        tracing::error!(retryable = true, "card declined");
        tracing::debug!("too detailed");
        tracer.start("query").end();
    });
    drop(entered);
    request.span().end();
    global::meter("delivery").u64_counter("orders").build().add(2, &[]);
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn all_signals_arrive_over_http() {
    if child::is_child() {
        return work();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let endpoint = receiver.http_endpoint();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    child::run("delivery::all_signals_arrive_over_http", &variables);
    expect_all_signals(&receiver, otel_testing::Protocol::HttpProtobuf);
}

#[test]
fn all_signals_arrive_over_grpc() {
    if child::is_child() {
        return work();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let endpoint = receiver.grpc_endpoint();
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    child::run("delivery::all_signals_arrive_over_grpc", &variables);
    expect_all_signals(&receiver, otel_testing::Protocol::Grpc);
}

#[test]
fn a_user_and_a_password_in_the_endpoint_are_sent_as_such() {
    for_each_protocol("delivery::a_user_and_a_password_in_the_endpoint_are_sent_as_such", |protocol| {
        let receiver = OtlpReceiver::start().unwrap();
        let with_user = endpoint(&receiver, protocol).replace("://", "://shop:p%40ss%20word@");
        let telemetry = patient()
            .with_endpoint(with_user)
            .with_exporters(otel_init::Signal::Metrics, ["none"])
            .with_environment(move |name| match name {
                "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.to_owned()),
                // A header of one's own wins.
                "OTEL_EXPORTER_OTLP_LOGS_HEADERS" => Some("authorization=Bearer%20token".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        global::tracer("delivery").start("span").end();
        tracing::info!("record");
        let report = telemetry.shutdown_blocking();
        let requests = receiver.requests();
        let sent = |signal| {
            let request = requests.iter().find(|request| request.signal == signal);
            request.and_then(|request| request.header("authorization").map(str::to_owned))
        };
        // `printf 'shop:p@ss word' | base64`
        let basic = Some("Basic c2hvcDpwQHNzIHdvcmQ=".to_owned());
        assert_eq!(sent(Signal::Traces), basic, "{protocol}: {report:?} {requests:?}");
        assert_eq!(sent(Signal::Logs), Some("Bearer token".to_owned()), "{protocol}: {report:?}");
        assert!(report.is_ok(), "{report:?}");
    });
}

/// Behind a host and a path, gRPC's URLs are names of methods.
#[test]
fn a_query_in_the_endpoint_does_not_get_in_the_way_of_grpc() {
    if child::is_child() {
        return one_span();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*format!("{}/?key=hunter2", receiver.grpc_endpoint())),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    let finished =
        child::run("delivery::a_query_in_the_endpoint_does_not_get_in_the_way_of_grpc", &variables);
    only_request(&receiver);
    assert_eq!(finished.lines("has a query, which gRPC has no place for").len(), 1, "{}", finished.console);
    assert!(!finished.console.contains("hunter2"), "{}", finished.console);
}

fn expect_all_signals(receiver: &OtlpReceiver, protocol: otel_testing::Protocol) {
    assert!(receiver.requests().iter().all(|request| request.protocol == protocol && request.accepted));
    let traces = receiver.traces();
    assert_eq!(traces.len(), 1, "{traces:?}");
    let trace = &traces[0];
    let span = |name| {
        let spans = trace.spans_named(name);
        assert_eq!(spans.len(), 1, "{}", trace.tree());
        spans[0]
    };
    let (request, handler, query) = (span("request"), span("handler"), span("query"));
    assert_eq!(handler.parent_span_id.as_ref(), Some(&request.span_id), "{}", trace.tree());
    assert_eq!(query.parent_span_id.as_ref(), Some(&handler.span_id), "{}", trace.tree());

    // The error was handled: it is a log record, no event of the span and not its status.
    assert_eq!(handler.status, Status::Unset);
    assert_eq!(handler.events, []);
    assert!(handler.has("user.tier", "gold"));
    assert_eq!(handler.attributes.len(), 1, "{:?}", handler.attributes);

    let logs = receiver.logs();
    let messages: Vec<_> = logs.iter().map(|log| log.message()).collect();
    assert_eq!(messages, ["card declined"]);
    assert_eq!(logs[0].span_id.as_ref(), Some(&handler.span_id));
    assert_eq!(logs[0].severity_text, "ERROR");
    assert!(logs[0].has("retryable", true));

    let metrics = receiver.metrics();
    let value = |name: &str| metrics.iter().find(|metric| metric.name() == name).unwrap().metric.total();
    assert!((value("orders") - 2.0).abs() < f64::EPSILON);
    // The SDK counts into the meter provider that was installed with it.
    assert!((value("otel.sdk.processor.span.processed") - 3.0).abs() < f64::EPSILON);

    for resource in [&request.resource, &logs[0].resource, &metrics[0].resource] {
        assert_eq!(resource.service(), "shop");
        assert!(resource.attributes.has("service.version", "1.2.3"));
        assert!(resource.attributes.has("team", "orders"));
    }
    // Ours, and the SDK's; what the application made is its own.
    let own = ["orders", "retryable", "team", "user.tier"];
    receiver.assert_conventions_of(&own.into_iter().fold(Conventions::new(), Conventions::allow));
}

fn one_span() {
    let telemetry = patient().install().unwrap();
    global::tracer("delivery").start("the span").end();
    telemetry.shutdown_blocking().unwrap();
}

fn only_request(receiver: &OtlpReceiver) -> ReceivedRequest {
    let mut requests = receiver.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(receiver.spans().len(), 1);
    requests.remove(0)
}

/// Runs `test` with headers and compression in the environment, for traces alone.
fn run_with_headers(test: &str, protocol: &str, endpoint: &str) {
    child::run(
        test,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token,x-team=shop"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
    );
}

#[test]
fn headers_and_compression_of_the_environment_are_sent_over_http() {
    if child::is_child() {
        return one_span();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "delivery::headers_and_compression_of_the_environment_are_sent_over_http";
    run_with_headers(test, "http/protobuf", &receiver.http_endpoint());
    let request = only_request(&receiver);
    assert_eq!(request.header("authorization"), Some("Bearer token"));
    assert_eq!(request.header("x-team"), Some("shop"));
    assert_eq!(request.header("content-encoding"), Some("gzip"));
}

#[test]
fn headers_and_compression_of_the_environment_are_sent_over_grpc() {
    if child::is_child() {
        return one_span();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "delivery::headers_and_compression_of_the_environment_are_sent_over_grpc";
    run_with_headers(test, "grpc", &receiver.grpc_endpoint());
    let request = only_request(&receiver);
    assert_eq!(request.header("authorization"), Some("Bearer token"));
    assert_eq!(request.header("x-team"), Some("shop"));
    assert_eq!(request.header("grpc-encoding"), Some("gzip"));
}

/// One span with an environment that has an endpoint alone, while the process has others.
fn one_span_with_an_injected_environment(protocol: Protocol) {
    let endpoint = std::env::var("TEST_ENDPOINT").unwrap();
    let telemetry = patient()
        .with_protocol(protocol)
        .with_environment(move |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
            "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-of=test".to_owned()),
            _ => None,
        })
        .install()
        .unwrap();
    global::tracer("delivery").start("the span").end();
    telemetry.shutdown_blocking().unwrap();
}

fn expect_no_trace_of_the_process(test: &str, endpoint: &str, receiver: &OtlpReceiver) {
    child::run(
        test,
        &[
            ("TEST_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-of=process,x-process=yes"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-of=process,x-process=yes"),
            ("OTEL_SERVICE_NAME", "process"),
            ("OTEL_RESOURCE_ATTRIBUTES", "process=yes"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0"),
            ("OTEL_SDK_DISABLED", "true"),
        ],
    );
    let request = only_request(receiver);
    assert_eq!(request.header("x-of"), Some("test"), "{:?}", request.headers);
    assert_eq!(request.header("x-process"), None, "{:?}", request.headers);
    let resource = &receiver.spans()[0].resource;
    assert!(resource.service().starts_with("unknown_service:"), "{resource:?}");
    assert!(!resource.attributes.has("process", "yes"));
}

#[test]
fn an_injected_environment_hides_that_of_the_process_over_http() {
    if child::is_child() {
        return one_span_with_an_injected_environment(Protocol::HttpProtobuf);
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "delivery::an_injected_environment_hides_that_of_the_process_over_http";
    expect_no_trace_of_the_process(test, &receiver.http_endpoint(), &receiver);
}

#[test]
fn an_injected_environment_hides_that_of_the_process_over_grpc() {
    if child::is_child() {
        return one_span_with_an_injected_environment(Protocol::Grpc);
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "delivery::an_injected_environment_hides_that_of_the_process_over_grpc";
    expect_no_trace_of_the_process(test, &receiver.grpc_endpoint(), &receiver);
}

#[test]
fn each_signal_has_its_own_destination() {
    if child::is_child() {
        return work();
    }
    let (traces, others) = (OtlpReceiver::start().unwrap(), OtlpReceiver::start().unwrap());
    child::run(
        "delivery::each_signal_has_its_own_destination",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &others.http_endpoint()),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces.grpc_endpoint()),
        ],
    );
    assert!(traces.requests().iter().all(|request| request.signal == Signal::Traces));
    assert_eq!(traces.spans().len(), 3);
    assert!(others.requests().iter().all(|request| request.signal != Signal::Traces));
    assert_eq!((others.logs().len(), others.spans().len()), (1, 0));
}

#[test]
fn the_console_exporter_writes_lines_beside_the_collector_or_alone() {
    if child::is_child() {
        return work();
    }
    let test = "delivery::the_console_exporter_writes_lines_beside_the_collector_or_alone";
    let receiver = OtlpReceiver::start().unwrap();
    for exporters in ["console", "otlp,console"] {
        let finished = child::run(
            test,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_endpoint()),
                ("OTEL_TRACES_EXPORTER", exporters),
                ("OTEL_METRICS_EXPORTER", exporters),
                ("OTEL_LOGS_EXPORTER", exporters),
            ],
        );
        for start in ["span \"handler\" internal ", "log ERROR ", "metric orders \"\" 2"] {
            let lines = finished.output.lines().filter(|line| line.starts_with(start)).count();
            assert_eq!(lines, 1, "{start}: {}", finished.output);
        }
        // The application's own come first, and of the telemetry's what it has counted.
        let metrics = finished.output.lines().filter(|line| line.starts_with("metric "));
        let of_itself: Vec<&str> = metrics.skip_while(|line| !line.contains("otel.sdk.")).collect();
        assert!(of_itself.iter().all(|line| line.contains("otel.sdk.") && !line.contains(" 0 ")));
        assert!(of_itself.iter().any(|line| line.contains("span.processed")), "{}", finished.output);
        let sent = if exporters == "console" { 0 } else { 3 };
        assert_eq!(receiver.spans().len(), sent);
    }
}

#[test]
fn lines_of_otlp_on_standard_output_are_read_back() {
    if child::is_child() {
        return work();
    }
    let variables = ["TRACES", "METRICS", "LOGS"].map(|signal| format!("OTEL_{signal}_EXPORTER"));
    let variables = variables.each_ref().map(|name| (name.as_str(), "otlp/stdout"));
    let finished = child::run("delivery::lines_of_otlp_on_standard_output_are_read_back", &variables);
    let lines: Vec<&str> = finished.output.lines().filter(|line| line.starts_with("{\"resource")).collect();
    let captured = Captured::from_otlp_json(&lines.join("\n")).unwrap();
    let captured = captured.of_service("shop");
    captured.assert_span(span("handler").has("user.tier", "gold"));
    assert_eq!(captured.total("orders"), 2.0);
    captured.assert_log(log("card declined").in_span("handler"));
}

#[test]
fn json_zstd_and_exponential_histograms_arrive() {
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        global::meter("delivery").f64_histogram("duration").build().record(0.25, &[]);
        global::tracer("delivery").start("the span").end();
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    for protocol in ["http/json", "http/protobuf", "grpc"] {
        let receiver = OtlpReceiver::start().unwrap();
        let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
        let compression = if protocol == "http/json" { "gzip" } else { "zstd" };
        child::run(
            "delivery::json_zstd_and_exponential_histograms_arrive",
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                (
                    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                    "base2_exponential_bucket_histogram",
                ),
            ],
        );
        assert_eq!(receiver.spans().len(), 1, "{protocol}");
        let json = receiver.to_otlp_json().unwrap();
        assert!(json.contains("exponentialHistogram"), "{protocol}: {json}");
        let (media_type, coding) = match protocol {
            "http/json" => ("application/json", "content-encoding"),
            "grpc" => ("application/grpc", "grpc-encoding"),
            _ => ("application/x-protobuf", "content-encoding"),
        };
        assert!(receiver.requests().iter().all(|request| {
            request.header("content-type") == Some(media_type) && request.header(coding) == Some(compression)
        }));
    }
}
