//! What is exported of `tracing`, and what the console shows.

use tracing_subscriber::filter::LevelFilter;

use super::TelemetryBuilder;
use crate::ConsoleLogs;

impl TelemetryBuilder {
    /// Sets how the console shows the application's logs. It wins over `OTEL_INIT_CONSOLE_LOGS`; the default is
    /// [`ConsoleLogs::Compact`].
    pub fn with_console_logs(mut self, logs: ConsoleLogs) -> Self {
        self.settings.console_logs = Some(logs);
        self
    }

    /// Writes the lines of [`ConsoleLogs`] to standard output, for platforms that take what comes on standard error for
    /// errors. The default is standard error.
    pub fn with_console_on_stdout(mut self) -> Self {
        self.settings.console_on_stdout = true;
        self
    }

    /// Sets the most verbose level of `tracing` spans and events that are exported, whatever `RUST_LOG` says. It wins
    /// over `OTEL_INIT_TELEMETRY_LEVEL`; the default is [`LevelFilter::INFO`]. Spans made with the OpenTelemetry API have
    /// no level and are always exported.
    pub fn with_telemetry_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.settings.telemetry_levels.general = Some(level.into());
        self
    }

    /// Sets the most verbose level that is exported of one target and what is below it, in place of the general one: of a
    /// crate (`sqlx`), or a module (`shop::orders`). Of several that fit, the longest counts.
    ///
    /// ```
    /// use otel_init::LevelFilter;
    ///
    /// let builder = otel_init::Telemetry::builder()
    ///     .with_target_level("sqlx", LevelFilter::WARN)
    ///     .with_target_level("shop::payments", LevelFilter::DEBUG);
    /// # drop(builder);
    /// ```
    pub fn with_target_level(mut self, target: impl Into<String>, level: impl Into<LevelFilter>) -> Self {
        self.settings.telemetry_levels.set(target.into(), level.into());
        self
    }

    /// Leaves the fields of `tracing` spans off the log records of events inside of them. By default they are there, the
    /// innermost value of each, unless the event has a field of the same name.
    pub fn without_span_fields_on_logs(mut self) -> Self {
        self.settings.without_span_fields = true;
        self
    }

    /// Says on the spans and log records of `tracing` where in the code they were made: `code.file.path` and
    /// `code.line.number`, on spans `code.module.name` too. Paths are those of the machine that built the program, of a
    /// dependency with the home of whoever built it. Off by default.
    pub fn with_code_locations(mut self) -> Self {
        self.settings.code_locations = true;
        self
    }

    /// Leaves the `tracing` subscriber, and the `log` crate, alone, for a service that sets its own: add
    /// [`Telemetry::tracing_layer`](crate::Telemetry::tracing_layer) to it.
    pub fn without_tracing_subscriber(mut self) -> Self {
        self.settings.without_tracing_subscriber = true;
        self
    }
}
