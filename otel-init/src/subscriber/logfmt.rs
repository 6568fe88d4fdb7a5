//! `key=value` lines.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Clock};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// An event on a line: time, level, target, message, its fields, those of its spans from the outermost.
pub(crate) struct Logfmt;

/// The fields of a span, as they stand in a line.
pub(crate) struct LogfmtFields;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // What a record of the `log` crate says of itself is in fields of the event that it became.
        let of_log = event.normalized_metadata();
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        write!(writer, "ts=")?;
        Clock.format_time(&mut writer)?;
        let level = metadata.level().as_str().to_ascii_lowercase();
        write!(writer, " level={level} target={}", metadata.target())?;
        let mut pairs = Pairs { is_of_log: of_log.is_some(), ..Pairs::default() };
        event.record(&mut pairs);
        write!(writer, "{}", pairs.text)?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(writer, "{}", fields.fields)?;
            }
        }
        writeln!(writer)
    }
}

impl FormatFields<'_> for LogfmtFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'_>, fields: R) -> fmt::Result {
        let mut pairs = Pairs::default();
        fields.record(&mut pairs);
        write!(writer, "{}", pairs.text)
    }
}

/// ` key=value` for each field. Nothing can fail when writing to a text.
#[derive(Default)]
struct Pairs {
    text: String,
    /// Whether fields are there that only say where a record of the `log` crate comes from.
    is_of_log: bool,
}

impl Pairs {
    fn push(&mut self, field: &Field, value: &str) {
        if self.is_of_log && field.name().starts_with("log.") {
            return;
        }
        let key = if field.name() == "message" { "msg" } else { field.name() };
        // A value that could be taken for more than one, or that would begin a line, is quoted.
        let is_plain = !value.is_empty()
            && value.chars().all(|character| {
                !character.is_whitespace() && !"=\"\\".contains(character) && !character.is_control()
            });
        let _ = if is_plain {
            write!(self.text, " {key}={value}")
        } else {
            write!(self.text, " {key}={value:?}")
        };
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.push(field, &format!("{value:?}"));
    }
}
