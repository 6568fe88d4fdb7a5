//! What the bridge from `tracing` puts on log records besides what the application has said.

use opentelemetry::logs::{AnyValue, LogRecord};
use opentelemetry_sdk::logs::SdkLogRecord;

use super::chain::Safety;

/// What `tracing-log` calls the event that it makes of a record of the `log` crate, and how it says where that comes from:
/// the files are those of the machine that built the service.
const LOG_CRATE: &str = "log event";
const LOG_TARGET: &str = "log.target";
const LOG_KEYS: [&str; 4] = [LOG_TARGET, "log.module_path", "log.file", "log.line"];

impl Safety {
    /// Takes the names off that nobody has given, and makes a record of the `log` crate look like an event.
    pub(super) fn tidy(&self, record: &mut SdkLogRecord) {
        let Some(name) = record.event_name() else { return };
        if name == LOG_CRATE {
            let target = record.attributes_iter().find(|(key, _)| key.as_str() == LOG_TARGET);
            let Some((_, target)) = target else { return };
            let AnyValue::String(target) = target else { return };
            let target = target.as_str().to_owned();
            record.set_target(target);
            self.retain(record, |key| !LOG_KEYS.contains(&key.as_str()));
        } else if !is_place(name) {
            return;
        }
        // As good as none: a record cannot lose it.
        record.set_event_name("");
    }
}

/// Whether this is how `tracing` calls an event without a name: `event src/main.rs:12`. To the specification a name says
/// which event it is, and a line that moves would make another one of it.
fn is_place(name: &str) -> bool {
    let place = name.strip_prefix("event ").and_then(|place| place.rsplit_once(':'));
    place.is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn a_place_in_the_code_is_told_from_a_name() {
        for place in ["event src/main.rs:1", r"event src\bin\main.rs:1200", "event /home/a b/c:d.rs:7"] {
            assert!(is_place(place), "{place}");
        }
        for name in ["", "event", "event ", "event placed", "event placed:", "order:12", "event a:1b"] {
            assert!(!is_place(name), "{name}");
        }
    }
}
