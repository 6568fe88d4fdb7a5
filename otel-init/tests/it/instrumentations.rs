//! Instrumentations that are switched off by a variable.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use otel_core::{Attributes, Convention, ErrorType, HeaderCapture, HttpHeaders, Instrumenter, Providers};
use otel_init::opentelemetry;
use otel_testing::OtlpReceiver;

use crate::child;
use crate::patient;

struct Job;

impl Convention for Job {
    const SPAN_KIND: SpanKind = SpanKind::Internal;
    type Request<'a> = &'static str;
    type Response<'a> = ();
    type Metrics = Counter<u64>;
    type Tally = ();

    fn metrics(&self, meter: &Meter) -> Counter<u64> {
        meter.u64_counter("jobs").build()
    }

    fn span_name(&self, name: &&'static str) -> Cow<'static, str> {
        Cow::Borrowed(name)
    }

    fn on_start(&self, name: &&'static str, attributes: &mut Attributes<'_>) {
        attributes.both("job.name", *name);
    }

    fn on_response(&self, (): &(), _: &mut Attributes<'_>) -> Result<(), ErrorType> {
        Ok(())
    }

    fn record(&self, jobs: &Counter<u64>, _: Duration, (): &(), attributes: &[KeyValue], _: &Context) {
        jobs.add(1, attributes);
    }
}

#[test]
fn one_is_off_and_the_others_are_not() {
    let test = "instrumentations::one_is_off_and_the_others_are_not";
    if !child::is_child() {
        let finished = child::run(
            test,
            &[
                ("OTEL_INSTRUMENTATION_MY_JOBS_ENABLED", "False"),
                ("OTEL_INSTRUMENTATION_OTHERS_ENABLED", "maybe"),
                ("OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED", "false"),
                ("OTEL_INSTRUMENTATION_HTTP_EXCLUDED_PATHS", "/health*, /metrics"),
                ("OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS", "x-server"),
                ("OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS", "x-served"),
                ("OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_REQUEST_HEADERS", "x-client"),
                ("OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS", "x-answer"),
            ],
        );
        assert_eq!(finished.lines("OTEL_INSTRUMENTATION_OTHERS_ENABLED is \"maybe\"").len(), 1);
        assert_eq!(finished.lines("OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED is set but not").len(), 1);
        let told = finished.lines("INFO otel_init: exporting ");
        assert!(told[0].ends_with("; instrumentations that are off: my_jobs"), "{told:?}");
        return;
    }
    let instrumenter = |scope: &'static str| {
        Instrumenter::new(InstrumentationScope::builder(scope).build(), Providers::global(), Job)
    };
    // Made and used before the installation, as layers are.
    let (off, on) = (instrumenter("otel-my-jobs"), instrumenter("others"));
    off.start(&Context::new(), &"early").end();
    assert!(!otel_core::is_path_excluded("http", "/healthz"), "nothing is installed");
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let excluded = [("http", "/healthz"), ("http", "/metrics"), ("http", "/metric"), ("grpc", "/metrics")];
    assert_eq!(
        excluded.map(|(name, path)| otel_core::is_path_excluded(name, path)),
        [true, true, false, false]
    );
    assert_eq!(captured(HttpHeaders::ServerRequest), ["x-server"]);
    assert_eq!(captured(HttpHeaders::ServerResponse), ["x-served"]);
    assert_eq!(captured(HttpHeaders::ClientRequest), ["x-client"]);
    assert_eq!(captured(HttpHeaders::ClientResponse), ["x-answer"]);
    let health = telemetry.health();
    assert_eq!(health.disabled_instrumentations, ["my_jobs"]);
    assert!(health.to_string().ends_with("; instrumentations that are off: my_jobs"), "{health}");
    off.start(&Context::new(), &"off").end();
    let parent = on.start(&Context::new(), &"parent");
    // It passes the context on.
    let silent = off.start(parent.context(), &"silent");
    on.start(silent.context(), &"child").end();
    silent.end();
    parent.end();
    telemetry.shutdown_blocking().unwrap();
    let mut names: Vec<_> = receiver.spans().iter().map(|span| span.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["child", "parent"]);
    assert_eq!(receiver.traces().len(), 1, "one trace");
    let jobs: Vec<_> = receiver.metrics().into_iter().filter(|metric| metric.name() == "jobs").collect();
    assert_eq!(jobs.len(), 1);
    let text = format!("{jobs:?}");
    assert!(!text.contains("silent") && text.contains("child"), "{text}");
}

fn captured(of: HttpHeaders) -> Vec<String> {
    let mut headers = http::HeaderMap::new();
    for name in ["x-server", "x-served", "x-client", "x-answer"] {
        headers.insert(name, http::HeaderValue::from_static("1"));
    }
    let (mut span, mut metric) = (Vec::new(), Vec::new());
    let mut attributes = Attributes::to_lists(&mut span, &mut metric);
    let capture = HeaderCapture::default();
    capture.capture_with_installed(of, "", &headers, &mut attributes, |_, text| text.to_owned());
    span.iter().map(|attribute| attribute.key.to_string()).collect()
}
