//! [`Control`]: how a service changes what is exported.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;

use super::live::{Live, Setting};
use crate::export::RuntimeEntry;
use crate::safety::{DropRules, Globs};
use crate::{DropRule, InstallError, Signal, diagnostics};

/// Changes what is exported while the process runs: [`Telemetry::control`](crate::Telemetry::control).
///
/// Each change is told on the console. With an expiry it undoes itself, also if whoever made it is gone; a later change of
/// the same thing is not undone by it. Any number of threads may make changes; what the last one said holds. After a shutdown,
/// and where telemetry is disabled, nothing is exported whatever is said here. Which traces are recorded is changed by
/// [`Telemetry::sampler`](crate::Telemetry::sampler).
///
/// ```
/// use std::time::Duration;
/// use otel_init::{DropRule, LevelFilter, Signal, Telemetry};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let telemetry = Telemetry::builder()
/// #     .with_environment(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
/// #     .install()?;
/// let control = telemetry.control().for_at_most(Duration::from_secs(600));
/// control.set_level(LevelFilter::DEBUG);
/// control.set_drop_rules([DropRule::span_name("GET /noisy")])?;
/// control.set_exported(Signal::Logs, false);
/// # telemetry.shutdown_blocking()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it changes nothing by itself"]
pub struct Control {
    live: Arc<Live>,
    /// None if telemetry is disabled: nothing is exported, so nothing expires.
    runtime: Option<RuntimeEntry>,
    expiry: Option<Duration>,
}

impl Control {
    pub(crate) fn new(live: Arc<Live>, runtime: Option<RuntimeEntry>) -> Self {
        Self { live, runtime, expiry: None }
    }

    /// The same control, whose changes undo themselves after this time.
    pub fn for_at_most(mut self, expiry: Duration) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// Switches the export of a signal on or off. What is made while it is off is counted as filtered; metrics go on
    /// adding up. It does not switch on what is not configured.
    pub fn set_exported(&self, signal: Signal, is_exported: bool) {
        self.change(
            Setting::Export(signal),
            &format!("export of {signal} is {}", on(is_exported)),
            |live| live.set_off(signal, !is_exported),
            move |live| {
                live.set_off(signal, false);
                format!("export of {signal} is on again")
            },
        );
    }

    /// The one switch: everything on or off, `OTEL_SDK_DISABLED` for a running process. While it is off no span is
    /// recorded and nothing is exported.
    pub fn set_enabled(&self, is_enabled: bool) {
        for signal in Signal::ALL {
            self.set_exported(signal, is_enabled);
        }
        self.set_level(if is_enabled { self.live.configured_level() } else { LevelFilter::OFF });
    }

    /// Sets the most verbose level of `tracing` spans and events that are exported. Targets that have a level of their own
    /// ([`with_target_level`](crate::TelemetryBuilder::with_target_level)) keep it, unless this is [`LevelFilter::OFF`].
    pub fn set_level(&self, level: impl Into<LevelFilter>) {
        let level = level.into();
        self.change(
            Setting::Level,
            &format!("the exported level is {level}"),
            |live| live.set_level(level),
            |live| {
                let level = live.configured_level();
                live.set_level(level);
                format!("the exported level is {level} again")
            },
        );
    }

    /// Sets drop rules that hold besides the configured ones, in place of those that were set here before.
    ///
    /// # Errors
    ///
    /// If the rules together are too large to be used; nothing is changed then.
    pub fn set_drop_rules(&self, rules: impl IntoIterator<Item = DropRule>) -> Result<(), InstallError> {
        let rules: Vec<DropRule> = rules.into_iter().collect();
        let invalid = |error: regex::Error| {
            InstallError::invalid("a drop rule", format!("{rules:?}"), error.to_string())
        };
        let compiled = DropRules::new(&rules).map_err(invalid)?;
        self.change(
            Setting::DropRules,
            &format!("{} drop rules besides the configured ones", rules.len()),
            |live| live.set_drop_rules((!rules.is_empty()).then_some(compiled)),
            |live| {
                live.set_drop_rules(None);
                "the drop rules are the configured ones again".to_owned()
            },
        );
        Ok(())
    }

    /// Leaves attributes off spans and log records whose keys these globs fit, such as captured headers
    /// (`http.request.header.*`). None brings them back.
    ///
    /// # Errors
    ///
    /// If the globs together are too large to be used; nothing is changed then.
    pub fn set_without_attributes<G: AsRef<str>>(
        &self,
        globs: impl IntoIterator<Item = G>,
    ) -> Result<(), InstallError> {
        let globs: Vec<String> = globs.into_iter().map(|glob| glob.as_ref().to_owned()).collect();
        let invalid = |error: regex::Error| {
            InstallError::invalid("the attributes", globs.join(", "), error.to_string())
        };
        let compiled = Globs::new(&globs).map_err(invalid)?;
        let shown = if globs.is_empty() { "none".to_owned() } else { globs.join(", ") };
        self.change(
            Setting::Attributes,
            &format!("attributes that are left off: {shown}"),
            |live| live.set_without_attributes((!globs.is_empty()).then_some(compiled)),
            |live| {
                live.set_without_attributes(None);
                "no attributes are left off any more".to_owned()
            },
        );
        Ok(())
    }

    /// Makes the change, tells it, and sees to its end.
    fn change(
        &self,
        setting: Setting,
        what: &str,
        change: impl FnOnce(&Live),
        undo: impl FnOnce(&Live) -> String + Send + 'static,
    ) {
        let number = self.live.change(setting, change);
        let (Some(expiry), Some(runtime)) = (self.expiry, &self.runtime) else {
            return diagnostics::info(&format!("changed while running: {what}"));
        };
        diagnostics::info(&format!("changed while running, for {expiry:?}: {what}"));
        let live: Weak<Live> = Arc::downgrade(&self.live);
        runtime.spawn(async move {
            tokio::time::sleep(expiry).await;
            let Some(live) = live.upgrade() else { return };
            let mut what = String::new();
            if live.undo(setting, number, |live| what = undo(live)) {
                diagnostics::info(&format!("the time is over: {what}"));
            }
        });
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let off: Vec<_> = Signal::ALL.into_iter().filter(|signal| self.live.is_off(*signal)).collect();
        formatter
            .debug_struct("Control")
            .field("off", &off)
            .field("level", &self.live.level())
            .finish_non_exhaustive()
    }
}

fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
