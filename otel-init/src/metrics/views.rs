//! What views make of an instrument.

use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, Stream};

use super::{CardinalityLimits, View};
use crate::safety::Globs;

/// All views, compiled, and the defaults for instruments that none of them fits.
#[derive(Debug, Clone)]
pub(crate) struct Views {
    views: Vec<(Globs, View)>,
    defaults: Defaults,
}

impl Views {
    /// The view that cannot be used, and why.
    pub(crate) fn new(
        views: &[View],
        is_exponential: bool,
        limits: CardinalityLimits,
    ) -> Result<Self, (String, String)> {
        let compiled = views.iter().map(|view| {
            let failed = |reason: String| (view.name.clone(), reason);
            if let Some(problem) = view.problem() {
                return Err(failed(problem));
            }
            let globs = Globs::new([&view.name]).map_err(|error| failed(error.to_string()))?;
            Ok((globs, view.clone()))
        });
        let views: Result<Vec<_>, _> = compiled.collect();
        Ok(Self { views: views?, defaults: Defaults { is_exponential, limits } })
    }

    pub(crate) fn len(&self) -> usize {
        self.views.len()
    }

    /// What the view in this place makes of the instrument.
    pub(crate) fn apply(&self, place: usize, instrument: &Instrument) -> Option<Stream> {
        let facts = Facts::of(instrument);
        let (_, view) = self.views.get(place).filter(|view| fits(view, &facts))?;
        view.stream(&self.defaults, instrument.kind()).ok()
    }

    /// What becomes of an instrument that no view fits.
    pub(crate) fn otherwise(&self, instrument: &Instrument) -> Option<Stream> {
        let facts = Facts::of(instrument);
        if self.views.iter().any(|view| fits(view, &facts)) {
            return None;
        }
        let (kind, defaults) = (instrument.kind(), &self.defaults);
        if defaults.aggregation(kind).is_none() && defaults.limits.of(kind).is_none() {
            return None;
        }
        View::new("*").stream(defaults, kind).ok()
    }

    /// Each metric that comes of an instrument.
    pub(super) fn outlines(&self, facts: &Facts<'_>) -> Vec<Outline<'_>> {
        let Defaults { limits, .. } = &self.defaults;
        let otherwise = || self.defaults.aggregation(facts.kind);
        let fitting = self.views.iter().filter(|view| fits(view, facts));
        let outlines = fitting.map(|(_, view)| Outline {
            name: view.new_name.as_deref(),
            attributes: view.attributes.as_deref(),
            aggregation: view.aggregation.clone().or_else(otherwise),
            limit: view.cardinality_limit.or_else(|| limits.of(facts.kind)),
        });
        let mut outlines: Vec<_> = outlines.collect();
        if outlines.is_empty() {
            let (aggregation, limit) = (otherwise(), limits.of(facts.kind));
            outlines.push(Outline { name: None, attributes: None, aggregation, limit });
        }
        outlines
    }
}

/// What holds where no view says otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    is_exponential: bool,
    pub(super) limits: CardinalityLimits,
}

impl Defaults {
    pub(super) fn aggregation(&self, kind: InstrumentKind) -> Option<Aggregation> {
        // "The default values for max_size and max_scale" of the specification.
        (self.is_exponential && kind == InstrumentKind::Histogram).then_some(
            Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true },
        )
    }
}

/// What a metric has of a view or of the defaults; `None` for what the instrument or the SDK says.
pub(super) struct Outline<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) attributes: Option<&'a [Key]>,
    pub(super) aggregation: Option<Aggregation>,
    pub(super) limit: Option<usize>,
}

/// What an instrument is chosen by.
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a str,
    pub(super) kind: InstrumentKind,
    pub(super) scope: &'a InstrumentationScope,
}

impl<'a> Facts<'a> {
    fn of(instrument: &'a Instrument) -> Self {
        let (name, unit) = (instrument.name(), instrument.unit());
        Self { name, unit, kind: instrument.kind(), scope: instrument.scope() }
    }
}

fn fits((name, view): &(Globs, View), instrument: &Facts<'_>) -> bool {
    name.is_match(instrument.name) && view.selects(instrument)
}
