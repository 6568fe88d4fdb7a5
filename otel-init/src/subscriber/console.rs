//! Log lines for people, on standard error or standard output.

use std::io::IsTerminal;

use otel_core::{sampled_span, unsampled_span};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::logfmt::{Logfmt, LogfmtFields};
use crate::config::{SubscriberConfig, shown};
use crate::diagnostics::TARGET;

/// What the console, standard error unless
/// [`with_console_on_stdout`](crate::TelemetryBuilder::with_console_on_stdout) says otherwise, shows of the application's logs:
/// one event after the other, with `trace_id` and
/// `span_id` inside a span. `RUST_LOG` filters it, as `tracing_subscriber`'s `EnvFilter` does; unset, it shows `info` and
/// above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConsoleLogs {
    /// One line for each event. The default.
    #[default]
    Compact,
    /// Several lines for each event, for reading while developing.
    Pretty,
    /// A JSON object on a line for each event, with the fields of its spans.
    Json,
    /// `key=value` pairs on a line for each event, with the fields of its spans.
    Logfmt,
    /// Nothing. Warnings of this crate are not shown either.
    Off,
}

impl ConsoleLogs {
    /// By the word of a variable or a file.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "compact" => Some(Self::Compact),
            "pretty" => Some(Self::Pretty),
            "json" => Some(Self::Json),
            "logfmt" => Some(Self::Logfmt),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// How the targets of upstream's crates begin.
const UPSTREAM: &str = "opentelemetry";

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

/// The layer that writes to the console, and a warning if `RUST_LOG` cannot be read.
pub(crate) fn layer<S>(config: &SubscriberConfig) -> (Box<dyn Layer<S> + Send + Sync>, Option<String>)
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let rust_log = config.console_filter.as_deref();
    let (levels, warning) = levels(rust_log.unwrap_or_default(), config.own_level);
    let shows_upstream = rust_log.is_some_and(names_upstream);
    let news = filter_fn(move |metadata| shows_upstream || !SAID_BETTER_ELSEWHERE.contains(&metadata.name()));
    let lines = match config.console_on_stdout {
        true => lines(config.console, std::io::stdout().is_terminal(), std::io::stdout),
        false => lines(config.console, std::io::stderr().is_terminal(), std::io::stderr),
    };
    (lines.with_filter(levels.and(news)).boxed(), warning)
}

fn lines<S, W>(logs: ConsoleLogs, is_terminal: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // https://no-color.org
    let is_colored = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_writer(writer).with_ansi(is_colored);
    let format = fmt::format().with_ansi(is_colored);
    match logs {
        ConsoleLogs::Json => {
            let json = WithIds { format: fmt::format().json().flatten_event(true), ids: Ids::Json };
            lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(json).boxed()
        }
        ConsoleLogs::Logfmt => lines
            .with_ansi(false)
            .fmt_fields(LogfmtFields)
            .event_format(WithIds { format: Logfmt, ids: Ids::Pairs })
            .boxed(),
        ConsoleLogs::Pretty => {
            lines.event_format(WithIds { format: format.pretty(), ids: Ids::Pairs }).boxed()
        }
        ConsoleLogs::Compact | ConsoleLogs::Off => {
            lines.event_format(WithIds { format: format.compact(), ids: Ids::Pairs }).boxed()
        }
    }
}

/// The directives of `RUST_LOG`, `info` if there are none, completed: this crate's warnings and upstream's are shown
/// unless they are named or everything is off, upstream's chatter is not.
fn levels(rust_log: &str, own_level: Option<LevelFilter>) -> (EnvFilter, Option<String>) {
    let directives = if rust_log.is_empty() { "info" } else { rust_log };
    let mut completed = directives.to_owned();
    if !directives.eq_ignore_ascii_case("off") {
        for (target, default, is_named) in [
            (TARGET, LevelFilter::INFO, names_this(directives)),
            (UPSTREAM, LevelFilter::WARN, names_upstream(directives)),
        ] {
            if !is_named {
                let level = own_level.unwrap_or(default);
                completed = format!("{completed},{target}={level}");
            }
        }
    }
    match EnvFilter::builder().parse(completed) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let expected = "directives such as info,sqlx=debug";
            let warning = format!(
                "RUST_LOG is {}, expected {expected} ({error}); info and above is shown",
                shown(rust_log)
            );
            (EnvFilter::new("info,opentelemetry=warn"), Some(warning))
        }
    }
}

/// Whether one of the directives is about what this crate says: those about `hotel_init` and `otel_init_demo` are not.
fn names_this(directives: &str) -> bool {
    targets(directives).any(|target| target == TARGET)
}

/// Whether one of the directives is about what upstream's crates say.
fn names_upstream(directives: &str) -> bool {
    targets(directives).any(|target| target.starts_with(UPSTREAM))
}

fn targets(directives: &str) -> impl Iterator<Item = &str> {
    directives.split(',').filter_map(|directive| directive.split(['=', '[']).next().map(str::trim))
}

/// Adds the ids of the span, native or of `tracing`, to the end of an event.
struct WithIds<F> {
    format: F,
    ids: Ids,
}

/// How ids are written.
enum Ids {
    /// ` trace_id=.. span_id=..`
    Pairs,
    /// Two more members of the object.
    Json,
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
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
    ) -> std::fmt::Result {
        let Some((trace_id, span_id)) = sampled_span().or_else(unsampled_span) else {
            return self.format.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match (&self.ids, line.strip_suffix('}')) {
            (Ids::Json, Some(open)) => {
                writeln!(writer, "{open},\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"}}")
            }
            _ => writeln!(writer, "{line} trace_id={trace_id} span_id={span_id}"),
        }
    }
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
            ("opentelemetry_sdk", "opentelemetry_sdk=trace,otel_init=info"),
            ("hotel_init=debug", "opentelemetry=warn,otel_init=info,hotel_init=debug"),
            ("my_opentelemetry=debug", "opentelemetry=warn,otel_init=info,my_opentelemetry=debug"),
            ("otel_init_demo=debug", "opentelemetry=warn,otel_init=info,otel_init_demo=debug"),
            ("off", "off"),
            ("OFF", "off"),
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
