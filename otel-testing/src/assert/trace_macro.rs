//! The macros that write a trace as a tree.

/// Asserts that a captured trace is this tree.
///
/// A span is a name or an [`ExpectedSpan`](crate::ExpectedSpan). `=> [...]` lists its children in the order of their
/// start, `=> {...}` in any order; `..` at the end allows others. A span without a list has no children.
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use otel_testing::{TestTelemetry, assert_trace, span};
///
/// let telemetry = TestTelemetry::new();
/// let tracer = telemetry.tracer_provider().tracer("shop");
/// tracer.in_span("checkout", |_| {
///     tracer.in_span("reserve", |_| ());
///     tracer.in_span("charge", |_| tracer.in_span("POST", |_| ()));
///     tracer.in_span("notify", |_| ());
/// });
///
/// assert_trace!(telemetry, span("checkout").root() => {
///     "charge" => [span("POST").internal()],
///     "reserve",
///     ..
/// });
/// ```
///
/// # Panics
///
/// When no captured trace is this tree; the message shows what is different in the closest one, and all spans.
#[macro_export]
macro_rules! assert_trace {
    ($telemetry:expr, $($tree:tt)+) => {
        $crate::AssertTelemetry::assert_trace(&$telemetry, $crate::trace_tree!($($tree)+))
    };
}

/// The tree of [`assert_trace!`](crate::assert_trace!) as a value, an [`ExpectedTrace`](crate::ExpectedTrace).
#[macro_export]
macro_rules! trace_tree {
    (@children $node:ident) => {};
    (@children $node:ident .. $(,)?) => {
        $node = $node.and_others();
    };
    (@children $node:ident $span:expr => [ $($children:tt)* ] $(, $($rest:tt)*)?) => {
        $node = $node.child($crate::trace_tree!($span => [ $($children)* ]));
        $crate::trace_tree!(@children $node $($($rest)*)?);
    };
    (@children $node:ident $span:expr => { $($children:tt)* } $(, $($rest:tt)*)?) => {
        $node = $node.child($crate::trace_tree!($span => { $($children)* }));
        $crate::trace_tree!(@children $node $($($rest)*)?);
    };
    (@children $node:ident $span:expr $(, $($rest:tt)*)?) => {
        $node = $node.child($crate::trace_tree!($span));
        $crate::trace_tree!(@children $node $($($rest)*)?);
    };
    ($span:expr => [ $($children:tt)* ] $(,)?) => {{
        #[allow(unused_mut, reason = "a list may be empty")]
        let mut node = $crate::ExpectedTrace::new($span);
        $crate::trace_tree!(@children node $($children)*);
        node
    }};
    ($span:expr => { $($children:tt)* } $(,)?) => {{
        let mut node = $crate::ExpectedTrace::new($span).in_any_order();
        $crate::trace_tree!(@children node $($children)*);
        node
    }};
    ($span:expr $(,)?) => {
        $crate::ExpectedTrace::new($span)
    };
}
