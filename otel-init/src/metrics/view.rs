//! Views: which instruments, and what becomes of them.
//!
//! <https://opentelemetry.io/docs/specs/otel/metrics/sdk/#view>

use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, Stream};

use super::CardinalityLimits;
use super::cardinality::bounded;
use crate::safety::Globs;

/// Changes what some instruments become: another name, other buckets, fewer attributes, nothing at all.
///
/// An instrument that several views fit becomes several metrics, one for each, as the specification has it.
///
/// ```
/// use otel_init::{Telemetry, View};
///
/// let builder = Telemetry::builder()
///     .with_view(View::new("http.server.request.duration").with_buckets([0.1, 0.5, 1.0, 5.0]))
///     .with_view(View::new("orders.*").in_meter("shop").with_attributes(["country"]))
///     .with_view(View::new("*").in_meter("chatty").dropped());
/// # drop(builder);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct View {
    name: String,
    kind: Option<InstrumentKind>,
    unit: Option<String>,
    meter: Option<String>,
    meter_version: Option<String>,
    meter_schema: Option<String>,
    new_name: Option<String>,
    description: Option<String>,
    aggregation: Option<Aggregation>,
    attributes: Option<Vec<Key>>,
    cardinality_limit: Option<usize>,
}

impl View {
    /// For instruments whose name the glob fits: `*` stands for any characters, `?` for one, case does not matter.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: None,
            unit: None,
            meter: None,
            meter_version: None,
            meter_schema: None,
            new_name: None,
            description: None,
            aggregation: None,
            attributes: None,
            cardinality_limit: None,
        }
    }

    /// Only for instruments of this kind.
    pub fn of_kind(mut self, kind: InstrumentKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only for instruments with this unit.
    pub fn with_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Only for instruments of the meter (the instrumentation scope) of this name.
    pub fn in_meter(mut self, name: impl Into<String>) -> Self {
        self.meter = Some(name.into());
        self
    }

    /// Only for instruments of a meter with this version.
    pub fn in_meter_version(mut self, version: impl Into<String>) -> Self {
        self.meter_version = Some(version.into());
        self
    }

    pub(crate) fn in_meter_schema(mut self, url: String) -> Self {
        self.meter_schema = Some(url);
        self
    }

    /// Calls the metric by another name. The view must fit one instrument, or several metrics have one name.
    pub fn renamed(mut self, name: impl Into<String>) -> Self {
        self.new_name = Some(name.into());
        self
    }

    /// Describes the metric in other words.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Makes nothing of what is measured.
    pub fn dropped(mut self) -> Self {
        self.aggregation = Some(Aggregation::Drop);
        self
    }

    /// Makes a histogram with these upper bounds. They must grow; else
    /// [`install`](crate::TelemetryBuilder::install) fails.
    pub fn with_buckets(self, boundaries: impl IntoIterator<Item = f64>) -> Self {
        self.with_explicit_buckets(Some(boundaries.into_iter().collect()), true)
    }

    pub(crate) fn with_explicit_buckets(mut self, boundaries: Option<Vec<f64>>, has_min_max: bool) -> Self {
        let boundaries = boundaries.unwrap_or_else(|| DEFAULT_BUCKETS.to_vec());
        self.aggregation =
            Some(Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: has_min_max });
        self
    }

    /// Makes a histogram whose buckets fit themselves to the values: at most 160, each some percent wide.
    pub fn with_exponential_histogram(self) -> Self {
        self.with_exponential_buckets(160, 20, true)
    }

    pub(crate) fn with_exponential_buckets(
        mut self,
        max_size: u32,
        max_scale: i8,
        record_min_max: bool,
    ) -> Self {
        self.aggregation =
            Some(Aggregation::Base2ExponentialHistogram { max_size, max_scale, record_min_max });
        self
    }

    pub(crate) fn summed(mut self) -> Self {
        self.aggregation = Some(Aggregation::Sum);
        self
    }

    pub(crate) fn last_value(mut self) -> Self {
        self.aggregation = Some(Aggregation::LastValue);
        self
    }

    /// Keeps these attributes and no other. What differs in the others alone becomes one.
    pub fn with_attributes<K: Into<Key>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.attributes = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Bounds how many sets of attributes there may be, from 1 to a million: the SDK makes room for all of them at once. What
    /// comes on top becomes one set, with `otel.metric.overflow`.
    pub fn with_cardinality_limit(mut self, limit: usize) -> Self {
        self.cardinality_limit = Some(bounded(limit));
        self
    }

    /// What the SDK would refuse.
    pub(crate) fn problem(&self) -> Option<String> {
        self.stream(&Defaults::default(), InstrumentKind::Histogram).err()
    }

    fn stream(&self, defaults: &Defaults, kind: InstrumentKind) -> Result<Stream, String> {
        let mut stream = Stream::builder();
        if let Some(name) = &self.new_name {
            stream = stream.with_name(name.clone());
        }
        if let Some(description) = &self.description {
            stream = stream.with_description(description.clone());
        }
        if let Some(aggregation) = self.aggregation.clone().or_else(|| defaults.aggregation(kind)) {
            stream = stream.with_aggregation(aggregation);
        }
        if let Some(keys) = &self.attributes {
            stream = stream.with_allowed_attribute_keys(keys.iter().cloned());
        }
        if let Some(limit) = self.cardinality_limit.or_else(|| defaults.limits.of(kind)) {
            stream = stream.with_cardinality_limit(limit);
        }
        stream.build().map_err(|error| error.to_string())
    }
}

/// "[ 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000 ]"
pub(super) const DEFAULT_BUCKETS: &[f64] =
    &[0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0];

/// What holds where no view says otherwise.
#[derive(Debug, Clone, Default)]
struct Defaults {
    is_exponential: bool,
    limits: CardinalityLimits,
}

impl Defaults {
    fn aggregation(&self, kind: InstrumentKind) -> Option<Aggregation> {
        // "The default values for max_size and max_scale" of the specification.
        (self.is_exponential && kind == InstrumentKind::Histogram).then_some(
            Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true },
        )
    }
}

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
        let (globs, view) = self.views.get(place).filter(|(globs, view)| fits(globs, view, &facts))?;
        let _ = globs;
        view.stream(&self.defaults, instrument.kind()).ok()
    }

    /// What becomes of an instrument that no view fits.
    pub(crate) fn otherwise(&self, instrument: &Instrument) -> Option<Stream> {
        let facts = Facts::of(instrument);
        if self.views.iter().any(|(globs, view)| fits(globs, view, &facts)) {
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
        let fitting = self.views.iter().filter(|(globs, view)| fits(globs, view, facts));
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

fn fits(globs: &Globs, view: &View, instrument: &Facts<'_>) -> bool {
    let scope = instrument.scope;
    let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    globs.is_match(instrument.name)
        && view.kind.is_none_or(|kind| kind == instrument.kind)
        && is(&view.unit, Some(instrument.unit))
        && is(&view.meter, Some(scope.name()))
        && is(&view.meter_version, scope.version())
        && is(&view.meter_schema, scope.schema_url())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::{
        InMemoryMetricExporter, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider,
    };

    use super::{CardinalityLimits, View, Views};

    /// Whether the view is for a counter of orders.
    fn is_for_orders(view: View) -> bool {
        let views = Views::new(&[view.renamed("seen")], false, CardinalityLimits::default()).unwrap();
        let views = Arc::new(views);
        let exporter = InMemoryMetricExporter::default();
        let provider = SdkMeterProvider::builder()
            .with_reader(PeriodicReader::builder(exporter.clone()).build())
            .with_view(move |instrument: &Instrument| views.apply(0, instrument))
            .build();
        let scope = InstrumentationScope::builder("till").with_version("1").with_schema_url("https://s/1");
        let meter = provider.meter_with_scope(scope.build());
        meter.u64_counter("orders").with_unit("{order}").build().add(1, &[]);
        provider.force_flush().unwrap();
        let metrics = exporter.get_finished_metrics().unwrap();
        let name = metrics[0].scope_metrics().next().unwrap().metrics().next().unwrap().name().to_owned();
        provider.shutdown().unwrap();
        name == "seen"
    }

    #[test]
    fn each_selector_chooses() {
        for (name, fits) in [("orders", true), ("ord?rs", true), ("*", true), ("other", false)] {
            assert_eq!(is_for_orders(View::new(name)), fits, "{name}");
        }
        let all = || View::new("*");
        for (right, wrong) in [
            (all().of_kind(InstrumentKind::Counter), all().of_kind(InstrumentKind::Histogram)),
            (all().with_unit("{order}"), all().with_unit("s")),
            (all().in_meter("till"), all().in_meter("shelf")),
            (all().in_meter_version("1"), all().in_meter_version("2")),
            (
                all().in_meter_schema("https://s/1".to_owned()),
                all().in_meter_schema("https://s/2".to_owned()),
            ),
        ] {
            assert!(is_for_orders(right.clone()), "{right:?}");
            assert!(!is_for_orders(wrong.clone()), "{wrong:?}");
            assert!(!is_for_orders(View { name: "other".to_owned(), ..right }), "all of them have to fit");
        }
    }
}
