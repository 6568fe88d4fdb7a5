//! Log records: the fields of the spans around them.

use otel_init::Telemetry;
use otel_testing::OtlpReceiver;

use crate::child;

fn records(test: &str, has_fields: bool) {
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let builder = Telemetry::builder().with_endpoint(receiver.http_endpoint());
    let builder = if has_fields { builder } else { builder.without_span_fields_on_logs() };
    let telemetry = builder.install().unwrap();
    let outer = tracing::info_span!("outer", order = 7_i64, tenant = "acme", late = tracing::field::Empty);
    outer.in_scope(|| {
        let inner = tracing::info_span!("inner", tenant = "globex", password = "hunter2");
        outer.record("late", true);
        (0..100).for_each(|_| {
            outer.record("late", false);
        });
        inner.in_scope(|| tracing::info!(order = 8_i64, "one"));
        tracing::info!("two");
    });
    tracing::info!("three");
    telemetry.shutdown_blocking().unwrap();
    let logs = receiver.logs();
    let attributes = |message: &str| {
        let log = logs.iter().find(|log| log.message() == message).unwrap_or_else(|| panic!("{logs:?}"));
        let mut all: Vec<_> = log.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.sort();
        all
    };
    if has_fields {
        assert_eq!(
            attributes("one"),
            ["late=false", "order=8", "password=\"REDACTED\"", "tenant=\"globex\""]
        );
        assert_eq!(attributes("two"), ["late=false", "order=7", "tenant=\"acme\""]);
    } else {
        assert_eq!(attributes("one"), ["order=8"]);
        assert_eq!(attributes("two"), Vec::<String>::new());
    }
    assert_eq!(attributes("three"), Vec::<String>::new());
}

#[test]
fn records_have_the_fields_of_the_spans_around_them() {
    records("logs::records_have_the_fields_of_the_spans_around_them", true);
}

#[test]
fn the_fields_of_spans_can_be_left_off() {
    records("logs::the_fields_of_spans_can_be_left_off", false);
}
