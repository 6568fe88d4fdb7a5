//! What was changed while the process runs, as the hot path reads it.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use crate::Signal;
use crate::safety::{DropRules, Globs};
use crate::subscriber::Levels;

/// Everything is on and nothing is changed until somebody says otherwise.
#[derive(Debug)]
pub(crate) struct Live {
    /// A bit for each signal that is off, and one for each kind of rule that is there. Mostly zero, and then there is nothing
    /// more to read.
    flags: AtomicU8,
    drop_rules: ArcSwapOption<DropRules>,
    without_attributes: ArcSwapOption<Globs>,
    /// What the configuration says, and what holds now.
    configured: OnceLock<Levels>,
    level: AtomicUsize,
    changes: Mutex<[u64; Setting::COUNT]>,
    counter: AtomicU64,
}

/// What can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Export(Signal),
    Level,
    DropRules,
    Attributes,
}

const DROP_RULES: u8 = 8;
const ATTRIBUTES: u8 = 16;

impl Default for Live {
    fn default() -> Self {
        Self {
            flags: AtomicU8::new(0),
            drop_rules: ArcSwapOption::empty(),
            without_attributes: ArcSwapOption::empty(),
            configured: OnceLock::new(),
            level: AtomicUsize::new(number(LevelFilter::INFO)),
            changes: Mutex::default(),
            counter: AtomicU64::new(0),
        }
    }
}

impl Live {
    /// Whether anything differs from the configuration that a span or a record must be asked about.
    pub(crate) fn is_untouched(&self) -> bool {
        self.flags.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn is_off(&self, signal: Signal) -> bool {
        self.flags.load(Ordering::Relaxed) & bit(signal) != 0
    }

    pub(crate) fn set_off(&self, signal: Signal, is_off: bool) {
        self.set_flag(bit(signal), is_off);
    }

    /// The rules that came on top of the configured ones.
    pub(crate) fn with_drop_rules(&self, drops: impl FnOnce(&DropRules) -> bool) -> bool {
        self.flags.load(Ordering::Relaxed) & DROP_RULES != 0
            && self.drop_rules.load().as_ref().is_some_and(|rules| drops(rules))
    }

    pub(crate) fn set_drop_rules(&self, rules: Option<DropRules>) {
        self.set_flag(DROP_RULES, rules.is_some());
        self.drop_rules.store(rules.map(Into::into));
    }

    /// Whether an attribute of this key is left off for the time being.
    pub(crate) fn is_without(&self, key: &str) -> bool {
        self.flags.load(Ordering::Relaxed) & ATTRIBUTES != 0
            && self.without_attributes.load().as_ref().is_some_and(|globs| globs.is_match(key))
    }

    pub(crate) fn has_attributes_off(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & ATTRIBUTES != 0
    }

    pub(crate) fn set_without_attributes(&self, globs: Option<Globs>) {
        self.set_flag(ATTRIBUTES, globs.is_some());
        self.without_attributes.store(globs.map(Into::into));
    }

    /// Whether a span or an event of this level is exported. Nothing is exported of any target while the level is off.
    pub(crate) fn admits(&self, level: Level, target: &str) -> bool {
        match (self.level(), self.configured.get()) {
            (LevelFilter::OFF, _) => false,
            (general, Some(levels)) => levels.admit(general, level, target),
            (general, None) => level <= general,
        }
    }

    /// The most verbose level that is exported of any target.
    pub(crate) fn most_verbose(&self) -> LevelFilter {
        match (self.level(), self.configured.get()) {
            (LevelFilter::OFF, _) => LevelFilter::OFF,
            (general, levels) => levels.map_or(general, |levels| levels.most(general)),
        }
    }

    /// The most verbose level of `tracing` that is exported, of targets that have none of their own.
    pub(crate) fn level(&self) -> LevelFilter {
        level(self.level.load(Ordering::Relaxed))
    }

    pub(crate) fn configured_level(&self) -> LevelFilter {
        self.configured.get().map_or(LevelFilter::INFO, Levels::general)
    }

    /// Once, before anything is exported.
    pub(crate) fn configure_levels(&self, levels: Levels) {
        self.level.store(number(levels.general()), Ordering::Relaxed);
        // A second time does nothing.
        let _ = self.configured.set(levels);
    }

    pub(crate) fn set_level(&self, to: LevelFilter) {
        self.level.store(number(to), Ordering::Relaxed);
        // `tracing` remembers for each place in the code whether anybody wants it.
        tracing::callsite::rebuild_interest_cache();
    }

    /// A number for a change, so that its expiry does not undo a later one.
    pub(crate) fn changed(&self, setting: Setting) -> u64 {
        let number = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(last) = self.changes().get_mut(setting.place()) {
            *last = number;
        }
        number
    }

    /// Whether this change is the last one of its setting.
    pub(crate) fn is_last(&self, setting: Setting, number: u64) -> bool {
        self.changes().get(setting.place()) == Some(&number)
    }

    fn changes(&self) -> MutexGuard<'_, [u64; Setting::COUNT]> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_flag(&self, flag: u8, is_set: bool) {
        if is_set {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed);
        }
    }
}

impl Setting {
    const COUNT: usize = 6;

    fn place(self) -> usize {
        match self {
            Self::Export(Signal::Traces) => 0,
            Self::Export(Signal::Metrics) => 1,
            Self::Export(Signal::Logs) => 2,
            Self::Level => 3,
            Self::DropRules => 4,
            Self::Attributes => 5,
        }
    }
}

fn bit(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 1,
        Signal::Metrics => 2,
        Signal::Logs => 4,
    }
}

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

fn number(of: LevelFilter) -> usize {
    LEVELS.iter().position(|level| *level == of).unwrap_or_default()
}

fn level(number: usize) -> LevelFilter {
    LEVELS.get(number).copied().unwrap_or(LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing_subscriber::filter::LevelFilter;

    use super::{Live, Setting};
    use crate::Signal;

    #[test]
    fn switches_are_independent_and_the_last_change_counts() {
        let live = Live::default();
        assert!(live.is_untouched());
        live.set_off(Signal::Logs, true);
        live.set_off(Signal::Traces, true);
        live.set_off(Signal::Traces, false);
        assert!(live.is_off(Signal::Logs) && !live.is_off(Signal::Traces) && !live.is_untouched());
        let first = live.changed(Setting::Level);
        let other = live.changed(Setting::DropRules);
        let second = live.changed(Setting::Level);
        assert!(!live.is_last(Setting::Level, first));
        assert!(live.is_last(Setting::Level, second) && live.is_last(Setting::DropRules, other));
    }

    #[test]
    fn targets_keep_their_level_unless_everything_is_off() {
        for level in super::LEVELS {
            let live = Live::default();
            live.configure_levels(level.to_string().parse().unwrap());
            assert_eq!((live.level(), live.configured_level(), live.most_verbose()), (level, level, level));
        }
        let live = Live::default();
        live.configure_levels("warn,shop=debug".parse().unwrap());
        assert!(live.admits(Level::DEBUG, "shop::orders") && !live.admits(Level::INFO, "sqlx"));
        live.set_level(LevelFilter::INFO);
        assert!(live.admits(Level::DEBUG, "shop::orders") && live.admits(Level::INFO, "sqlx"));
        assert_eq!((live.most_verbose(), live.configured_level()), (LevelFilter::DEBUG, LevelFilter::WARN));
        live.set_level(LevelFilter::OFF);
        assert!(!live.admits(Level::ERROR, "shop::orders"));
        assert_eq!(live.most_verbose(), LevelFilter::OFF);
    }
}
