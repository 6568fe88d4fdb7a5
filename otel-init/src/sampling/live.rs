//! Changes to what is sampled while the process runs, for a while or until they are taken back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;

use super::change::SamplingChange;
use super::composable::{ComposableSampler, Intent, NewSpan};
use super::samplers::Probability;
use crate::diagnostics;

/// Changes what the head samples while the process runs: [`Telemetry::sampler`](crate::Telemetry::sampler).
///
/// Limits, what is kept, and traces that others began, stay as they were configured. Every change is a line on the console.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use otel_init::sampling::SamplingChange;
///
/// let telemetry = otel_init::Telemetry::builder()
///     .with_environment(|name| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
///     .install()?;
/// let sampler = telemetry.sampler();
/// sampler.set_ratio(0.05);
/// let change = SamplingChange::new().with_route("/checkout", 1.0).with_expiry(Duration::from_secs(600));
/// sampler.set(change);
/// sampler.reset();
/// # telemetry.shutdown_blocking()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SamplerHandle {
    live: Arc<LiveChange>,
}

impl SamplerHandle {
    pub(crate) fn new(live: Arc<LiveChange>) -> Self {
        Self { live }
    }

    /// Samples this share of the traces that begin here from now on, 0 to 1, until [`reset`](Self::reset). A number that is
    /// no share changes nothing but says so on the console.
    pub fn set_ratio(&self, ratio: f64) {
        self.set(SamplingChange::new().with_ratio(ratio));
    }

    /// Makes a change, in place of the one before. One with a number that is no share changes nothing but says so.
    pub fn set(&self, change: SamplingChange) {
        match change.check() {
            Ok(()) => self.live.set(Source::Handle, Some(change), Instant::now()),
            Err(reason) => diagnostics::warn(&format!("the sampler stays as it is: {reason}")),
        }
    }

    /// Returns to what is configured.
    pub fn reset(&self) {
        self.live.set(Source::Handle, None, Instant::now());
    }

    /// What the head samples now, in words.
    #[must_use]
    pub fn description(&self) -> String {
        self.live.description(Instant::now())
    }
}

/// Who made a change. The handle's goes before the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Handle,
    File,
}

/// The change that holds now.
#[derive(Debug)]
pub(crate) struct LiveChange {
    configured: String,
    /// Whether what is configured looks at attributes.
    reads_attributes: bool,
    /// Whether this is the sampler of the process, which instrumentations are told of.
    is_installed: AtomicBool,
    /// By [`Source`]; the first of them holds.
    changes: Mutex<Changes>,
    effective: ArcSwapOption<Active>,
    /// Whether there is one; asked for each span.
    is_changed: AtomicBool,
}

type Changes = [Option<Arc<Active>>; 2];

#[derive(Debug)]
struct Active {
    change: SamplingChange,
    ratio: Option<Probability>,
    expires: Option<Instant>,
}

impl LiveChange {
    pub(crate) fn new(configured: String, reads_attributes: bool) -> Self {
        Self {
            configured,
            reads_attributes,
            is_installed: AtomicBool::new(false),
            changes: Mutex::default(),
            effective: ArcSwapOption::empty(),
            is_changed: AtomicBool::new(false),
        }
    }

    /// From now on instrumentations are told whether attributes are looked at.
    pub(crate) fn mark_installed(&self) {
        self.is_installed.store(true, Ordering::Release);
        self.announce();
    }

    /// Whether something else holds than what is configured.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Relaxed)
    }

    /// What the change wants for this span, if there is one that says something about it.
    pub(super) fn intent(&self, span: &NewSpan<'_>) -> Option<Intent> {
        if !self.is_changed() {
            return None;
        }
        let active = self.effective.load();
        let active = active.as_ref()?;
        if active.is_over(Instant::now) {
            self.expire(Instant::now());
            return self.intent_again(span);
        }
        active.intent(span)
    }

    #[cold]
    fn intent_again(&self, span: &NewSpan<'_>) -> Option<Intent> {
        self.effective.load().as_ref().and_then(|active| active.intent(span))
    }

    pub(super) fn set(&self, source: Source, change: Option<SamplingChange>, now: Instant) {
        let mut changes = self.lock();
        let slot = &mut changes[source as usize];
        let had = slot.is_some();
        *slot = change.map(|change| Arc::new(Active::new(change, now)));
        let is_change = had || slot.is_some();
        let what = match slot {
            Some(active) => active.description(now),
            None => "the change is taken back".to_owned(),
        };
        self.apply(&changes);
        drop(changes);
        if is_change {
            let source = if source == Source::Handle { "by the program" } else { "by its file" };
            diagnostics::info(&format!("the sampler was changed {source}: {what}; {}", self.now_holds()));
        }
    }

    /// Returns to what is configured where the time of a change is over.
    pub(crate) fn expire(&self, now: Instant) {
        let mut changes = self.lock();
        let over = changes.iter_mut().filter_map(|slot| slot.take_if(|active| active.is_over(|| now)));
        if over.count() == 0 {
            return;
        }
        self.apply(&changes);
        drop(changes);
        diagnostics::info(&format!("a change to the sampler has expired; {}", self.now_holds()));
    }

    fn apply(&self, changes: &Changes) {
        let effective = changes.iter().flatten().next().cloned();
        let is_changed = effective.is_some();
        self.effective.store(effective);
        self.is_changed.store(is_changed, Ordering::Relaxed);
        self.announce();
    }

    fn announce(&self) {
        if self.is_installed.load(Ordering::Acquire) {
            let by_change =
                self.effective.load().as_ref().is_some_and(|active| active.change.rules.reads_attributes());
            otel_core::announce_sampler(self.reads_attributes || by_change);
        }
    }

    fn now_holds(&self) -> String {
        match &*self.effective.load() {
            Some(active) => format!("now holds: {}", active.change.description()),
            None => format!("now holds what is configured: {}", self.configured),
        }
    }

    pub(super) fn description(&self, now: Instant) -> String {
        self.expire(now);
        match &*self.effective.load() {
            Some(active) => active.description(now),
            None => self.configured.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn new(change: SamplingChange, now: Instant) -> Self {
        let ratio = change.ratio.map(Probability::new);
        // An expiry beyond what the clock can tell never comes.
        let expires = change.expires_after.and_then(|after| now.checked_add(after));
        Self { change, ratio, expires }
    }

    /// The clock is asked only if there is an end.
    fn is_over(&self, now: impl FnOnce() -> Instant) -> bool {
        self.expires.is_some_and(|expires| now() >= expires)
    }

    fn intent(&self, span: &NewSpan<'_>) -> Option<Intent> {
        self.change.rules.matching(span).or_else(|| self.ratio.map(|ratio| ratio.intent(span)))
    }

    fn description(&self, now: Instant) -> String {
        let what = self.change.description();
        match self.expires {
            Some(expires) => {
                format!("{what}, for {} s", expires.saturating_duration_since(now).as_secs_f64().ceil())
            }
            None => what,
        }
    }
}
