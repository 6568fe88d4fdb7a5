//! The logger behind the global subscriber: each record goes to the test of its context.

use opentelemetry::logs::{Logger, LoggerProvider, Severity};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger, SdkLoggerProvider};

use super::routed;

#[derive(Debug)]
pub(super) struct RoutingLoggerProvider {
    /// Makes the records, which only a logger of the SDK can.
    nowhere: SdkLoggerProvider,
}

impl RoutingLoggerProvider {
    pub(super) fn new() -> Self {
        let resource = Resource::builder_empty().build();
        Self { nowhere: SdkLoggerProvider::builder().with_resource(resource).build() }
    }
}

impl LoggerProvider for RoutingLoggerProvider {
    type Logger = RoutingLogger;

    fn logger_with_scope(&self, scope: InstrumentationScope) -> RoutingLogger {
        RoutingLogger { nowhere: self.nowhere.logger_with_scope(scope.clone()), scope }
    }
}

/// Looks the test up for every record.
#[derive(Debug)]
pub(super) struct RoutingLogger {
    scope: InstrumentationScope,
    nowhere: SdkLogger,
}

impl Logger for RoutingLogger {
    type LogRecord = SdkLogRecord;

    fn create_log_record(&self) -> SdkLogRecord {
        self.nowhere.create_log_record()
    }

    fn emit(&self, record: SdkLogRecord) {
        if let Some(test) = routed(&Context::current()) {
            test.logger_provider.logger_with_scope(self.scope.clone()).emit(record);
        }
    }

    fn event_enabled(&self, _level: Severity, _target: &str, _name: Option<&str>) -> bool {
        routed(&Context::current()).is_some()
    }
}
