//! Views: which instruments, and what becomes of them.
//!
//! <https://opentelemetry.io/docs/specs/otel/metrics/sdk/#view>

use opentelemetry::Key;
use opentelemetry_sdk::metrics::{Aggregation, InstrumentKind, Stream};

use super::cardinality::bounded;
use super::views::{Defaults, Facts};

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
    pub(super) name: String,
    kind: Option<InstrumentKind>,
    unit: Option<String>,
    meter: Option<String>,
    meter_version: Option<String>,
    meter_schema: Option<String>,
    pub(super) new_name: Option<String>,
    description: Option<String>,
    pub(super) aggregation: Option<Aggregation>,
    pub(super) attributes: Option<Vec<Key>>,
    pub(super) cardinality_limit: Option<usize>,
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

    /// Whether the view is for this instrument, whose name fits.
    pub(super) fn selects(&self, instrument: &Facts<'_>) -> bool {
        let scope = instrument.scope;
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        self.kind.is_none_or(|kind| kind == instrument.kind)
            && is(&self.unit, Some(instrument.unit))
            && is(&self.meter, Some(scope.name()))
            && is(&self.meter_version, scope.version())
            && is(&self.meter_schema, scope.schema_url())
    }

    pub(super) fn stream(&self, defaults: &Defaults, kind: InstrumentKind) -> Result<Stream, String> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::{
        InMemoryMetricExporter, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider,
    };

    use super::View;
    use crate::metrics::{CardinalityLimits, Views};

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
