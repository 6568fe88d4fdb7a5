//! Log lines for people, on standard error.

use std::fmt;
use std::io::IsTerminal;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::diagnostics::TARGET;

/// What the console shows of the application's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsoleLogs {
    /// One line for each event, on standard error, with the trace id if there is one. The default. `RUST_LOG` filters
    /// it, as `tracing_subscriber`'s `EnvFilter` does; unset, it shows `info` and above.
    #[default]
    Compact,
    /// Nothing. Warnings of this crate are not shown either.
    Off,
}

/// Upstream's own lines for what this crate reports in one line, or in the result of a shutdown. Shown if `RUST_LOG`
/// names `opentelemetry`.
const SAID_BETTER_ELSEWHERE: &[&str] = &[
    "BatchSpanProcessor.ExportError",
    "BatchSpanProcessor.OnEnd.AfterShutdown",
    "BatchSpanProcessor.Shutdown.Timeout",
    "BatchLogProcessor.ExportError",
    "BatchLogProcessor.Emit.AfterShutdown",
    "BatchLogProcessor.Shutdown.Timeout",
    "PeriodicReader.ExportError",
    "Export.Failed.DeadlineExceeded",
    "Export.Failed.Exhausted",
    "Export.Failed.NonRetryable",
];

/// The layer that writes to standard error, and a warning if `RUST_LOG` cannot be read.
pub(crate) fn layer<S>(
    rust_log: Option<&str>,
    own_level: Option<LevelFilter>,
) -> (impl Layer<S> + Send + Sync + 'static, Option<String>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (levels, warning) = levels(rust_log.unwrap_or_default(), own_level);
    let shows_upstream = rust_log.is_some_and(|directives| directives.contains("opentelemetry"));
    let news = filter_fn(move |metadata| shows_upstream || !SAID_BETTER_ELSEWHERE.contains(&metadata.name()));
    // https://no-color.org
    let is_colored =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(is_colored)
        .event_format(WithTraceId(tracing_subscriber::fmt::format().compact().with_ansi(is_colored)));
    (lines.with_filter(levels.and(news)), warning)
}

/// The directives of `RUST_LOG`, `info` if there are none, completed: this crate's warnings and upstream's are shown
/// unless they are named or everything is off, upstream's chatter is not.
fn levels(rust_log: &str, own_level: Option<LevelFilter>) -> (EnvFilter, Option<String>) {
    let directives = if rust_log.is_empty() { "info" } else { rust_log };
    let mut completed = directives.to_owned();
    if directives != "off" {
        for (target, default) in [(TARGET, LevelFilter::INFO), ("opentelemetry", LevelFilter::WARN)] {
            if !directives.contains(target) {
                let level = own_level.unwrap_or(default);
                completed = format!("{completed},{target}={level}");
            }
        }
    }
    match EnvFilter::builder().parse(completed) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let warning = format!("RUST_LOG is {rust_log:?}: {error}; info and above is shown");
            (EnvFilter::new("info,opentelemetry=warn"), Some(warning))
        }
    }
}

/// Adds `trace_id=..` to the end of a line inside a span, native or of `tracing`.
struct WithTraceId<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithTraceId<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace_id) = current_trace_id() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{} trace_id={trace_id}", line.trim_end_matches('\n'))
    }
}

fn current_trace_id() -> Option<opentelemetry::TraceId> {
    Context::map_current(|context| {
        context
            .has_active_span()
            .then(|| context.span().span_context().clone())
            .filter(SpanContext::is_valid)
            .map(|span| span.trace_id())
    })
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::levels;

    #[test]
    fn directives_are_completed_with_what_the_operator_must_see() {
        for (rust_log, shown) in [
            ("", "opentelemetry=warn,otel_init=info,info"),
            ("debug", "opentelemetry=warn,otel_init=info,debug"),
            ("shop=debug", "opentelemetry=warn,otel_init=info,shop=debug"),
            ("error,otel_init=off", "otel_init=off,opentelemetry=warn,error"),
            ("opentelemetry=trace", "opentelemetry=trace,otel_init=info"),
            ("off", "off"),
        ] {
            let (filter, warning) = levels(rust_log, None);
            let mut directives: Vec<_> = filter.to_string().split(',').map(str::to_owned).collect();
            let mut expected: Vec<_> = shown.split(',').map(str::to_owned).collect();
            directives.sort();
            expected.sort();
            assert_eq!(directives, expected, "{rust_log}");
            assert_eq!(warning, None);
        }
    }

    #[test]
    fn the_level_of_the_sdk_holds_unless_rust_log_names_it() {
        let (filter, _) = levels("debug", Some(LevelFilter::ERROR));
        let shown = filter.to_string();
        assert!(shown.contains("otel_init=error") && shown.contains("opentelemetry=error"), "{shown}");
        let (filter, _) = levels("otel_init=trace", Some(LevelFilter::OFF));
        let shown = filter.to_string();
        assert!(shown.contains("otel_init=trace") && shown.contains("opentelemetry=off"), "{shown}");
    }

    #[test]
    fn a_bad_directive_is_reported_and_the_default_holds() {
        let (filter, warning) = levels("shop=loud", None);
        assert!(warning.unwrap().contains("RUST_LOG is \"shop=loud\""));
        assert!(filter.to_string().contains("info"));
    }
}
