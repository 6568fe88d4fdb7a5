//! The trait with all assertions, for whatever holds telemetry.

use super::count::Count;
use super::{
    ExpectedLog, ExpectedSpan, ExpectedTrace, MetricAssertion, closest, fail, fail_with_spans, hygiene, log,
    metric, names, secrets,
};
use crate::captured::Captured;
use crate::{Conventions, OtlpReceiver, ReceivedTrace, Snapshot, TestTelemetry};

/// Assertions about captured telemetry. A failure shows what was there, what came closest, and the difference.
///
/// Implemented for [`TestTelemetry`], [`OtlpReceiver`], [`ReceivedTrace`] and [`Captured`]. A receiver is looked at as it
/// is now: wait first, with [`OtlpReceiver::wait_for`] or [`OtlpReceiver::wait_for_blocking`].
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use otel_testing::{AssertTelemetry, TestTelemetry, span};
///
/// let telemetry = TestTelemetry::new();
/// telemetry.tracer_provider().tracer("shop").in_span("checkout", |_| ());
///
/// telemetry.assert_span(span("checkout").internal().root());
/// telemetry.assert_spans(0, span("charge"));
/// telemetry.assert_clean();
/// ```
pub trait AssertTelemetry {
    /// What there is now.
    fn captured(&self) -> Captured;

    /// All of it in a form that is the same on every run, for snapshot tests.
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.captured())
    }

    /// Exactly one span is like this.
    ///
    /// # Panics
    ///
    /// When none or more than one is.
    #[track_caller]
    fn assert_span(&self, expected: impl Into<ExpectedSpan>) {
        self.assert_spans(1, expected);
    }

    /// No span that has ended is like this. One that is still open is not looked at:
    /// [`assert_all_spans_ended`](Self::assert_all_spans_ended) finds those.
    ///
    /// # Panics
    ///
    /// When one is.
    #[track_caller]
    fn assert_no_span(&self, expected: impl Into<ExpectedSpan>) {
        self.assert_spans(0, expected);
    }

    /// This many spans are like this.
    ///
    /// # Panics
    ///
    /// When more or fewer are.
    #[track_caller]
    fn assert_spans(&self, count: usize, expected: impl Into<ExpectedSpan>) {
        let (captured, expected) = (self.captured(), expected.into());
        if let Some(mismatch) = expected.miscount(Count::Exactly(count), &captured) {
            fail_with_spans(&mismatch, &captured);
        }
    }

    /// A captured trace is this tree; [`assert_trace!`](crate::assert_trace!) writes it down.
    ///
    /// # Panics
    ///
    /// When none is.
    #[track_caller]
    fn assert_trace(&self, expected: ExpectedTrace) {
        let captured = self.captured();
        if let Some(mismatch) = expected.mismatch(&captured) {
            fail_with_spans(&mismatch, &captured);
        }
    }

    /// The one metric of this name, to assert more.
    ///
    /// # Panics
    ///
    /// When there is none, or several scopes or services have one; of services,
    /// [`of_service`](Captured::of_service) chooses.
    #[track_caller]
    fn assert_metric(&self, name: &str) -> MetricAssertion {
        MetricAssertion::new(&self.captured(), name)
    }

    /// There is no metric of this name.
    ///
    /// # Panics
    ///
    /// When there is.
    #[track_caller]
    fn assert_no_metric(&self, name: &str) {
        let mut captured = self.captured();
        captured.metrics.retain(|metric| metric.name == name);
        if !captured.metrics.is_empty() {
            fail(&format!("expected no metric {name:?}, there is\n{}", metric::list(&captured.metrics)));
        }
    }

    /// Exactly one log record is like this.
    ///
    /// # Panics
    ///
    /// When none or more than one is.
    #[track_caller]
    fn assert_log(&self, expected: impl Into<ExpectedLog>) {
        self.assert_logs(1, expected);
    }

    /// This many log records are like this.
    ///
    /// # Panics
    ///
    /// When more or fewer are.
    #[track_caller]
    fn assert_logs(&self, count: usize, expected: impl Into<ExpectedLog>) {
        let (captured, expected) = (self.captured(), expected.into());
        if let Some(mismatch) = expected.miscount(Count::Exactly(count), &captured) {
            let lines: Vec<String> = captured.logs.iter().map(|log| log::line(log)).collect();
            let lines =
                if lines.is_empty() { "there is none\n".to_owned() } else { closest::indented(&lines) };
            fail(&format!("{mismatch}all log records:\n{lines}"));
        }
    }

    /// Every span that was started has ended. Only memory knows what was started.
    ///
    /// # Panics
    ///
    /// When one has not.
    #[track_caller]
    fn assert_all_spans_ended(&self) {
        check(&self.captured(), "spans were leaked", hygiene::open_spans);
    }

    /// Every span is a root, or its parent was captured or is in another process; none ends before it starts.
    ///
    /// # Panics
    ///
    /// When a parent is missing.
    #[track_caller]
    fn assert_no_orphans(&self) {
        check(&self.captured(), "spans are no tree", hygiene::orphans);
    }

    /// Up-down counters of what is under way (`*.active_requests`, `*in_flight*`, `*pending*`) are at 0.
    ///
    /// # Panics
    ///
    /// When one is not.
    #[track_caller]
    fn assert_nothing_in_flight(&self) {
        check(&self.captured(), "something is still in flight", hygiene::in_flight);
    }

    /// No attribute of a metric has a value that looks like an id: each such value would be a series of its own.
    ///
    /// # Panics
    ///
    /// When one has.
    #[track_caller]
    fn assert_no_ids_in_metrics(&self) {
        check(&self.captured(), "attributes of metrics look like ids", hygiene::ids_in_metrics);
    }

    /// All of the four above.
    ///
    /// # Panics
    ///
    /// When one of them does.
    #[track_caller]
    fn assert_clean(&self) {
        let captured = self.captured();
        check(&captured, "telemetry is not clean", |captured| {
            let mut lines = hygiene::open_spans(captured);
            lines.extend(hygiene::orphans(captured));
            lines.extend(hygiene::in_flight(captured));
            lines.extend(hygiene::ids_in_metrics(captured));
            lines
        });
    }

    /// None of these texts is anywhere in what would be exported: names, keys, values, bodies, descriptions, states,
    /// resources, as it is or as JSON, URLs and forms write it, also within each other. Plant a secret of your own in a
    /// request, and assert that it is not found.
    ///
    /// ```
    /// # use otel_testing::{AssertTelemetry, TestTelemetry};
    /// # let telemetry = TestTelemetry::new();
    /// telemetry.assert_no_secrets(["s3cr3t-password", "4111111111111111"]);
    /// ```
    ///
    /// # Panics
    ///
    /// When one is found, naming where; and when one is empty, because an empty text is everywhere.
    #[track_caller]
    fn assert_no_secrets<S: Into<String>>(&self, secrets: impl IntoIterator<Item = S>) {
        let secrets: Vec<String> = secrets.into_iter().map(Into::into).collect();
        if secrets.iter().any(String::is_empty) {
            fail("an empty secret is everywhere: name one");
        }
        let found = secrets::found(&self.captured(), &secrets);
        if !found.is_empty() {
            fail(&format!("secrets would be exported:\n{}", closest::indented(&found)));
        }
    }

    /// Everything follows the semantic conventions. With namespaces of your own use
    /// [`AssertTelemetry::assert_conventions_of`].
    ///
    /// # Panics
    ///
    /// When something does not, naming all of it.
    #[track_caller]
    fn assert_conventions(&self) {
        self.assert_conventions_of(&Conventions::new());
    }

    /// Everything follows these conventions.
    ///
    /// ```
    /// # use otel_testing::{AssertTelemetry, TestTelemetry};
    /// # let telemetry = TestTelemetry::new();
    /// use otel_testing::Conventions;
    /// telemetry.assert_conventions_of(&Conventions::new().allow("shop"));
    /// ```
    ///
    /// # Panics
    ///
    /// When something does not, naming all of it.
    #[track_caller]
    fn assert_conventions_of(&self, conventions: &Conventions) {
        let captured = self.captured();
        let lines: Vec<String> = conventions.check(&captured).iter().map(ToString::to_string).collect();
        if !lines.is_empty() {
            let lines = closest::indented(&lines);
            fail_with_spans(&format!("against the semantic conventions:\n{lines}"), &captured);
        }
    }

    /// Each of these names is there: as a metric, an attribute of a span, an event, a point or a log record, or an event.
    ///
    /// # Panics
    ///
    /// When one is not.
    #[track_caller]
    fn assert_emitted<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let captured = self.captured();
        let missing = names::missing(&captured, names);
        if !missing.is_empty() {
            fail_with_spans(&format!("not emitted:\n{}", closest::indented(&missing)), &captured);
        }
    }
}

#[track_caller]
fn check(captured: &Captured, headline: &str, rule: impl FnOnce(&Captured) -> Vec<String>) {
    let lines = rule(captured);
    if !lines.is_empty() {
        fail_with_spans(&format!("{headline}:\n{}", closest::indented(&lines)), captured);
    }
}

impl AssertTelemetry for Captured {
    fn captured(&self) -> Captured {
        self.clone()
    }
}

impl AssertTelemetry for TestTelemetry {
    fn captured(&self) -> Captured {
        self.into()
    }
}

impl AssertTelemetry for OtlpReceiver {
    fn captured(&self) -> Captured {
        self.into()
    }
}

impl AssertTelemetry for ReceivedTrace {
    fn captured(&self) -> Captured {
        self.into()
    }
}

impl<T: AssertTelemetry> AssertTelemetry for &T {
    fn captured(&self) -> Captured {
        (**self).captured()
    }
}
