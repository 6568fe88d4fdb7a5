//! What was changed while the process runs, as the hot path reads it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
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
    /// How often each setting was changed. Held during a change, so that the last number belongs to what holds.
    changes: Mutex<[u64; Setting::COUNT]>,
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

    /// Whether one of the rules that came on top of the configured ones drops it.
    pub(crate) fn is_dropped(&self, drops: impl FnOnce(&DropRules) -> bool) -> bool {
        self.flags.load(Ordering::Relaxed) & DROP_RULES != 0
            && self.drop_rules.load().as_ref().is_some_and(|rules| drops(rules))
    }

    pub(crate) fn set_drop_rules(&self, rules: Option<DropRules>) {
        self.set_flag(DROP_RULES, rules.is_some());
        self.drop_rules.store(rules.map(Into::into));
    }

    /// Whether an attribute of this key is left off for the time being.
    pub(crate) fn leaves_off(&self, key: &str) -> bool {
        self.flags.load(Ordering::Relaxed) & ATTRIBUTES != 0
            && self.without_attributes.load().as_ref().is_some_and(|globs| globs.is_match(key))
    }

    pub(crate) fn leaves_attributes_off(&self) -> bool {
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

    /// For [`Self::change`]: by itself `tracing` does not notice.
    pub(crate) fn set_level(&self, to: LevelFilter) {
        self.level.store(number(to), Ordering::Relaxed);
    }

    /// Makes a change, one at a time, and numbers it, so that its expiry does not undo a later one.
    pub(crate) fn change(&self, setting: Setting, change: impl FnOnce(&Self)) -> u64 {
        let number = {
            let mut changes = self.changes();
            change(self);
            let number = changes.get_mut(setting.place());
            number.map_or(0, |number| {
                *number += 1;
                *number
            })
        };
        setting.took_effect();
        number
    }

    /// Takes a change back, if it is the last one of its setting.
    pub(crate) fn undo(&self, setting: Setting, number: u64, undo: impl FnOnce(&Self)) -> bool {
        {
            let changes = self.changes();
            if changes.get(setting.place()) != Some(&number) {
                return false;
            }
            undo(self);
        }
        setting.took_effect();
        true
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

    /// `tracing` remembers for each place in the code whether anybody wants it, and asks again then. It asks other layers too,
    /// so nothing is locked meanwhile.
    fn took_effect(self) {
        if self == Self::Level {
            tracing::callsite::rebuild_interest_cache();
        }
    }

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
    use crate::safety::DropRules;
    use crate::{DropRule, Signal};

    #[test]
    fn switches_are_independent_and_the_last_change_counts() {
        let live = Live::default();
        assert!(live.is_untouched());
        live.set_off(Signal::Logs, true);
        live.set_off(Signal::Traces, true);
        live.set_off(Signal::Traces, false);
        assert!(live.is_off(Signal::Logs) && !live.is_off(Signal::Traces) && !live.is_untouched());
        let to = |level| move |live: &Live| live.set_level(level);
        let first = live.change(Setting::Level, to(LevelFilter::DEBUG));
        let other = live.change(Setting::DropRules, |_| ());
        let second = live.change(Setting::Level, to(LevelFilter::TRACE));
        assert!(!live.undo(Setting::Level, first, to(LevelFilter::INFO)));
        assert_eq!(live.level(), LevelFilter::TRACE);
        assert!(live.undo(Setting::DropRules, other, |_| ()));
        assert!(live.undo(Setting::Level, second, to(LevelFilter::INFO)));
        assert_eq!(live.level(), LevelFilter::INFO);
    }

    /// The expiry looks whether its change is the last one, and undoes it, with no other change between.
    #[test]
    fn no_thread_loses_its_change_to_the_expiry_of_an_earlier_one() {
        let live = Live::default();
        for _ in 0..2_000 {
            let first = live.change(Setting::Export(Signal::Logs), |live| live.set_off(Signal::Logs, true));
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    live.undo(Setting::Export(Signal::Logs), first, |live| live.set_off(Signal::Logs, false));
                });
                threads.spawn(|| {
                    live.change(Setting::Export(Signal::Logs), |live| live.set_off(Signal::Logs, true));
                });
            });
            assert!(live.is_off(Signal::Logs));
        }
    }

    #[test]
    fn drop_rules_of_several_threads_are_there_or_not_as_the_last_one_said() {
        let live = Live::default();
        let rules = || DropRules::new(&[DropRule::span_name("a")]).ok();
        for _ in 0..500 {
            std::thread::scope(|threads| {
                threads.spawn(|| live.change(Setting::DropRules, |live| live.set_drop_rules(rules())));
                threads.spawn(|| live.change(Setting::DropRules, |live| live.set_drop_rules(None)));
            });
            assert_eq!(live.is_untouched(), live.drop_rules.load().is_none());
        }
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
